"""Where is looked in spaces of many dimensions."""

from typing import Any

import pytest
import torch

from campaigns.campaign import Campaign
from campaigns.space import SpaceConfig
from campaigns.values import Candidate
from loop.core.records import Proposal, TrialRecord
from loop.planning.mc_objective import ObjectiveOnSamples
from loop.planning.trust_region import TrustRegion, trust_region
from surrogates.models.encoder import Encoder
from tests.loop.core.test_stopping import trial
from tests.planned import Lab, campaign

DIMENSIONS = 20


def scorer(plan: Campaign) -> ObjectiveOnSamples:
    return ObjectiveOnSamples(plan, Encoder(plan.space))


def after(scores: list[float], started: int = 1, dimensions: int = DIMENSIONS, **changes: Any) -> TrustRegion | None:
    """The region after trials with these scores, of which the first were the start."""
    plan = campaign(dimensions, **changes)
    at = Candidate({f"x{i}": 0.5 for i in range(dimensions)})
    trials: list[TrialRecord] = [trial(i, score, candidate=at) for i, score in enumerate(scores)]
    trials[:started] = [trial(i, scores[i], candidate=at, proposal=Proposal("space-filling")) for i in range(started)]
    outcomes = torch.tensor(scores).double(), torch.ones(len(scores), dtype=torch.bool)
    return trust_region(scorer(plan), outcomes, trials)


def length(scores: list[float], started: int = 1) -> float:
    found = after(scores, started)
    assert found is not None
    return found.length


def test_it_grows_by_successes_and_shrinks_by_failures() -> None:
    assert length([1.0]) == 0.8
    assert length([1.0, 2.0, 3.0]) == 0.8
    assert length([1.0, 2.0, 3.0, 4.0]) == 1.6
    assert length([1.0, *[0.0] * 4]) == 0.8
    assert length([1.0, *[0.0] * 5]) == 0.4  # a quarter of the parameters
    assert length([1.0, *[0.0] * 4, 2.0, 0.0]) == 0.8  # not in succession


def test_the_start_is_neither_luck_nor_lack_of_it() -> None:
    assert length([1.0, *[0.0] * 25], started=26) == 0.8


def test_a_region_that_has_shrunk_to_nothing_begins_anew() -> None:
    lengths = [length([1.0, *[0.0] * (5 * times)]) for times in range(9)]
    assert lengths[6:] == [pytest.approx(0.8 / 64), 0.8, 0.4]


def test_it_lies_around_the_best_that_keeps_the_constraints() -> None:
    plan = scorer(campaign(DIMENSIONS))
    trials = [trial(i, float(i)) for i in range(3)]
    outcomes = torch.tensor([0.0, 1.0, 2.0]).double(), torch.tensor([True, True, False])
    found = trust_region(plan, outcomes, trials)
    assert found is not None
    assert found.trial == 1
    assert trust_region(plan, (outcomes[0], torch.zeros(3, dtype=torch.bool)), trials) is None


def test_in_few_dimensions_or_where_many_are_wanted_there_is_none() -> None:
    assert after([1.0, 2.0], dimensions=15) is None
    assert after([1.0, 2.0], dimensions=16) is not None
    many = campaign(16).objective.model_dump() | {"find": {"kind": "many"}}
    assert after([1.0, 2.0], dimensions=16, objective=many) is None


def test_its_settings_lie_in_it_and_in_the_space() -> None:
    parameters = {
        **campaign(15).space.model_dump()["parameters"],
        "steps": {"kind": "integer", "low": 0, "high": 4},
        "hour": {"kind": "ordinal", "unit": "h", "levels": [1, 2, 10]},
        "gas": {"kind": "categorical", "levels": ["air", "argon", "oxygen"]},
        "pressure": {"kind": "float", "unit": "bar", "low": 0.01, "high": 100, "scale": "log"},
    }
    space = SpaceConfig.model_validate({"parameters": parameters, "constraints": ["x0 + x1 <= 1.05"]})
    centre = {f"x{i}": 0.5 for i in range(15)} | {"steps": 2, "hour": 10, "gas": "argon", "pressure": 1.0}
    box = TrustRegion(Candidate(centre), 3, 0.1, 0)
    found = [Candidate(setting) for setting in box.settings(space, 256, seed=1)]
    assert len(found) > 100
    assert all(space.allows(dict(c.parameters)) and box.holds(space, c) for c in found)
    values = {name: {c.parameters[name] for c in found} for name in centre}
    assert values["steps"] == {1, 2, 3}  # the next value at least
    assert {10, 2} <= values["hour"]
    assert values["gas"] == {"air", "argon", "oxygen"}
    assert 0.6 < min(values["pressure"]) < 0.7  # type: ignore[operator, type-var]
    assert not box.holds(space, Candidate(centre | {"x3": 0.6}))


def test_a_planner_looks_there_says_so_and_does_it_again() -> None:
    def bowl(parameters: Any, number: int) -> float:
        return -sum((float(x) - 0.4) ** 2 for x in parameters.values())

    lab, other = (Lab(campaign(16), bowl) for _ in range(2))
    lab.run(11)
    last = lab.trials[-1]
    assert last.proposal.reason.startswith("in a box of 0.8 of each range around trial ")
    centre = lab.trials[int(last.proposal.reason.split("trial ")[1].split(",")[0])].candidate
    assert TrustRegion(centre, 0, 0.8, 0).holds(lab.campaign.space, last.candidate)
    other.planner.recall(lab.trials[:-1])
    assert other.planner.suggest()[1] == last.candidate
