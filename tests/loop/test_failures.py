"""Failures teach: regions where trials fail are left, and a single failure costs no region."""

from collections.abc import Mapping

import pytest

from campaigns.values import Scalar, TrialState
from loop.failures import failures
from loop.planner import Planner
from loop.records import StepRecord, best
from surrogates.posterior.encoder import Encoder
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
    lab.run(36)
    return lab


def test_the_corner_is_left_and_the_optimum_beside_it_is_found(lab: Lab) -> None:
    failed = [cracked(t.candidate.parameters) for t in lab.trials]
    assert sum(failed[-12:]) <= 1
    found = best(lab.trials)
    assert found is not None
    assert (found.score or 0.0) > 9.9


def test_a_proposal_says_how_likely_it_is_to_succeed(lab: Lab) -> None:
    success = lab.trials[-1].proposal.success
    assert success is not None
    assert 0.5 < success < 1.0


def test_what_failed_is_recalled(lab: Lab) -> None:
    again = Planner(lab.campaign, Encoder(lab.campaign.space))
    again.recall(lab.trials)
    number, candidate, proposal = again.suggest()
    assert number == 36
    assert (candidate, proposal.success) == (lambda known: (known[1], known[2].success))(lab.planner.suggest())


def test_where_the_best_lies_in_the_failing_corner_only_its_edge_is_still_tried() -> None:
    lab = Lab(campaign(2), lambda p, _: "oven: the sample cracked" if cracked(p) else slope(p))
    lab.run(36)
    inside = [all(float(x) > 0.85 for x in t.candidate.parameters.values()) for t in lab.trials]
    assert sum(inside[-12:]) == 0
    assert (best(lab.trials).score or 0.0) > 19  # type: ignore[union-attr]


def test_a_power_cut_at_the_optimum_does_not_hide_it() -> None:
    cuts = {9, 12}
    lab = Lab(campaign(2), lambda p, number: "oven: no power" if number in cuts else hill(p))
    lab.run(26)
    assert (best(lab.trials).score or 0.0) > 9.9  # type: ignore[union-attr]


def test_only_failed_trials_are_evidence_and_time_limits_count_less() -> None:
    def step(seconds: float) -> tuple[StepRecord, ...]:
        return (trials.attempt(0, "make", "furnace_1", state=TrialState.FAILED, started=0.0, ended=seconds),)

    states = (TrialState.QUARANTINED, TrialState.UNCERTAIN, TrialState.RUNNING)
    others = [trials.completed(0, 100.0), *(trials.trial(i + 1, state) for i, state in enumerate(states))]
    late = trials.trial(4, TrialState.FAILED, steps=step(36_000.0))
    broken = trials.trial(5, TrialState.FAILED, steps=step(600.0))
    found = failures(trials.campaign(), [broken, late, *others])
    assert [f.candidate for f in found] == [late.candidate, broken.candidate]
    assert found[0].blame < found[1].blame == 1.0
