"""Scores agree with their definitions, and intervals hold what they promise."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr

from surrogates.training.scores import LEVELS, calibrate, coverage, normal_widths, score

NUMBERS = st.lists(st.floats(-100, 100), min_size=3, max_size=30)


def test_scores_of_a_small_example() -> None:
    found = score(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]), training_mean=1.0)
    assert (found.rows, found.mae, found.spearman) == (3, 1.0, 0.5)
    assert found.rmse == pytest.approx((5 / 3) ** 0.5)
    assert found.r2 == pytest.approx(1 - 5 / 2)
    assert found.mean_mae == pytest.approx(1.0)
    assert found.mean_rmse == pytest.approx((5 / 3) ** 0.5)


def test_what_has_no_meaning_is_none() -> None:
    assert score(np.array([1.0, 2.0]), np.array([3.0, 3.0]), 0.0).r2 is None
    assert score(np.array([2.0, 2.0]), np.array([3.0, 4.0]), 0.0).spearman is None


@given(NUMBERS)
def test_saying_the_mean_is_never_called_useful(values: list[float]) -> None:
    numbers = np.array(values)
    assert not score(np.full(len(numbers), numbers.mean()), numbers, float(numbers.mean())).useful


def test_the_rank_correlation_is_the_correlation_of_ranks() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50))
    ranks = [np.argsort(np.argsort(each)) for each in (x, y)]
    assert score(x, y, 0.0).spearman == pytest.approx(pearsonr(*ranks).statistic)


def test_intervals_hold_their_share_of_errors_like_those_they_were_made_from() -> None:
    rng = np.random.default_rng(0)
    normal, heavy = rng.normal(size=(2, 4000)), rng.standard_t(2, size=(2, 4000))
    assert calibrate(*normal).normal == pytest.approx(LEVELS, abs=0.03)
    assert calibrate(*normal).quantile == pytest.approx(LEVELS, abs=0.03)
    assert calibrate(*heavy).quantile == pytest.approx(LEVELS, abs=0.03), "quantiles need no normal distribution"


def test_few_residuals_give_their_largest_as_the_widest_interval() -> None:
    assert calibrate(np.array([0.1, -0.4, 0.2]), np.zeros(2)).widths[-1] == 0.4


def test_normal_intervals_are_those_of_the_tables() -> None:
    assert normal_widths(2.0)[LEVELS.index(0.95)] == pytest.approx(2 * 1.959964, abs=1e-5)
    assert coverage(np.array([-1.0, 0.5, 3.0]), [1.0, 4.0]) == pytest.approx((2 / 3, 1.0))
