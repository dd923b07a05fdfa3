import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.values import Candidate, MetricValue, TrialState
from campaigns.warm_start import Record, Source
from loop.core.proposals import Proposal
from loop.diagnostics.model_changes import model_changes
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.planner import Planner
from loop.planning.source_models import SourceModels
from surrogates.models.encoder import Encoder, MaterialTable
from tests import trials

Truth = Callable[[float, float], float]
SEEDS = (0, 2)  # a search that is short, and one that is long
FOUND = 9.6


def campaign(seed: int, **changes: Any) -> Campaign:
    """Return a campaign of two settings and one metric."""
    parameters = {name: {"kind": "float", "unit": "1", "low": 0, "high": 1} for name in ("a", "b")}
    step = trials.campaign().workflow[1].model_dump() | {"gives": ["y"], "recipe": {"a": "$a", "b": "$b"}}
    own = {
        "seed": seed,
        "space": {"parameters": parameters},
        "metrics": {"y": {"kind": "measured", "unit": "eV"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "y", "scale": "1 eV"}]},
        "workflow": [step],
        "planner": {"initial": 6},
    }
    return trials.campaign(**(own | changes))


def peak(a: float, b: float) -> float:
    """Ten at (0.2, 0.7), with a lower hill at the other side."""
    hill = 6.0 * math.exp(-8.0 * ((a - 0.8) ** 2 + (b - 0.2) ** 2))
    return 10.0 * math.exp(-30.0 * ((a - 0.2) ** 2 + (b - 0.7) ** 2)) + hill


def alike(a: float, b: float) -> float:
    return 0.02 * peak(min(a + 0.05, 1.0), b) - 3.0


def opposite(a: float, b: float) -> float:
    return -peak(a, b)


def unrelated(a: float, b: float) -> float:
    return math.sin(11.0 * a + 3.0) * math.cos(7.0 * b)


def source(truth: Truth, name: str = "before", count: int = 40) -> Source:
    points = np.random.default_rng(5).random((count, 2)).tolist()
    records = [Record(Candidate({"a": a, "b": b}), {"y": MetricValue(truth(a, b), 0.0, "eV")}) for a, b in points]
    return Source(name, ("y",), tuple(records))


def search(seed: int, sources: Sequence[Source], most: int = 20) -> tuple[int, list[str], dict[str, Any]]:
    """Return how many experiments it took to come near the peak, who proposed them, and the last model of all."""
    plan = campaign(seed)
    planner, proposed = Planner(plan, Encoder(plan.space), sources), list[str]()
    model: dict[str, Any] = {}
    for count in range(1, most + 1):
        number, candidate, proposal = planner.suggest()
        proposed.append(proposal.generator)
        model = dict(proposal.models.get("y", model))
        y = peak(float(candidate.parameters["a"]), float(candidate.parameters["b"]))
        if y >= FOUND:
            return count, proposed, model
        ended = trials.trial(
            number,
            TrialState.COMPLETED,
            candidate=candidate,
            proposal=proposal,
            metrics={"y": MetricValue(y, 0.0, "eV")},
            score=y,
            score_sd=0.0,
            feasible=True,
            completed_order=number,
        )
        planner.ingest(ended)
    return most + 1, proposed, model


@pytest.fixture(scope="module")
def without() -> list[int]:
    return [search(seed, [])[0] for seed in SEEDS]


@pytest.mark.slow
def test_a_source_that_is_alike_saves_experiments(without: list[int]) -> None:
    found = [search(seed, [source(alike)]) for seed in SEEDS]
    assert sum(count for count, _, _ in found) < 0.7 * sum(without)
    assert all(model.get("source", "before") == "before" for _, _, model in found)


@pytest.mark.slow
@pytest.mark.parametrize("truth", [opposite, unrelated])
def test_a_source_that_misleads_costs_next_to_nothing(truth: Truth, without: list[int]) -> None:
    assert sum(search(seed, [source(truth)])[0] for seed in SEEDS) <= 1.1 * sum(without) + 1


@pytest.mark.slow
def test_the_start_follows_a_source_only_once_and_then_if_it_was_right() -> None:
    _, proposed, model = search(1, [source(opposite)], most=8)
    assert proposed[:6] == ["sources", *["space-filling"] * 5]
    assert set(proposed[6:]) == {"model"}
    assert set(model["sources"]) == {"before"}


@pytest.mark.slow
def test_a_planner_that_was_rebuilt_goes_on_as_before() -> None:
    plan, sources = campaign(1), [source(alike)]
    first = Planner(plan, Encoder(plan.space), sources)
    done = []
    for _ in range(7):
        number, candidate, proposal = first.suggest()
        y = unrelated(float(candidate.parameters["a"]), float(candidate.parameters["b"]))
        found = {"metrics": {"y": MetricValue(y, 0.0, "eV")}, "score": y, "score_sd": 0.0, "feasible": True}
        changes = {"candidate": candidate, "proposal": proposal, "completed_order": number, **found}
        done.append(trials.trial(number, TrialState.COMPLETED, **changes))
        first.ingest(done[-1])
    again = Planner(plan, Encoder(plan.space), sources)
    again.recall(done)
    assert again.suggest() == first.suggest()


def test_materials_that_are_not_in_the_pool_teach_nothing() -> None:
    space = {"pool": {"kind": "generator", "function": "surrogates.pools.prototypes:cathodes"}}
    step = campaign(1).workflow[0].model_dump() | {"recipe": {}}
    plan = campaign(1, space=space, workflow=[step])
    views = {"chgnet": np.random.default_rng(0).normal(size=(20, 3))}
    problem = OptimizationProblem(plan, Encoder(plan.space, MaterialTable(tuple(map(str, range(20))), views, {})))

    def known(names: Sequence[str]) -> Source:
        records = [Record(Candidate({}, n), {"y": MetricValue(float(i), 0.1, "eV")}) for i, n in enumerate(names)]
        return Source("before", ("y",), tuple(records))

    (source,) = SourceModels(problem, [known(["1", "2", "3", "MgO"])]).by_metric["y"]
    assert len(source.model.rows) == 3
    with pytest.raises(CampaignError, match="got 1 measurements of y in before that can be used; needed: 3"):
        SourceModels(problem, [known(["1", "MgO", "CaO"])])


def test_it_is_told_when_a_source_is_learnt_from_and_when_no_longer() -> None:
    learnt = {"before": {"gain": 0.3, "slope": 0.9, "sd": 0.1}}
    models = [{"y": {"source": name, "sources": learnt}} for name in (None, "before", "before", None)]
    told = [Proposal("model", models=each) for each in models]
    assert [model_changes(told[: i + 1]) for i in range(4)] == [
        [],
        [("y", "the models use before: slope 0.9 ± 0.1")],
        [],
        [("y", "the models no longer use before: without it the measurements are explained better")],
    ]
