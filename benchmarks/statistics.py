"""Means, medians and quartiles of what searches took and found, and their bootstrap intervals."""

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
    low, high = _quantiles(ratios, _ends(level))
    return Interval(float(np.median(above) / np.median(below)), low, high)


def median_interval(values: Sequence[float], level: float = 0.9) -> Interval:
    """Return the median of a sample, n, with its percentile bootstrap interval."""
    low, high = _quantiles(_medians(values, np.random.default_rng(0)), _ends(level))
    return Interval(_quantiles(np.asarray(values, dtype=float), [0.5])[0], low, high)


def mean_interval(values: Sequence[float], level: float = 0.9) -> Interval:
    """Return the mean of a sample, n, with its percentile bootstrap interval."""
    sample = np.asarray(values, dtype=float)
    means = sample[_resampled(len(sample))].mean(axis=1)
    return Interval(float(sample.mean()), *_quantiles(means, _ends(level)))


def paired_mean_ratio(above: Sequence[float], below: Sequence[float], level: float = 0.9) -> Interval:
    """Return the ratio of two means with its percentile bootstrap interval; pairs are resampled together.

    Args:
        above: sample of the numerator, n.
        below: sample of the denominator, n, in the same order; the ratio is infinite where its mean is zero.
    """
    drawn = _resampled(len(above))
    upper, lower = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.nan_to_num(upper[drawn].mean(axis=1) / lower[drawn].mean(axis=1), nan=1.0, posinf=np.inf)
        value = float(np.nan_to_num(upper.mean() / lower.mean(), nan=1.0, posinf=np.inf))
    return Interval(value, *_quantiles(ratios, _ends(level)))


def paired_median_ratio(above: Sequence[float], below: Sequence[float], level: float = 0.9) -> Interval:
    """Return the ratio of two medians with its percentile bootstrap interval; pairs are resampled together.

    Args:
        above: sample of the numerator, n.
        below: sample of the denominator, n, above zero, in the same order.
    """
    drawn = _resampled(len(above))
    upper, lower = np.asarray(above, dtype=float), np.asarray(below, dtype=float)
    ratios = np.median(upper[drawn], axis=1) / np.median(lower[drawn], axis=1)
    return Interval(float(np.median(upper) / np.median(lower)), *_quantiles(ratios, _ends(level)))


def _resampled(size: int) -> np.ndarray:
    """Return the places of resamples with replacement; the same for samples of the same size."""
    return np.random.default_rng(0).integers(size, size=(_RESAMPLES, size))


def _ends(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]


def _quantiles(values: np.ndarray, shares: Sequence[float]) -> list[float]:
    """Return quantiles; infinity stands for what was never reached, and between two infinities lies infinity."""
    huge = 1e300
    finite = np.quantile(np.clip(values, -huge, huge), shares)
    return [float(v) if abs(v) < huge / 100 else float(np.copysign(np.inf, v)) for v in finite]


def _medians(values: Sequence[float], generator: np.random.Generator) -> np.ndarray:
    """Return the medians of resamples with replacement."""
    sample = np.asarray(values, dtype=float)
    return np.asarray(np.median(generator.choice(sample, (_RESAMPLES, len(sample))), axis=1))
