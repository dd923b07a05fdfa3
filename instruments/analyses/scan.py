"""A powder scan as instruments write it: read into angles and counts, or refused with the reason.

The limits of a usable scan are not tuned: they keep out what no fit can use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from campaigns.errors import StepError
from instruments.analyses.context import column

FloatArray = NDArray[np.float64]

FEWEST = 300  # points of a usable scan
COARSEST = 0.25  # deg between points, beyond which reflections fall between them
SHORTEST = 5.0  # deg
SPIKE = 3.0  # times the higher neighbour
FLAT_TOP = 3  # neighbouring points at exactly the highest count
COUNTED = (0.5, 2.0)  # ratio of scatter to counting statistics, within which whole numbers are taken for counts
FEW = 5.0  # counts
CLEANEST = 1e7  # counts of the strongest point, at most; what scatters less was not counted
HUMP = 3.0  # deg of 2 theta that a term of the background spans
FEWEST_TERMS = 10
OTHER_AXES = ("d", "d_spacing", "dspacing", "q", "theta", "s", "time_of_flight", "tof")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why raw data give no number."""

    reason: str


@dataclass(frozen=True, eq=False)
class Scan:
    """A pattern to be fitted: 2 theta [deg], rising, and counts, each n.

    Attributes:
        two_theta: angles, in steps that need not be equal.
        counts: as if counted one by one: intensities in other units are scaled so that their scatter is that of counts.
    """

    two_theta: FloatArray
    counts: FloatArray

    @cached_property
    def weights(self) -> FloatArray:
        """Reciprocal standard deviations of the counts, n (Poisson, of the counts averaged over three points)."""
        smooth = np.convolve(np.pad(self.counts, 1, mode="edge"), np.ones(3) / 3, mode="valid")
        return np.asarray(1 / np.sqrt(np.maximum(smooth, 1.0)))

    @cached_property
    def background(self) -> FloatArray:
        """Smooth functions under the reflections, n x b: Chebyshev polynomials, and air scatter at low angles."""
        terms = max(FEWEST_TERMS, round((self.two_theta[-1] - self.two_theta[0]) / HUMP))
        x = np.interp(self.two_theta, self.two_theta[[0, -1]], [-1.0, 1.0])
        return np.column_stack([chebyshev.chebvander(x, terms - 1), self.two_theta[0] / self.two_theta])


def read_scan(data: Mapping[str, Any], exclude: Sequence[tuple[float, float]] = ()) -> Scan | Refusal:
    """Return the scan of an event, or why it cannot be used.

    Scans may fall, and steps may be uneven, by rounding or on purpose. Intensities may be in any unit.

    Args:
        data: ``two_theta`` [deg] and ``counts``, each n.
        exclude: ranges of 2 theta [deg] that are left out.

    Raises:
        StepError: a key is missing, or the axis is another one than 2 theta.
    """
    _check_axis(data)
    two_theta, counts = column(data, "two_theta"), column(data, "counts")
    if reason := _bad_shape(two_theta, counts) or _bad_angles(two_theta):
        return Refusal(reason)
    if two_theta[-1] < two_theta[0]:
        two_theta, counts = two_theta[::-1], counts[::-1]
    if reason := _bad_level(counts):
        return Refusal(reason)
    scaled = counts / _unit(counts)
    if reason := _bad_detector(counts, scaled):
        return Refusal(reason)
    kept = ~np.any([(two_theta >= low) & (two_theta <= high) for low, high in exclude or [(0, 0)]], axis=0)
    if kept.sum() < FEWEST:
        return Refusal(f"too few points: {kept.sum()} outside of the excluded ranges, needs {FEWEST}")
    return Scan(two_theta[kept], scaled[kept])


def _check_axis(data: Mapping[str, Any]) -> None:
    other = next((key for key in data if key.lower() in OTHER_AXES), None)
    if "two_theta" not in data and other is not None:
        raise StepError(
            f"the event has {other!r} and no 'two_theta'; allowed: 2 theta in deg, as measured; "
            "2 theta = 2 asin(wavelength / 2 d) = 2 asin(wavelength q / 4 pi)"
        )


