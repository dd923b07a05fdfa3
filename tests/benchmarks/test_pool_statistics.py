"""Means, medians and paired ratios with their bootstrap intervals."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.statistics import mean_interval, median_interval, paired_mean_ratio


def test_intervals_of_means_hold_as_often_as_they_claim() -> None:
    generator = np.random.default_rng(0)
    intervals = [mean_interval(generator.standard_normal(20).tolist()) for _ in range(150)]
    assert np.mean([each.low <= 0 <= each.high for each in intervals]) == pytest.approx(0.88, abs=0.06)


def test_pairs_are_resampled_together() -> None:
    below = np.random.default_rng(0).uniform(1, 100, 10)
    ratio = paired_mean_ratio((2 * below).tolist(), below.tolist())
    assert (ratio.value, ratio.low, ratio.high) == pytest.approx((2, 2, 2))


def test_a_ratio_to_nothing_is_infinite_and_of_nothing_to_nothing_one() -> None:
    assert paired_mean_ratio([1.0, 1.0], [0.0, 0.0]).value == np.inf
    assert paired_mean_ratio([0.0, 0.0], [0.0, 0.0]).value == 1.0


def test_a_median_may_be_never() -> None:
    interval = median_interval([np.inf, np.inf, np.inf, 5.0])
    assert (interval.value, interval.high) == (np.inf, np.inf)
