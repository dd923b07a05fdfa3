"""The shape of powder reflections of the virtual diffractometer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaigns.radiation import COPPER
from instruments.analyses.reference_phases import ReferencePhase

FloatArray = NDArray[np.float64]

CAGLIOTI = (0.0060, -0.0040, 0.0050)  # U, V, W [deg^2], as from a line-shape standard
SHAPE = 0.90  # Scherrer constant
RADIUS = 240.0  # mm, of the goniometer
ALPHA2 = 0.5  # intensity of K-alpha-2 over K-alpha-1
REACH = 25.0  # half widths to which a reflection is drawn
LARGEST_REACH = 8.0  # deg


@dataclass(frozen=True, slots=True)
class Shape:
    """What moves and widens the reflections of one phase.

    Attributes:
        displacement: height of the powder above the goniometer's axis [mm].
        size: crystallite size [nm].
        lorentzian: share of the Lorentzian, 0 to 1.
    """

    displacement: float
    size: float
    lorentzian: float = 0.5


def profile(grid: FloatArray, phase: ReferencePhase, shape: Shape) -> FloatArray:
    """Return the pattern of one phase, n, before scale and background.

    Pseudo-Voigt doublets of unit area; instrument width after Caglioti, Paoletti, Ricci (Nucl. Instrum. 3, 223, 1958),
    size width after Scherrer (Nachr. Ges. Wiss. Göttingen 26, 98, 1918), added in squares.

    Args:
        grid: 2 theta [deg], n, rising in equal steps.
        phase: reflections, k.
        shape: displacement, size and mixing.
    """
    centres, areas = _doublets(phase, shape.displacement)
    return draw(grid, centres, areas, width(centres, shape.size), shape.lorentzian)


def width(two_theta: FloatArray, size: float) -> FloatArray:
    """Return full widths at half maximum [deg] for a crystallite size [nm]."""
    theta = np.radians(two_theta / 2)
    u, v, w = CAGLIOTI
    instrument = u * np.tan(theta) ** 2 + v * np.tan(theta) + w
    scherrer = np.degrees(SHAPE * COPPER.wavelengths[0] / (10 * size * np.cos(theta)))
    return np.asarray(np.sqrt(instrument + scherrer**2))


def draw(grid: FloatArray, centres: FloatArray, areas: FloatArray, widths: FloatArray, mixing: float) -> FloatArray:
    """Return the sum of k pseudo-Voigt peaks on ``grid``, n; each is drawn within its reach only."""
    step = (grid[-1] - grid[0]) / (len(grid) - 1)
    reach = int(np.ceil(min(REACH * float(widths.max(initial=step)), LARGEST_REACH) / step))
    nearest = np.rint((centres - grid[0]) / step).astype(int)
    places = nearest[:, None] + np.arange(-reach, reach + 1)
    distance = grid[0] + places * step - centres[:, None]
    heights = areas[:, None] * _pseudo_voigt(distance, widths[:, None], mixing)
    inside = (places >= 0) & (places < len(grid))
    drawn = np.bincount(places[inside], weights=heights[inside], minlength=len(grid))
    return drawn.astype(np.float64)


def _pseudo_voigt(distance: FloatArray, widths: FloatArray, mixing: float) -> FloatArray:
    squared = (distance / (widths / 2)) ** 2
    gaussian = np.sqrt(np.log(2) / np.pi) * np.exp(-np.log(2) * squared)
    lorentzian = 1 / (np.pi * (1 + squared))
    return np.asarray((mixing * lorentzian + (1 - mixing) * gaussian) / (widths / 2))


def _doublets(phase: ReferencePhase, displacement: float) -> tuple[FloatArray, FloatArray]:
    """Return centres and areas, 2k, of both copper lines, moved by -2 s cos(theta) / R (Klug, Alexander, 1974)."""
    sine = np.sin(np.radians(phase.two_theta / 2)) * COPPER.wavelengths[1] / COPPER.wavelengths[0]
    second = 2 * np.degrees(np.arcsin(np.minimum(sine, 1.0)))
    centres = np.concatenate([phase.two_theta, second])
    areas = np.concatenate([phase.intensity, ALPHA2 * phase.intensity]) / (1 + ALPHA2)
    shift = -np.degrees(2 * displacement / RADIUS * np.cos(np.radians(centres / 2)))
    return centres + shift, areas