def _bad_shape(two_theta: FloatArray, counts: FloatArray) -> str | None:
    if len(two_theta) != len(counts) or len(counts) < FEWEST:
        return f"too few points: {len(counts)} counts at {len(two_theta)} angles, needs {FEWEST} of each"
    for name, values in (("angles", two_theta), ("counts", counts)):
        if bad := int((~np.isfinite(values)).sum()):
            return f"not finite: {bad} of {len(values)} {name}"
    return None


def _bad_angles(two_theta: FloatArray) -> str | None:
    """Return what is wrong with the angles; they may rise or fall."""
    steps = np.diff(two_theta) * (1 if two_theta[-1] > two_theta[0] else -1)
    if steps.min() <= 0:
        place = int(np.argmax(steps <= 0))
        return (
            f"angles out of order: {int((steps <= 0).sum())} of {len(steps)} steps turn back or stand still, the first "
            f"from {two_theta[place]:g} to {two_theta[place + 1]:g} deg; needs 2 theta that rises or falls throughout"
        )
    low, high = float(two_theta.min()), float(two_theta.max())
    if low <= 0 or high >= 180:
        return f"angles from {low:g} to {high:g} deg; needs 2 theta between 0 and 180 deg"
    if high - low < SHORTEST:
        radians = "; are these radians?" if high < np.pi else ""
        return f"angles from {low:g} to {high:g} deg; needs a scan over {SHORTEST:g} deg and more{radians}"
    if np.median(steps) > COARSEST:
        return f"steps of {np.median(steps):g} deg; needs {COARSEST:g} deg or less, or reflections fall between them"
    return None


def _bad_level(counts: FloatArray) -> str | None:
    if counts.min() < 0:
        return f"negative counts: lowest {counts.min():g}; needs raw counts, from which no background was subtracted"
    if np.ptp(counts) == 0:
        return f"dead detector: {counts[0]:g} counts at every angle"
    return None


def _unit(counts: FloatArray) -> float:
    """Return the intensity that stands for one count: the variance over the mean, 1 for counts.

    The variance is that of second differences, six times the noise's where the pattern is smooth, as most of it is.
    """
    level = (counts[:-2] + counts[1:-1] + counts[2:]) / 3
    seen = level > 0
    squares = np.diff(counts, 2)[seen] ** 2 / 6
    unit = float(np.median(squares / level[seen]) / 0.4549) if seen.any() else 1.0  # median of chi squared over mean
    few = float(np.median(counts)) < FEW  # scatter of which the median says nothing
    if np.array_equal(counts, np.rint(counts)) and (few or COUNTED[0] < unit < COUNTED[1]):
        return 1.0
    return max(unit, float(counts.max()) / CLEANEST)


def _bad_detector(counts: FloatArray, scaled: FloatArray) -> str | None:
    """Return what is wrong with the detector, given intensities as written and as counts."""
    if spikes := _spikes(scaled):
        return f"spikes: {spikes} counts far above both neighbours"
    if _flat_top(counts, scaled):
        return f"saturated detector: flat top at {counts.max():g} counts"
    return None


def _spikes(counts: FloatArray) -> int:
    """Return how many points no reflection explains, since those are at least two steps wide."""
    beside = np.maximum(counts[:-2], counts[2:])
    return int((counts[1:-1] > SPIKE * beside + 10 * np.sqrt(beside + 10)).sum())


def _flat_top(counts: FloatArray, scaled: FloatArray) -> bool:
    """Return whether neighbouring points share the highest intensity, which noise makes next to impossible.

    Unless the intensities are written too coarsely for their noise, or are hardly above nothing.
    """
    written = np.diff(np.unique(counts)).min()
    noise = np.sqrt(scaled.max()) * counts.max() / scaled.max()
    top = (counts == counts.max()).astype(int)
    return bool(noise > 4 * written and np.convolve(top, np.ones(FLAT_TOP, dtype=int)).max() >= FLAT_TOP)
