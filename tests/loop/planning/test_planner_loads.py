"""Proposals that fill a load: what its samples share is fixed, and the rest is chosen as ever."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from campaigns.amendments import FixParameter, amended
from campaigns.campaign import Campaign
from campaigns.relative_paths import PARENT
from campaigns.values import Scalar
from loop.core.proposals import MODEL, SPACE_FILLING
from loop.planning import gradient_search
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.planner import Suggestion
from surrogates.models.encoder import Encoder
from tests.planned import Lab, campaign

pytestmark = pytest.mark.slow


def hill(parameters: Mapping[str, Scalar], _number: int) -> float:
    return -sum((float(value) - 0.6) ** 2 for value in parameters.values())


def load(lab: Lab, count: int, *names: str) -> list[Suggestion]:
    """One proposal by the whole space, and the others at its program."""
    found = [lab.planner.suggest()]
    fixed = {name: found[0][1].parameters[name] for name in names}
    return [*found, *(lab.planner.suggest(fixed) for _ in range(count - 1))]


@pytest.mark.parametrize(("measured", "generator"), [(0, SPACE_FILLING), (5, MODEL)])
def test_the_first_of_a_load_decides_what_the_others_share(measured: int, generator: str) -> None:
    lab, other = (Lab(campaign(3, planner={"initial": 5}), hill, 1e-3) for _ in range(2))
    lab.run(measured)
    other.run(measured)
    found = load(lab, 4, "x0", "x1")
    assert {(c.parameters["x0"], c.parameters["x1"]) for _, c, _ in found} == {
        (found[0][1].parameters["x0"], found[0][1].parameters["x1"])
    }, "to the last digit"
    assert len({c.parameters["x2"] for _, c, _ in found}) == 4
    assert [p.generator for _, _, p in found] == [generator] * 4
    assert [p.pending for _, _, p in found] == [tuple(range(measured, measured + i)) for i in range(4)]
    assert found[0][2].reason == ""
    assert found[1][2].reason.startswith("it fills a load with x0 0.")
    assert load(other, 4, "x0", "x1") == found, "the same seed, the same trials"
    after = lab.planner.suggest()[1].parameters
    assert after["x0"] != found[0][1].parameters["x0"], "the next one is free again"


def test_a_box_with_fixed_parameters_is_searched_by_gradients() -> None:
    plan = campaign(3)
    held = amended(plan, [FixParameter(parameter="x1", value=0.25)])
    assert gradient_search.applies(OptimizationProblem(held, Encoder(plan.space)))
    still = amended(held, [FixParameter(parameter=name, value=0.5) for name in ("x0", "x2")])
    assert not gradient_search.applies(OptimizationProblem(still, Encoder(plan.space))), "nothing is left to choose"


def of_rows(folder: Path) -> Campaign:
    data = campaign(1).model_dump()
    (folder / "rows.csv").write_text("x0,x1\n" + "\n".join(f"{a},{b}" for a in (1, 2, 3) for b in (4, 5, 6)))
    changes: dict[str, Any] = {
        "space": {
            "parameters": {n: {"kind": "float", "unit": "1", "low": 0, "high": 9} for n in ("x0", "x1")},
            "rows": {"file": "rows.csv"},
        },
        "planner": {"initial": 4},
    }
    plain = {key: data[key] for key in ("name", "seed", "metrics", "objective", "lab", "stations", "budget")}
    step = {"name": "look", "stations": ["eye"], "analysis": "tests.planned:campaign", "gives": ["merit"]}
    workflow = [{**step, "recipe": {"x0": "$x0", "x1": "$x1"}, "timeout": "1 h"}]
    return Campaign.model_validate(plain | changes | {"workflow": workflow}, context={PARENT: folder})


@pytest.mark.parametrize("measured", [0, 4])
def test_of_a_table_those_rows_are_left_that_fit(measured: int, tmp_path: Path) -> None:
    lab = Lab(of_rows(tmp_path), hill, 1e-3)
    lab.run(measured)
    fixed = {"x0": lab.planner.suggest()[1].parameters["x0"]}
    found = [lab.planner.suggest(fixed)[1] for _ in range(2)] if not measured else []
    assert all(candidate.parameters["x0"] == fixed["x0"] for candidate in found)
    assert len({candidate.key() for candidate in found}) == len(found)
    assert lab.planner.suggest()[1].parameters["x0"] != fixed["x0"], "other rows are left for the next load"
