"""By which node the next candidate comes, and what it is chosen in view of."""

from collections.abc import Mapping
from typing import Any

import pytest

from campaigns.amendments import SetBounds, amended, enclosing_space
from campaigns.campaign import Campaign
from campaigns.values import Candidate, Cause, MetricValue, Scalar, TrialState
from loop.core.campaign_version import CampaignVersion
from loop.core.proposals import IMPORTED, MODEL, SPACE_FILLING, Proposal
from loop.planning.planner import Planner
from loop.planning.shortlist import SpaceExhaustedError
from surrogates.models.encoder import Encoder
from tests.planned import Lab, campaign, hill
from tests.trials import trial

ONE_GAS = {"x0": {"kind": "ordinal", "unit": "1", "levels": [0.0, 1.0]}}


def planner_of(plan: Campaign) -> Planner:
    return Planner(plan, Encoder(plan.space))


def valley(parameters: Mapping[str, Scalar], _number: int) -> float:
    return -((float(parameters["x0"]) - 0.3) ** 2)


def narrowed(plan: Campaign, first: int) -> CampaignVersion:
    changes = [SetBounds(parameter="x0", low=0.2, high=0.9)]
    return CampaignVersion(amended(plan, changes), enclosing_space(plan, changes), 1, first)


def proposed(planner: Planner, count: int) -> list[Candidate]:
    return [planner.suggest()[1] for _ in range(count)]


@pytest.mark.slow
def test_the_start_fills_the_space_and_then_a_model_chooses() -> None:
    lab = Lab(campaign(1, planner={"initial": 4}), valley, sd=0.01)
    assert [t.proposal.generator for t in lab.run(6)] == [SPACE_FILLING] * 4 + [MODEL] * 2


def test_the_start_goes_on_while_there_are_too_few_scores_for_a_model() -> None:
    lab = Lab(campaign(1, planner={"initial": 2}), lambda p, n: "it melts" if n < 3 else valley(p, n), sd=0.01)
    assert [t.proposal.generator for t in lab.run(7)] == [SPACE_FILLING] * 6 + [MODEL]


def test_a_space_without_candidates_left_is_exhausted() -> None:
    planner = planner_of(campaign(1, space={"parameters": ONE_GAS}))
    assert {candidate.parameters["x0"] for candidate in proposed(planner, 2)} == {0.0, 1.0}
    with pytest.raises(SpaceExhaustedError):
        planner.suggest()


@pytest.mark.slow
def test_a_model_does_not_choose_beside_what_is_under_way() -> None:
    lab = Lab(campaign(1, planner={"initial": 5}), valley, sd=0.001)
    lab.run(7)
    under_way, beside = proposed(lab.planner, 2)
    assert abs(float(under_way.parameters["x0"]) - float(beside.parameters["x0"])) > 0.01


def test_after_an_amendment_the_start_goes_on_where_it_stood() -> None:
    plan = campaign(2)
    whole = proposed(planner_of(amended(plan, [SetBounds(parameter="x0", low=0.2, high=0.9)])), 6)
    planner = planner_of(plan)
    proposed(planner, 3)
    planner.amend(narrowed(plan, 3))
    assert proposed(planner, 3) == whole[3:]


def test_after_an_amendment_a_candidate_of_the_start_that_was_lost_to_the_lab_is_proposed_again() -> None:
    plan = campaign(2)
    planner = planner_of(plan)
    proposed(planner, 3)
    planner.amend(narrowed(plan, 3))
    number, candidate, proposal = planner.suggest()
    following = planner.suggest()[1]
    planner.ingest(trial(number, TrialState.FAILED, candidate=candidate, proposal=proposal, cause=Cause.LAB))
    assert planner.suggest()[1] == candidate != following


def test_what_was_imported_before_an_amendment_is_no_part_of_the_start() -> None:
    plan = campaign(2)
    whole = proposed(planner_of(amended(plan, [SetBounds(parameter="x0", low=0.2, high=0.9)])), 4)
    planner = planner_of(plan)
    elsewhere: dict[str, Any] = {"proposal": Proposal(IMPORTED), "metrics": {"merit": MetricValue(0.1, 0.1, "1")}}
    done = [
        trial(i, TrialState.COMPLETED, candidate=Candidate({"x0": 0.5, "x1": i / 9}), completed_order=i, **elsewhere)
        for i in range(2)
    ]
    planner.recall(done)
    proposed(planner, 1)
    planner.amend(narrowed(plan, 3))
    assert proposed(planner, 2) == whole[1:3]


@pytest.mark.slow
def test_the_same_store_gives_the_same_proposal_whatever_was_asked_before() -> None:
    lab = Lab(campaign(2, planner={"initial": 3}), hill)
    lab.run(5)
    again = planner_of(lab.campaign)
    again.recall(lab.trials)
    assert again.suggest() == lab.planner.suggest()
