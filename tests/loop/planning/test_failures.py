"""Failures teach: regions where trials fail are left, and a single failure costs no region."""

from collections.abc import Mapping
from typing import Any

import pytest

from campaigns.values import Cause, Scalar, TrialState
from loop.core.candidate_results import best, results
from loop.core.proposals import IMPORTED, Proposal
from loop.core.records import TrialRecord
from loop.planning.failures import failures, in_a_row, lost, never_had
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder
from tests import trials
from tests.planned import Lab, campaign


def cracked(parameters: Mapping[str, Scalar]) -> bool:
    """Say whether a sample of the upper right corner breaks, beside which the optimum lies."""
    return all(float(x) > 0.7 for x in parameters.values())


def hill(parameters: Mapping[str, Scalar]) -> float:
    return 10.0 - 20.0 * sum((float(x) - 0.6) ** 2 for x in parameters.values())


def slope(parameters: Mapping[str, Scalar]) -> float:
    """Best in the very corner where all fails."""
    return 12.0 * sum(float(x) for x in parameters.values())


@pytest.fixture(scope="module")
def lab() -> Lab:
    lab = Lab(campaign(2), lambda p, _: "oven: the sample cracked" if cracked(p) else hill(p))
    lab.run(28)
    return lab


@pytest.mark.slow
def test_the_corner_is_left_and_the_optimum_beside_it_is_found(lab: Lab) -> None:
    failed = [cracked(t.candidate.parameters) for t in lab.trials]
    assert sum(failed[-12:]) <= 1
    found = best(results(lab.campaign.build_objective(), lab.trials))
    assert found is not None
    assert (found.score or 0.0) > 9.9


@pytest.mark.slow
def test_a_proposal_says_how_likely_it_is_to_succeed(lab: Lab) -> None:
    success = lab.trials[-1].proposal.success
    assert success is not None
    assert 0.5 < success < 1.0


@pytest.mark.slow
def test_what_failed_is_recalled(lab: Lab) -> None:
    again = Planner(lab.campaign, Encoder(lab.campaign.space))
    again.recall(lab.trials)
    number, candidate, proposal = again.suggest()
    assert number == 28
    assert (candidate, proposal.success) == (lambda known: (known[1], known[2].success))(lab.planner.suggest())


@pytest.mark.slow
def test_where_the_best_lies_in_the_failing_corner_only_its_edge_is_still_tried() -> None:
    lab = Lab(campaign(2), lambda p, _: "oven: the sample cracked" if cracked(p) else slope(p))
    lab.run(28)
    inside = [all(float(x) > 0.85 for x in t.candidate.parameters.values()) for t in lab.trials]
    assert sum(inside[-12:]) == 0
    assert (best(results(lab.campaign.build_objective(), lab.trials)).score or 0.0) > 19


@pytest.mark.slow
def test_a_power_cut_at_the_optimum_does_not_hide_it() -> None:
    cuts = {9, 12}
    lab = Lab(campaign(2), lambda p, number: "oven: no power" if number in cuts else hill(p), cause=Cause.LAB)
    lab.run(26)
    assert (best(results(lab.campaign.build_objective(), lab.trials)).score or 0.0) > 9.9
    assert {t.proposal.success for t in lab.trials if t.proposal.modelled} == {1.0}


def test_a_candidate_that_failed_for_a_fault_of_the_lab_is_tried_again_once_and_the_proposal_says_why() -> None:
    few = campaign(1)
    levels = {"kind": "ordinal", "unit": "1", "levels": [0.0, 0.25, 0.5, 0.75, 1.0]}
    few = few.model_copy(update={"space": type(few.space).model_validate({"parameters": {"x0": levels}})})
    lab = Lab(few, lambda p, _: "oven: no power" if p["x0"] == 0.5 else 1.0, cause=Cause.LAB)
    lab.run(6)
    tried = [t for t in lab.trials if t.candidate.parameters["x0"] == 0.5]
    assert len(tried) == 2
    assert tried[1].proposal.reason.startswith(f"its trial {tried[0].number} failed for a fault of the lab")
    again = Planner(lab.campaign, Encoder(lab.campaign.space))
    again.recall(lab.trials)
    assert again.suggest()[1].parameters["x0"] == lab.planner.suggest()[1].parameters["x0"] != 0.5


def test_only_failures_of_the_sample_are_evidence() -> None:
    states = (TrialState.QUARANTINED, TrialState.UNCERTAIN, TrialState.RUNNING)
    others = [trials.completed(0, 100.0), *(trials.trial(i + 1, state) for i, state in enumerate(states))]
    busy = trials.trial(4, TrialState.FAILED, cause=Cause.LAB)
    buggy = trials.trial(5, TrialState.FAILED, cause=Cause.ANALYSIS)
    cracked, torn = (trials.trial(number, TrialState.FAILED, cause=Cause.SAMPLE) for number in (6, 7))
    assert failures([torn, cracked, busy, buggy, *others]) == (cracked.candidate, torn.candidate)
    assert [t.number for t in [torn, cracked, busy, buggy, *others] if lost(t)] == [4, 5]


def faulty(number: int, fault: str = "make: ValueError at line 3", **changes: Any) -> TrialRecord:
    return trials.trial(number, TrialState.QUARANTINED, fault=fault, ended=10.0 - number, **changes)


def test_faults_are_in_a_row_in_the_order_in_which_the_trials_ended_and_imports_interrupt_nothing() -> None:
    imported = trials.completed(9, 1.0, proposal=Proposal(IMPORTED), ended=20.0)
    assert [t.number for t in in_a_row([*map(faulty, range(3)), imported])] == [2, 1, 0]
    assert in_a_row([faulty(0, "another"), *map(faulty, range(1, 4))]) == []


def test_a_metric_that_no_trial_has_had_is_told_of_once() -> None:
    without = [trials.trial(n, TrialState.FAILED, missing=("capacity",)) for n in range(4)]
    told = [never_had(without[:count], ["capacity"]) for count in range(5)]
    assert told == [[], [], [], ["capacity"], []]
    assert never_had([*without[:3], trials.completed(5, 1.0)], ["capacity"]) == []
