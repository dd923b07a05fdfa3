"""A store goes on with a campaign whose file has changed only in what chooses no candidate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from loop.core.fingerprint import MAY_CHANGE, campaign_record, changed_keys
from tests.trials import campaign

BEFORE = campaign_record(campaign(), "").fingerprint
RECIPE = dict(campaign().workflow[0].recipe)


def workflow(**changes: Any) -> dict[str, Any]:
    steps = [step.model_dump(exclude_defaults=True) for step in campaign().workflow]
    return {"workflow": [steps[0] | changes, *steps[1:]]}


def analysed(**changes: Any) -> dict[str, Any]:
    *steps, last = [step.model_dump(exclude_defaults=True) for step in campaign().workflow]
    return {"workflow": [*steps, last | changes]}


def metrics(**changes: Any) -> dict[str, Any]:
    found = {name: {"kind": "measured", "unit": unit} for name, unit in (("capacity", "mAh/g"), ("mean_voltage", "V"))}
    return {"metrics": found | {"capacity": found["capacity"] | changes}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"description": "a longer one"},
        {"budget": {"trials": 99, "cost": "900 USD"}},
        {"stopping": [{"kind": "target", "score": 1.0}]},
        {"lab": {"kind": "virtual", "faults": [{"trial": 1, "station": "cycler", "kind": "nan"}]}},
        workflow(timeout="20 h"),
        analysed(analysis_settings={"settings": "corrected"}),
        metrics(plausible=(0, 400)),
    ],
    ids=lambda changes: next(iter(changes), "nothing"),
)
def test_what_chooses_no_candidate_may_change(changes: dict[str, Any]) -> None:
    assert campaign_record(campaign(**changes), "").fingerprint == BEFORE


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 2},
        {"planner": {"initial": 3}},
        workflow(recipe=RECIPE | {"ramp_rate": "2 degC/min"}),
        workflow(cost="5 USD"),
        metrics(unit="Ah/kg"),
    ],
    ids=["seed", "planner", "recipe", "cost", "unit"],
)
def test_what_decides_about_the_trials_makes_another_campaign(changes: dict[str, Any]) -> None:
    assert campaign_record(campaign(**changes), "").fingerprint != BEFORE


def test_a_default_that_is_written_out_changes_nothing() -> None:
    default = campaign().planner.model_dump()
    assert campaign_record(campaign(planner=default), "").fingerprint == BEFORE


def test_a_key_that_a_later_version_adds_changes_nothing_at_its_default() -> None:
    class Later(Campaign):
        further: int = 0

    before = campaign().model_dump(exclude_unset=True)
    assert campaign_record(Later.model_validate(before), "").fingerprint == BEFORE
    assert campaign_record(Later.model_validate(before | {"further": 1}), "").fingerprint != BEFORE


def test_the_record_keeps_the_files_text_as_it_is() -> None:
    record = campaign_record(campaign(), "name: made_up  # by hand\n")
    assert (record.name, record.seed, record.source) == ("made_up", 1, "name: made_up  # by hand\n")


def test_what_may_change_is_not_among_the_changed_keys() -> None:
    text = "workflow: [{name: make, timeout: 2 h}]\nmetrics: {y: {plausible: [0, 1]}}\n"
    other = "workflow: [{name: bake, timeout: 3 h}]\nmetrics: {y: {plausible: [0, 2], unit: V}}\nlab: {}\n"
    before, now = (campaign_record(campaign(), one) for one in (text, other))
    assert changed_keys(before, now) == [
        "workflow[0].name: make before, bake now",
        "metrics.y.unit: absent before, V now",
    ]


@pytest.mark.parametrize("page", ["tutorial", "architecture", "inputs"])
def test_every_page_has_the_same_list_of_what_may_change(page: str) -> None:
    words = " ".join((Path(__file__).parents[3] / "docs" / f"{page}.md").read_text(encoding="utf-8").split())
    assert MAY_CHANGE in words.replace("`", "")
