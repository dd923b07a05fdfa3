"""What of a campaign's file the proposals of a named strategy do not go by is said, key by key."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from campaigns.campaign import Campaign
from campaigns.load import load_campaign
from loop.cli.app import app
from loop.storage.paths import ready_campaigns
from loop.validation.unreachable import unreachable
from loop.validation.unused_keys import unused_by_strategy
from tests.loop.conftest import quick
from tests.planned import campaign

STRATEGY = "tests.loop.planning.foreign:two_nodes"


def unused(plan: Campaign, strategy: str | None = "ax") -> list[str]:
    planner = plan.planner.model_copy(update={"strategy": strategy})
    return unused_by_strategy(plan.model_copy(update={"planner": planner}))


def keys(plan: Campaign, strategy: str | None = "ax") -> list[str]:
    return [text.partition(":")[0] for text in unused(plan, strategy)]


def ready(name: str) -> Campaign:
    return load_campaign(ready_campaigns()[name])


def test_our_own_strategy_uses_everything() -> None:
    assert all(unused_by_strategy(load_campaign(path)) == [] for path in ready_campaigns().values())


def test_a_campaign_that_asks_for_nothing_of_the_kind_has_nothing_unused() -> None:
    assert unused(campaign(2, planner={})) == []


def test_each_key_that_proposals_do_not_go_by_has_a_line() -> None:
    assert keys(ready("perovskite")) == [
        "structures and features of the pool",
        "floor of band_gap",
        "tolerance_factor as known beforehand",
        "find many",
    ]
    text = dict(line.split(": ", 1) for line in unused(ready("perovskite")))
    assert text["find many"] == "the strategy is given the score to be maximised, as for find best"


def test_costs_that_candidates_differ_in_are_not_weighed() -> None:
    step = campaign(1).model_dump(exclude_none=True)["workflow"][0]
    varying = campaign(1, workflow=[{**step, "cost": "2 + 0.5 * x0"}])
    assert "cost and duration of steps" in keys(varying)
    assert "cost and duration of steps" not in keys(campaign(1))


def test_what_a_space_says_and_ax_does_not_hold_is_told() -> None:
    number = {"kind": "float", "unit": "1", "low": 1, "high": 9}
    gas = {"kind": "categorical", "levels": ["air", "argon"], "descriptors": {"share": [0.2, 0.0]}}
    parameters = {"x": number, "y": number, "gas": gas, "flow": {**number, "when": {"gas": ["argon"]}, "otherwise": 0}}
    step = campaign(1).model_dump(exclude_none=True)["workflow"][0]
    space = {"parameters": parameters, "constraints": ["x * y <= 20"]}
    plan = campaign(1, space=space, workflow=[{**step, "recipe": {name: f"${name}" for name in parameters}}])
    assert keys(plan, STRATEGY) == ["descriptors of gas", "when of flow", "constraint x * y <= 20", "planner.initial"]
    (line,) = (text for text in unused(plan, STRATEGY) if text.startswith("constraint"))
    assert line == "constraint x * y <= 20: not in the experiment, but what breaks it is refused (it is not linear)"


def test_the_number_of_initial_trials_is_used_by_ax_and_not_by_a_strategy_of_ones_own() -> None:
    plan = campaign(1, planner={"initial": 4})
    assert keys(plan) == []
    assert keys(plan, STRATEGY) == ["planner.initial"]


def test_that_no_model_chooses_is_said_only_where_the_strategy_begins_as_the_file_says() -> None:
    for strategy, told in ((None, 1), ("ax", 1), (STRATEGY, 0)):
        plan = campaign(1, planner={"initial": 8, "strategy": strategy}, budget={"trials": 8})
        assert len(list(unreachable(plan))) == told


def test_validate_says_it_line_by_line(tmp_path: Path) -> None:
    data: dict[str, Any] = quick(planner={"strategy": "ax"})
    data["workflow"][0]["cost"] = "2 + 0.5 * time"
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump(data, sort_keys=False))
    told = [line for line in CliRunner().invoke(app, ["validate", str(file)]).output.splitlines() if "not used" in line]
    assert told == [f"not used: {text}" for text in unused_by_strategy(load_campaign(file))]
    assert told


@pytest.mark.parametrize("find", ["best", "many"])
def test_what_is_wanted_counts_only_where_it_is_many(find: str) -> None:
    objective = {"terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}], "find": {"kind": find}}
    assert ("find many" in keys(campaign(1, objective=objective))) == (find == "many")
