"""How a trial ends, by its score or by what speaks against one of its steps."""

from __future__ import annotations

import pytest

from campaigns.values import Cause, MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import Analysed
from loop.core.trial_scoring import ending_of_step, ending_of_trial, score_trial
from tests.trials import attempt, campaign, completed, trial

OBJECTIVE = campaign().build_objective()


def test_flagged_data_put_a_trial_into_quarantine_with_what_speaks_against_them() -> None:
    spike = Analysed(flags=("a spike", "a gap"), cause=Cause.DATA, fault="cycle: KeyError")
    ending = ending_of_step(campaign(), completed(0, 100.0), "cycle", spike)
    assert ending is not None
    assert (ending.state, ending.reason, ending.cause) == (TrialState.QUARANTINED, "cycle: a spike; a gap", Cause.DATA)
    assert (ending.flags, ending.fault) == (("a spike", "a gap"), "cycle: KeyError")


def test_a_sample_without_a_metric_that_its_score_needs_has_failed() -> None:
    ending = ending_of_step(campaign(), completed(0, 100.0), "cycle", Analysed(missing={"capacity": "nan"}))
    assert ending is not None
    assert (ending.state, ending.cause, ending.missing) == (TrialState.FAILED, Cause.SAMPLE, ("capacity",))
    assert ending.reason == "cycle: capacity has no value for this sample: the analysis gave nan"


def test_a_metric_that_nothing_asks_for_may_be_missing() -> None:
    assert ending_of_step(campaign(), completed(0, 100.0), "cycle", Analysed(missing={"colour": "nan"})) is None
    assert ending_of_step(campaign(), completed(0, 100.0), "cycle", Analysed()) is None


def test_a_trial_is_completed_after_its_last_step_and_no_sooner() -> None:
    whole = completed(0, 100.0, score=None)
    assert ending_of_trial(campaign(), completed(0, 100.0, steps=(attempt(0, "make", "furnace_1"),)), {}) is None
    ending = ending_of_trial(campaign(), whole, {})
    assert ending is not None
    assert (ending.state, ending.score, ending.feasible) == (TrialState.COMPLETED, pytest.approx(7.5), True)


def test_the_constraint_decides_whether_a_trial_is_feasible() -> None:
    assert score_trial(OBJECTIVE, completed(0, 50.0), {}).feasible is True
    assert score_trial(OBJECTIVE, completed(0, 49.9), {}).feasible is False


def test_the_uncertainty_of_a_score_comes_from_those_of_its_metrics() -> None:
    vague = {"capacity": MetricValue(100.0, 20.0, "mAh/g"), "mean_voltage": MetricValue(3.5, 0.0, "V")}
    assert score_trial(OBJECTIVE, completed(0, 100.0, metrics=vague), {}).score_sd == pytest.approx(0.75 * 2.0)


def test_a_score_that_is_no_number_puts_a_trial_into_quarantine() -> None:
    ending = ending_of_trial(campaign(), completed(0, 1e300), {})
    assert ending is not None
    assert (ending.state, ending.cause, ending.score) == (TrialState.QUARANTINED, Cause.DATA, None)
    assert "is no number" in ending.reason


def test_what_was_measured_in_part_keeps_its_metrics_and_has_no_score() -> None:
    part = trial(0, TrialState.COMPLETED, metrics={"capacity": MetricValue(100.0, 2.0, "mAh/g")})
    found = score_trial(OBJECTIVE, part, {})
    assert (found.score, found.feasible) == (None, None)
    assert found.metrics == {"capacity": MetricValue(100.0, 2.0, "mAh/g")}


def test_a_lower_fidelity_has_no_score() -> None:
    cheap = completed(0, 100.0, proposal=Proposal("model", fidelity="quick"))
    assert score_trial(OBJECTIVE, cheap, {}).score is None
