"""Reflections of a pattern that no phase of a fit explains.

What is clear, and what is misfit of a known reflection, was chosen with the thresholds of flags, on patterns of
``benchmarks.phases`` (docs/benchmarks.md, Phase fractions).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from instruments.analyses.profile_fit import ProfileFit
from instruments.analyses.scan import Scan

FloatArray = NDArray[np.float64]

CLEAR = 5.0  # standard deviations of the smoothed residual
EXCESS = 0.5  # of what the fit has there; less is misfit of a known reflection's intensity
PATTERN = 4.0  # area of all reflections of a phase over that of its strongest
HALF = 1.5  # full widths to each side over which a peak is summed
ROBUST = 1.4826  # standard deviations per median absolute deviation of Gaussian noise


@dataclass(frozen=True, slots=True, eq=False)
class Unexplained:
    """What a fit leaves.

    Attributes:
        two_theta: places of unexplained peaks [deg], p, the largest first.
        areas: of these peaks [counts deg], p.
        share: of their areas in the area of all reflections, 0 to 1.
        least: share of a pattern that has one reflection as clear as must be.
        misfit: sum of absolute smoothed residuals beyond noise, over the area of all reflections.
    """

    two_theta: FloatArray
    areas: FloatArray
    share: float
    least: float
    misfit: float


def unexplained(scan: Scan, fit: ProfileFit) -> Unexplained:
    """Return the peaks that stand out of the residual, whatever the background.

    The residual is smoothed over a typical reflection, and compared with its own scatter, so that the noise may be that
    of counts, of scaled or of smoothed intensities. A peak counts where it is far more than what the fit has there.
    """
    step = min(float(np.median(np.diff(scan.two_theta))), fit.width / 4)
    grid = np.arange(scan.two_theta[0], scan.two_theta[-1], step)
    left, bare, level = (
        np.interp(grid, scan.two_theta, values)
        for values in (scan.counts - fit.fitted, fit.fitted - fit.background, scan.counts)
    )
    smooth = _smoothed(left, fit.width / step)
    noise = np.sqrt(np.maximum(_smoothed(level, 4 * fit.width / step), 1.0))
    noise *= max(ROBUST * float(np.median(np.abs(smooth / noise))), 1e-9)
    found, _ = find_peaks(smooth / noise, height=CLEAR, distance=max(int(fit.width / step), 1))
    half = int(np.ceil(HALF * fit.width / step))
    sums = [np.concatenate([[0.0], np.cumsum(values)]) * step for values in (left, bare)]
    low, high = np.maximum(found - half, 0), np.minimum(found + half + 1, len(grid))
    areas, known = (total[high] - total[low] for total in sums)
    strange = areas > EXCESS * np.maximum(known, 0.0)
    total = float(fit.areas[(fit.centres > grid[0]) & (fit.centres < grid[-1])].sum())
    order = np.argsort(-areas[strange])
    kept = areas[strange][order]
    everything = max(total + float(kept.sum()), 1e-300)
    return Unexplained(
        grid[found[strange]][order],
        kept,
        float(kept.sum()) / everything,
        PATTERN * CLEAR * float(np.median(noise)) * fit.width / everything,
        float(np.maximum(np.abs(smooth) - CLEAR / 2 * noise, 0.0).sum() * step) / everything,
    )


def _smoothed(values: FloatArray, width: float) -> FloatArray:
    """Return a running mean by a Gaussian of so many points' full width at half maximum."""
    sigma = max(width / 2.3548, 0.5)
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(values, reach, mode="edge"), kernel / kernel.sum(), mode="valid")
