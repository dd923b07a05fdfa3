"""Medians, quartiles and bootstrap intervals of how many trials a search took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_RESAMPLES = 10_000


@dataclass(frozen=True, slots=True)
class Quartiles:
    """The lower quartile, the median and the upper quartile of a sample."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with the ends of its confidence interval."""

    value: float
    low: float
    high: float


def quartiles(values: Sequence[float]) -> Quartiles:
    """Return the quartiles of a sample, n, by linear interpolation (Hyndman & Fan 1996, Am. Stat. 50, 361, type 7)."""
    lower, median, upper = _quantiles(np.asarray(values, dtype=float), [0.25, 0.5, 0.75])
    return Quartiles(lower, median, upper)


def median_ratio(above: Sequence[float], below: Sequence[float], level: float = 0.9) -> Interval:
    """Return the ratio of two medians with its percentile bootstrap interval (Efron 1979, Ann. Stat. 7, 1).

    Args:
        above: sample of the numerator, n.
        below: sample of the denominator, m, above zero; resampled independently.
        level: confidence level.
    """
    generator = np.random.default_rng(0)  # the same table for the same runs
    ratios = _medians(above, generator) / _medians(below, generator)
    low, high = _quantiles(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(np.median(above) / np.median(below)), low, high)


def _quantiles(values: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Return quantiles; infinity stands for what was never reached, and between two infinities lies infinity."""
    huge = 1e300
    finite = np.quantile(np.clip(values, -huge, huge), shares)
    return [float(v) if abs(v) < huge / 100 else float(np.copysign(np.inf, v)) for v in finite]


def _medians(values: Sequence[float], generator: np.random.Generator) -> np.ndarray:
    """Return the medians of resamples with replacement."""
    sample = np.asarray(values, dtype=float)
    return np.asarray(np.median(generator.choice(sample, (_RESAMPLES, len(sample))), axis=1))
