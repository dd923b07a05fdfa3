"""What a planner proposes, asked as a run asks it."""

from __future__ import annotations

import math

import pytest

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.proposals import MODEL, OPERATOR, Proposal
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder
from tests.planned import Lab, campaign
from tests.trials import trial


def planner_of(plan: Campaign) -> Planner:
    return Planner(plan, Encoder(plan.space))


def measured(number: int, predicted_sd: float) -> TrialRecord:
    """Return a trial on a smooth hill of which a model has predicted half as much again, with some confidence."""
    x = (number * 0.382) % 1.0
    merit = math.exp(-4.0 * (x - 0.6) ** 2)
    proposal = Proposal(
        MODEL,
        predictions={"merit": MetricValue(1.5 * merit, predicted_sd, "1")},
        learnt_from=tuple(range(number)),
        models={"merit": {"health": {"sd_factor": 1.0}}},
    )
    return trial(
        number,
        TrialState.COMPLETED,
        candidate=Candidate({"x0": x}),
        proposal=proposal,
        metrics={"merit": MetricValue(merit, 0.001, "1")},
        score=merit,
        score_sd=0.001,
        feasible=True,
        completed_order=number,
    )


@pytest.mark.parametrize("ended", [TrialState.WITHDRAWN, TrialState.FAILED, TrialState.QUARANTINED])
def test_a_trial_that_ended_without_a_measurement_is_pending_no_more(ended: TrialState) -> None:
    planner = planner_of(campaign(1))
    first, candidate, proposal = planner.suggest()
    second, _, beside = planner.suggest()
    assert beside.pending == (first,)
    planner.ingest(trial(first, ended, candidate=candidate, proposal=proposal))
    assert planner.suggest()[2].pending == (second,)


def test_a_queued_trial_that_was_withdrawn_is_not_pending_after_a_restart_either() -> None:
    plan = campaign(1)
    planner, trials = planner_of(plan), list[TrialRecord]()
    for state in (TrialState.WITHDRAWN, TrialState.QUEUED):
        number, candidate, proposal = planner.suggest()
        trials.append(trial(number, state, candidate=candidate, proposal=proposal))
    again = planner_of(plan)
    again.recall(trials)
    assert again.suggest()[2].pending == (1,)


@pytest.mark.slow
def test_a_model_that_was_found_overconfident_is_inflated_three_times_and_no_more() -> None:
    doubts, factors = [], []
    for predicted_sd in (0.06, 0.002):
        planner = planner_of(campaign(1))
        planner.recall([measured(number, predicted_sd) for number in range(20)])
        _, _, proposal = planner.suggest()
        factors.append(proposal.models["merit"]["health"]["sd_factor"])
        doubts.append(proposal.predictions["merit"].sd)
    assert 3.0 < factors[0] < factors[1]
    assert doubts[0] == doubts[1], "beyond, it would choose by its ignorance alone"


def test_what_somebody_asked_for_is_the_next_trial_with_the_reason() -> None:
    planner = planner_of(campaign(1))
    planner.suggest()
    number, candidate, proposal = planner.take(Candidate({"x0": 0.25}), "as in the paper")
    assert (number, candidate.parameters) == (1, {"x0": 0.25})
    assert (proposal.generator, proposal.reason) == (OPERATOR, "as in the paper")


@pytest.mark.slow
def test_a_planner_that_learns_anew_proposes_what_it_would_have_proposed() -> None:
    lab = Lab(campaign(1, planner={"initial": 4}), lambda p, _: -((float(p["x0"]) - 0.3) ** 2), sd=0.01)
    lab.run(6)
    again = planner_of(lab.campaign)
    again.recall(lab.trials)
    again.relearn(lab.trials)
    assert again.suggest() == lab.planner.suggest()
