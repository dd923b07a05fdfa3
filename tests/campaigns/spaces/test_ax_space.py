"""Which campaigns the strategies of Ax can search, said by 'validate', which does not import Ax."""

from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.relative_paths import PARENT
from tests.loop.conftest import only_step, quick

NUMBER = {"kind": "float", "unit": "1", "low": 1, "high": 9}
MIXTURE: dict[str, Any] = {"components": {"a": {}, "b": {}, "c": {}}}


def problems(space: dict[str, Any], folder: Path, strategy: str = "ax", **changes: Any) -> list[str]:
    shares = [name for mixture in space.get("mixtures", {}).values() for name in mixture["components"]]
    step = only_step(["phase_fraction"], [*space["parameters"], *shares])
    metrics = {"phase_fraction": {"kind": "measured", "unit": "1"}}
    terms = [{"goal": "maximise", "metric": "phase_fraction", "scale": 1}]
    data = quick(space=space, workflow=[step], metrics=metrics, objective={"terms": terms})
    data |= {"planner": {"strategy": strategy}} | changes
    try:
        Campaign.model_validate(data, context={PARENT: folder})
    except CampaignError as error:
        return [f"{p.where}: {p.message}" for p in error.problems]
    return []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"constraints": ["x * y <= 20"]}, "space.constraints[0]: constraint x * y <= 20: it is not linear"),
        (
            {"parameters": {"x": {**NUMBER, "scale": "log"}, "y": NUMBER}, "constraints": ["x + y <= 12"]},
            "space.constraints[0]: constraint x + y <= 12: x has a logarithmic scale",
        ),
        ({"mixtures": {"m": {**MIXTURE, "at_most": 2}}}, "space.mixtures.m.at_most: at_most 2 of mixture m"),
        (
            {"mixtures": {"m": {"components": {"Li": {}, "Mg": {}, "O": {}}}}},
            "space.mixtures.m: total of mixture m: Ax takes Li, O for functions of sympy",
        ),
        (
            {"parameters": {"x": NUMBER, "y": NUMBER, "N": NUMBER}, "constraints": ["x + N <= 12"]},
            "space.constraints[0]: constraint x + N <= 12: Ax takes N for functions of sympy",
        ),
        ({"rows": {"file": "rows.csv"}}, "space.rows: rows rows.csv: Ax's suggestions may be none of them"),
    ],
    ids=["nonlinear", "logarithmic", "at_most", "elements", "a function", "rows"],
)
def test_what_ax_cannot_search_is_refused_with_the_reason(changes: dict[str, Any], told: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,y\n1,2\n3,4\n5,6\n")
    space = {"parameters": {"x": NUMBER, "y": NUMBER}} | changes
    (found,) = problems(space, tmp_path)
    assert found.startswith(told)
    assert found.endswith("Ax's strategy cannot search such a space: remove planner.strategy")
    own: dict[str, Any] = {"planner": {"initial": 5}}
    assert problems(space, tmp_path, **own) == []


def test_linear_constraints_equalities_and_mixtures_are_searched(tmp_path: Path) -> None:
    parameters = {"x": NUMBER, "y": NUMBER}
    mixed = {"parameters": parameters, "mixtures": {"m": MIXTURE}, "constraints": ["x + y <= 8", "a <= 2 * b"]}
    assert problems(mixed, tmp_path) == []
    assert problems({"parameters": parameters, "constraints": ["x + y == 8", "x - y <= 1"]}, tmp_path) == []


def test_ax_keeps_one_equality_in_its_first_points(tmp_path: Path) -> None:
    space = {"parameters": {"x": NUMBER, "y": NUMBER}, "mixtures": {"m": MIXTURE}, "constraints": ["x + y == 8"]}
    (found,) = problems(space, tmp_path)
    assert found.startswith("space.mixtures.m: mixture m: Ax's first points keep one equality or mixture, not several")
    assert problems(space, tmp_path, strategy="tests.loop.planning.foreign:two_nodes") == []


def test_what_a_strategy_does_not_use_is_refused(tmp_path: Path) -> None:
    planner: dict[str, Any] = {"planner": {"strategy": "ax", "cost": "aware"}}
    space = {"parameters": {"x": NUMBER}}
    found = problems(space, tmp_path, **planner)
    assert "planner.cost: planner.strategy ax weighs no costs; remove cost, or strategy" in found
    source: dict[str, Any] = {"warm_start": [{"kind": "table", "name": "old", "file": "old.csv"}]}
    assert any(
        text.startswith("warm_start: planner.strategy ax learns from the trials of this campaign alone")
        for text in problems(space, tmp_path, **source)
    )


def test_a_strategy_is_ax_or_a_dotted_path(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="strategy"):
        problems({"parameters": {"x": NUMBER}}, tmp_path, strategy="botorch")


def test_a_time_limit_is_that_of_a_strategy(tmp_path: Path) -> None:
    planner: dict[str, Any] = {"planner": {"timeout": "2 min"}}
    (found,) = problems({"parameters": {"x": NUMBER}}, tmp_path, **planner)
    assert found == "planner.timeout: it is that of planner.strategy, and there is none; remove timeout"
    planner = {"planner": {"strategy": "ax", "timeout": "2 min"}}
    assert problems({"parameters": {"x": NUMBER}}, tmp_path, **planner) == []
