"""Reflections drawn on any grid of angles, with their derivatives, for fits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

REACH = 12.0  # full widths to which a reflection is drawn
LARGEST_REACH = 10.0  # deg


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """Reflections of unit area on the points of a grid that they reach, p in all.

    Attributes:
        size: points of the grid.
        line: number of the reflection, p.
        point: number of the point, p.
        value: height [1/deg], p.
        by_centre, by_width, by_mixing: derivatives of the height, p.
    """

    size: int
    line: IntArray
    point: IntArray
    value: FloatArray
    by_centre: FloatArray
    by_width: FloatArray
    by_mixing: FloatArray

    def sum(self, areas: FloatArray, part: FloatArray | None = None) -> FloatArray:
        """Return the pattern, n, of reflections of these areas, k; or of one of its derivatives."""
        heights = (self.value if part is None else part) * areas[self.line]
        return np.bincount(self.point, weights=heights, minlength=self.size).astype(np.float64)


def draw_lines(grid: FloatArray, centres: FloatArray, widths: FloatArray, mixing: float) -> Drawn:
    """Return k pseudo-Voigt lines on a grid.

    Args:
        grid: 2 theta [deg], n, rising.
        centres: k.
        widths: full widths at half maximum [deg], k.
        mixing: share of the Lorentzian, 0 to 1.
    """
    reach = np.minimum(REACH * widths, LARGEST_REACH)
    first, last = np.searchsorted(grid, centres - reach), np.searchsorted(grid, centres + reach)
    counts = last - first
    line = np.repeat(np.arange(len(centres)), counts)
    point = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts - first, counts)
    width, distance = widths[line], grid[point] - centres[line]
    u = 2 * distance / width
    gaussian = 2 * np.sqrt(np.log(2) / np.pi) / width * np.exp(-np.log(2) * u**2)
    lorentzian = 2 / np.pi / width / (1 + u**2)
    value = mixing * lorentzian + (1 - mixing) * gaussian
    slope = -(mixing * lorentzian * 2 * u / (1 + u**2) + (1 - mixing) * gaussian * 2 * np.log(2) * u) * 2 / width
    by_width = -(value + distance * slope) / width
    return Drawn(len(grid), line, point, value, -slope, by_width, lorentzian - gaussian)
