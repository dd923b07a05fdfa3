"""What the planner makes of a campaign that is amended under its hands."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from campaigns.amendments import (
    AddLevel,
    CampaignChange,
    FixParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
    amended,
    enclosing_space,
)
from campaigns.campaign import Campaign
from campaigns.values import Candidate, Scalar
from loop.core.campaign_version import CampaignVersion
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder
from tests.planned import Lab, campaign

GASES = {"kind": "categorical", "levels": ["air", "argon"], "descriptors": {"share": [0.2, 0.0]}}


def mixed(**changes: Any) -> Campaign:
    """Return a campaign over two numbers, a gas and a whole number."""
    numbers = {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in ("x0", "x1")}
    parameters = {**numbers, "gas": GASES, "count": {"kind": "integer", "low": 1, "high": 4}}
    step = campaign(2).model_dump(exclude_none=True)["workflow"][0]
    workflow = [{**step, "recipe": {name: f"${name}" for name in parameters}}]
    return campaign(2, space={"parameters": parameters}, workflow=workflow, **changes)


def merit(parameters: Mapping[str, Scalar], _number: int) -> float:
    gas = {"air": 0.0, "argon": 0.3, "oxygen": 0.6}[str(parameters["gas"])]
    return gas - (float(parameters["x0"]) - 0.9) ** 2 - 0.1 * (float(parameters["x1"]) - 0.4) ** 2


def lab(found: Campaign, count: int = 12) -> Lab:
    made = Lab(found, merit)
    made.run(count)
    return made


def amend(made: Lab, *changes: CampaignChange) -> None:
    made.planner.amend(in_force(made.campaign, changes, len(made.trials)))


def in_force(found: Campaign, changes: Sequence[CampaignChange], first: int) -> CampaignVersion:
    return CampaignVersion(amended(found, changes), enclosing_space(found, changes), 1, first)


def fresh(found: Campaign, trials: Sequence[TrialRecord], *changes: CampaignChange) -> Planner:
    """Return the planner of a session that begins after the changes."""
    planner = Planner(found, Encoder(found.space))
    planner.amend(in_force(found, changes, len(trials)))
    planner.recall(trials)
    return planner


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        [SetBounds(parameter="x0", low=0.0, high=0.5)],
        [SetBounds(parameter="x0", low=-1.0, high=2.0), FixParameter(parameter="count", value=2)],
        [FixParameter(parameter="gas", value="argon"), FixParameter(parameter="x1", value=0.25)],
        [AddLevel(parameter="gas", level="oxygen", descriptors={"share": 1.0})],
        [
            AddLevel(parameter="gas", level="oxygen", descriptors={"share": 1.0}),
            RemoveLevel(parameter="gas", level="air"),
        ],
    ],
    ids=["narrower", "wider", "fixed", "level", "another level"],
)
def test_what_is_proposed_lies_in_the_space_in_force_and_is_the_same_after_a_restart(
    changes: list[CampaignChange],
) -> None:
    made = lab(mixed())
    amend(made, *changes)
    expected = fresh(made.campaign, made.trials, *changes).suggest()
    number, candidate, proposal = made.planner.suggest()
    assert amended(made.campaign, changes).space.contains(candidate)
    assert (number, candidate) == expected[:2]
    assert proposal == expected[2]
    assert proposal.generator == "model"
    assert set(proposal.learnt_from) == set(range(12))


def test_the_start_goes_on_in_other_bounds_rather_than_come_again() -> None:
    made = lab(mixed(), 3)
    amend(made, SetBounds(parameter="x0", low=0.2, high=0.9))
    after = made.run(5)[3:]
    assert all(t.proposal.generator == "space-filling" for t in after)
    others = [(t.candidate.parameters["x1"], t.candidate.parameters["gas"]) for t in made.trials]
    assert len(set(others)) == len(others)
    assert fresh(made.campaign, made.trials[:3], SetBounds(parameter="x0", low=0.2, high=0.9)).suggest()[1] == (
        after[0].candidate
    )


@pytest.mark.slow
def test_a_new_level_that_is_better_is_found() -> None:
    made = lab(mixed())
    amend(made, AddLevel(parameter="gas", level="oxygen", descriptors={"share": 1.0}))
    after = made.run(6)[12:]
    assert sum(t.candidate.parameters["gas"] == "oxygen" for t in after) >= 3


@pytest.mark.slow
def test_other_weights_steer_without_a_model_being_fitted_again() -> None:
    terms = [
        {"goal": "maximise", "metric": "merit", "scale": 1.0},
        {"goal": "minimise", "metric": "merit", "scale": 1.0, "weight": 0.001},
    ]
    made = lab(mixed(objective={"terms": terms, "find": {"kind": "best"}}))
    made.planner.suggest()
    before = dict(made.planner.models.posterior().models)
    high = float(made.planner.models.posterior().outcomes[0].argmax())
    amend(made, SetWeights(weights={1: 1000.0}))
    assert all(model is before[name] for name, model in made.planner.models.posterior().models.items())
    assert float(made.planner.models.posterior().outcomes[0].argmin()) == high
    _, candidate, _ = made.planner.suggest()
    assert merit(candidate.parameters, 0) < 0.0


def test_what_was_asked_for_has_the_next_number_and_is_not_proposed_again() -> None:
    made = lab(mixed(), 4)
    asked = Candidate({"x0": 0.5, "x1": 0.5, "gas": "air", "count": 2})
    number, candidate, proposal = made.planner.take(asked, "ada: why not")
    assert (number, candidate) == (4, asked)
    assert proposal.origin == "operator"
    number, candidate, _ = made.planner.suggest()
    assert (number, candidate == asked) == (5, False)
