import math

import numpy as np
import pytest
from scipy.stats import rankdata, spearmanr

from campaigns.values import MetricValue, TrialState
from loop.diagnostics.calibration import (
    Pair,
    calibration_summary,
    coverage,
    metric_pairs,
    rank_correlation,
    ranks,
    score_pairs,
)
from tests.trials import completed, predicted, trial


def pairs_of(deviations: list[float], sd: float = 3.0, noise: float = 4.0) -> list[Pair]:
    """Return pairs that deviate by so many standard deviations of prediction and measurement together."""
    together = math.hypot(sd, noise)
    return [
        Pair(completed(i, 100.0), MetricValue(float(i), sd, "V"), MetricValue(i + d * together, noise, "V"))
        for i, d in enumerate(deviations)
    ]


def test_coverage_counts_the_measurements_inside_the_central_interval() -> None:
    pairs = pairs_of([0.0, 0.6, -0.7, 1.2, -1.3, 1.9, -2.0, 3.0])  # edges at 0.674, 1.282 and 1.960
    shares = [coverage(pairs, level) for level in (0.5, 0.8, 0.95)]
    assert [found.value for found in shares if found] == [2 / 8, 4 / 8, 6 / 8]


@pytest.mark.slow
def test_perfect_predictions_are_covered_as_often_as_promised() -> None:
    pairs = pairs_of(list(np.random.default_rng(0).normal(size=4000)))
    for level in (0.5, 0.8, 0.95):
        found = coverage(pairs, level)
        assert found is not None
        assert abs(found.value - level) < 3 * found.se


def test_nothing_is_claimed_of_too_few_pairs() -> None:
    assert coverage([], 0.5) is None
    assert rank_correlation([]) is None
    assert rank_correlation(pairs_of([0.0, 1.0, 2.0])) is None
    assert "too few to rank" in calibration_summary(pairs_of([0.0]))


def test_constant_predictions_have_no_rank_correlation() -> None:
    same = [Pair(p.trial, MetricValue(1.0, 1.0, "V"), p.measured) for p in pairs_of([0.0] * 9)]
    assert rank_correlation(same) is None


def test_rank_correlation_agrees_with_scipy() -> None:
    pairs = pairs_of(list(np.random.default_rng(1).normal(size=15)))
    found = rank_correlation(pairs)
    expected = spearmanr([p.predicted.value for p in pairs], [p.measured.value for p in pairs]).statistic
    assert found is not None
    assert found.value == pytest.approx(expected)
    assert 0 < found.se < 1


def test_trials_with_a_prediction_are_compared_in_what_could_be_measured() -> None:
    known = completed(0, 100.0, proposal=predicted(90.0, 5.0))
    partly = trial(1, TrialState.QUARANTINED, metrics=known.metrics, proposal=known.proposal)
    nothing = trial(3, TrialState.QUARANTINED, proposal=known.proposal)
    trials = [known, partly, completed(2, 80.0), nothing]
    assert [p.trial.number for p in metric_pairs(trials, "capacity")] == [0, 1]
    assert [p.trial.number for p in score_pairs(trials)] == [0]
    assert metric_pairs([known], "mean_voltage") == []


def test_an_exact_prediction_deviates_by_nothing_or_by_all() -> None:
    exact = MetricValue(1.0, 0.0, "V")
    assert Pair(completed(0, 1.0), exact, exact).deviation == 0.0
    assert Pair(completed(0, 1.0), exact, MetricValue(2.0, 0.0, "V")).deviation == math.inf


def test_ranks_are_those_of_scipy() -> None:
    values = np.random.default_rng(0).integers(0, 8, 30)
    assert np.array_equal(ranks(values), rankdata(values))
