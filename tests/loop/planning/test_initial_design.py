"""The first candidates: they fill the space, cover what is promising, and leave out what is known to be impossible."""

from typing import Any

import numpy as np
import pytest

from campaigns.campaign import Campaign
from campaigns.values import Candidate
from loop.planning.initial_design import InitialDesign
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.planner import Planner
from loop.planning.posterior import TrainingData
from loop.planning.source_models import SourceModels
from surrogates.models.encoder import Encoder, MaterialTable
from tests.planned import campaign

MATERIALS = 40
RNG = np.random.default_rng(3)
FEATURES = RNG.normal(size=(MATERIALS, 3))
COST = RNG.uniform(0.0, 100.0, MATERIALS)
PRIOR = 150.0 + 60.0 * FEATURES[:, 0]
NUMBER = {"kind": "float", "unit": "1", "low": 0, "high": 1}
Numbers = dict[str, np.ndarray]


def pool(bounds: list[dict[str, Any]] | None = None, prior: bool = False, **changes: Any) -> Campaign:
    """Return a campaign over a pool: a merit is measured, a cost computed, and half of the cost derived."""
    step = campaign(1).model_dump(exclude_none=True)["workflow"][0]
    own: dict[str, Any] = {
        "space": {"pool": {"kind": "generator", "function": "a.b:c"}},
        "metrics": {
            "merit": {"kind": "measured", "unit": "1"} | ({"prior": "a.b:c"} if prior else {}),
            "cost": {"kind": "computed", "unit": "1", "function": "a.b:c"},
            "half": {"kind": "derived", "unit": "1", "formula": "0.5 * cost"},
        },
        "objective": {
            "terms": [{"goal": "maximise", "metric": "merit", "scale": 1}],
            "constraints": bounds or [],
        },
        "workflow": [{**step, "recipe": {}}],
    }
    return campaign(1, **(own | changes))


def table(cost: np.ndarray = COST, **numbers: np.ndarray) -> MaterialTable:
    return MaterialTable(
        tuple(f"m{i:02d}" for i in range(len(cost))), {"features": FEATURES}, {"cost": cost, **numbers}
    )


def design(plan: Campaign, materials: MaterialTable | None = None) -> InitialDesign:
    problem = OptimizationProblem(plan, Encoder(plan.space, materials or table()))
    return InitialDesign(problem, SourceModels(problem, ()))


def start(plan: Campaign, count: int, materials: MaterialTable | None = None) -> list[Candidate]:
    """Return the first candidates that a planner proposes."""
    planner = Planner(plan, Encoder(plan.space, materials or table()))
    return [planner.suggest()[1] for _ in range(count)]


def places(candidates: list[Candidate]) -> list[int]:
    return [int(str(candidate.material)[1:]) for candidate in candidates]


def at_most(metric: str, limit: float) -> list[dict[str, Any]]:
    return [{"metric": metric, "at_most": limit}]


def test_the_start_covers_what_looks_good_by_known_numbers() -> None:
    assert design(pool()).promising.tolist() == list(range(MATERIALS))  # nothing is known of the merit
    found = design(pool(at_most("cost", 50.0), prior=True), table(**{"prior:merit": PRIOR})).promising
    affordable = np.flatnonzero(COST <= 50.0)
    assert found.tolist() == affordable[np.argsort(-PRIOR[affordable])][: MATERIALS // 4].tolist()


@pytest.mark.parametrize("bounds", [at_most("cost", 50.0), at_most("half", 25.0)], ids=["computed", "derived from it"])
@pytest.mark.parametrize("prior", [False, True])
def test_no_trial_is_spent_on_what_a_computed_metric_rules_out(bounds: list[dict[str, Any]], prior: bool) -> None:
    numbers = {"prior:merit": PRIOR} if prior else {}
    found = start(pool(bounds, prior), 8, table(**numbers))
    assert len({candidate.key() for candidate in found}) == 8
    assert (COST[places(found)] <= 50.0).all()


def test_where_few_materials_are_possible_they_come_first_and_the_others_after_them() -> None:
    cheap = np.argsort(COST)[:3]
    limit = float(COST[cheap[-1]])
    found = places(start(pool(at_most("cost", limit)), 8))
    assert set(found[:3]) == set(cheap.tolist())
    assert len(set(found)) == 8


def test_what_is_possible_comes_next_when_all_that_looks_good_was_tried() -> None:
    found = places(start(pool(at_most("cost", 50.0), prior=True), 14, table(**{"prior:merit": PRIOR})))
    assert len(set(found)) == 14
    assert (COST[found] <= 50.0).all()


def test_few_possible_materials_are_tried_at_several_settings() -> None:
    limit = float(np.sort(COST)[2])
    space = {"pool": {"kind": "generator", "function": "a.b:c"}, "parameters": {"x": NUMBER}}
    step = campaign(1).model_dump(exclude_none=True)["workflow"][0]
    found = start(pool(at_most("cost", limit), space=space, workflow=[{**step, "recipe": {"x": "$x"}}]), 8)
    assert (COST[places(found)] <= limit).all()
    assert len({candidate.key() for candidate in found}) == 8


def test_a_constraint_that_nothing_keeps_or_all_keep_changes_no_trial() -> None:
    without = start(pool(), 8)
    assert start(pool(at_most("cost", -1.0)), 8) == without
    assert start(pool(at_most("cost", 1000.0)), 8) == without


def test_a_constraint_on_what_is_measured_rules_out_nothing() -> None:
    bounds = [{"metric": "merit", "at_least": 160.0}]
    assert set(design(pool(bounds)).promising.tolist()) == set(range(MATERIALS))


def test_the_sequence_goes_on_after_what_was_begun_rather_than_come_again() -> None:
    plan = campaign(2)
    problem = OptimizationProblem(plan, Encoder(plan.space))
    whole, later = (InitialDesign(problem, SourceModels(problem, ()), begun) for begun in (0, 3))
    seen: frozenset[tuple[object, ...]] = frozenset()
    first = []
    for number in range(4):
        found = whole.candidate(number, seen)
        assert found is not None
        first.append(found)
        seen |= {found.key()}
    assert later.candidate(3, frozenset()) == first[3]


def test_without_a_source_nothing_comes_from_one() -> None:
    assert design(pool()).from_sources(0, TrainingData([], {"merit": []}, (), frozenset()), frozenset()) is None
