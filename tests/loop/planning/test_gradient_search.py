from typing import Any

import pytest
import torch

from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.planning import gradient_search
from loop.planning.acquisition import acquisition_function, choose
from loop.planning.fitting import fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from loop.sampling.candidates import sobol
from surrogates.models.encoder import Encoder
from tests.loop.conftest import only_step, quick

ANY: dict[str, Any] = {"kind": "float", "unit": "1", "low": 0, "high": 1}
WHOLE: dict[str, Any] = {"kind": "integer", "low": 0, "high": 9}
SITE: dict[str, Any] = {"kind": "categorical", "levels": ["one", "two"]}


def box(**space: Any) -> Campaign:
    """Two numbers and a site; the best lies at 0.37 and 0.61, on the second site."""
    mixed = [name for mixture in space.get("mixtures", {}).values() for name in mixture["components"]]
    parameters = {n: {"kind": "float", "unit": "1", "low": 0, "high": 1} for n in "ab"}
    data = quick(
        space={"parameters": {**parameters, "site": {"kind": "categorical", "levels": ["one", "two"]}}, **space},
        metrics={"f": {"kind": "measured", "unit": "1"}},
        objective={"terms": [{"goal": "maximise", "metric": "f", "scale": 1}]},
        workflow=[only_step(["f"], ["a", "b", "site", *mixed])],
    )
    return Campaign(**data)


def value(candidate: Candidate) -> float:
    a, b = (float(candidate.parameters[name]) for name in "ab")
    return -((a - 0.37) ** 2) - (b - 0.61) ** 2 + 0.2 * (candidate.parameters["site"] == "two")


def learnt(campaign: Campaign, count: int = 16) -> tuple[OptimizationProblem, TrainingData]:
    done = [Candidate(setting) for setting in sobol(campaign.space, count, 1)]
    metrics = {"f": [MetricValue(value(c), 0.001, "1") for c in done]}
    problem = OptimizationProblem(campaign, Encoder(campaign.space))
    return problem, TrainingData(done, metrics, [], frozenset(c.key() for c in done))


@pytest.mark.slow
def test_gradients_lead_uphill_and_levels_stay() -> None:
    problem, history = learnt(box())
    acquisition = acquisition_function(fit_posterior(problem, history), history, 0)
    starts = [Candidate({"a": 0.2, "b": 0.5, "site": site}) for site in ("one", "two")]
    found = gradient_search.local_maxima(acquisition, problem, starts)
    with torch.no_grad():
        before, after = (acquisition(problem.encoder.encode(each).unsqueeze(-2)) for each in (starts, found))
    assert bool((after > before).all())
    assert [c.parameters["site"] for c in found] == ["one", "two"]
    assert all(problem.campaign.space.contains(c) for c in found)


@pytest.mark.slow
def test_in_a_box_the_choice_is_a_local_maximum() -> None:
    problem, history = learnt(box())
    posterior = fit_posterior(problem, history)
    chosen = choose(posterior, history, 0)
    acquisition = acquisition_function(posterior, history, 0)
    here = {name: float(chosen.candidate.parameters[name]) for name in "ab"}
    moved = [{name: min(max(here[name] + step, 0.0), 1.0)} for name in "ab" for step in (-0.02, 0.02)]
    around = [Candidate({**chosen.candidate.parameters, **move}) for move in moved]
    with torch.no_grad():
        values = acquisition(problem.encoder.encode(around).unsqueeze(-2))
    assert float(values.max()) <= chosen.acquisition + 1e-3
    assert value(chosen.candidate) > max(value(c) for c in history.done)


@pytest.mark.parametrize(
    ("space", "applies"),
    [
        ({}, True),
        ({"constraints": ["a + b <= 1"]}, False),
        ({"mixtures": {"m": {"unit": "%", "total": 100, "components": {"c": {}, "d": {}}}}}, False),
        ({"parameters": {"a": ANY, "b": ANY | {"when": {"site": ["two"]}, "otherwise": 0}, "site": SITE}}, False),
        ({"parameters": {"a": WHOLE, "b": WHOLE, "site": SITE}}, False),
    ],
)
def test_gradients_are_for_boxes(space: dict[str, Any], applies: bool) -> None:
    campaign = box(**space)
    assert gradient_search.applies(OptimizationProblem(campaign, Encoder(campaign.space))) == applies


def test_gradients_are_for_one_best_candidate_in_the_space_of_the_rows() -> None:
    plan = box()
    wider = box(parameters={"a": ANY | {"high": 2}, "b": ANY, "site": SITE})
    assert not gradient_search.applies(OptimizationProblem(plan, Encoder(wider.space)))
    data = plan.model_dump()
    data["objective"]["find"] = {"kind": "many", "above": 0.1}
    many = Campaign(**data)
    assert not gradient_search.applies(OptimizationProblem(many, Encoder(many.space)))
