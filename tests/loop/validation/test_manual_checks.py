"""What `validate` says of steps that people do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from loop.validation.lab_checks import check_lab
from tests.loop.manual_steps import by_hand


def said(data: dict[str, Any], folder: Path) -> str:
    """Return the errors of a campaign; empty if there are none."""
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(data))
    try:
        check_lab(Campaign(**data), file)
    except (CampaignError, ValidationError) as error:
        return str(error)
    return ""


WHOLE = {"unit": "1", "limits": [0, 1]}
NARROW = {"unit": "1", "limits": [0, 0.5]}
SIMULATED = {"height": {"unit": "1", "simulated": 0.5}}


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"step": {"instructions": ""}}, "a person has to be told"),
        (
            {"step": {"instructions": "Weigh {dose}"}},
            "names {dose}; allowed: sample, material, settings, parameters, x, y",
        ),
        ({"step": {"instructions": "Weigh {x"}}, "allowed: names in braces"),
        ({"step": {"asks": {"token": "text"}}}, "use another name"),
        ({"step": {"asks": {"x": "1"}}}, "'x' is a setpoint of the station"),
        ({"step": {"recipe": {"x": "$x", "y": "$x"}}}, "no step of the workflow uses $y"),
        ({"stations": {"kim": {"kind": "manual", "setpoints": {"x": NARROW, "y": NARROW}}}}, "allowed: 0 to 0.5"),
        ({"step": {"recipe": {"x": "$x", "y": "$y", "z": 3}}}, "has no setting 'z'"),
        ({"stations": {"kim": {"kind": "manual", "setpoints": {"x": {"unit": "1"}}}}}, "a person states neither"),
        ({"stations": {"kim": {"kind": "manual", "setpoints": {"x": WHOLE, "y": WHOLE}, "capacity": 4}}}, "one sample"),
        ({"step": {"stations": ["kim", "plate"]}}, "name one sort"),
        ({"lab": {"kind": "virtual"}}, "say how long weigh takes there"),
        ({"lab": {"kind": "virtual"}, "step": {"duration": "600 + 60 * x"}}, "say how long weigh takes there"),
        ({"lab": {"kind": "virtual"}, "step": {"duration": "10 min"}}, "add simulated: what is read there"),
        ({"lab": {"kind": "virtual"}, "step": {"duration": "2 h", "asks": SIMULATED}}, "allow more time"),
        ({"lab": {"kind": "virtual"}, "step": {"duration": "10 min", "asks": SIMULATED}}, ""),
    ],
)
def test_a_campaign_whose_manual_steps_could_not_be_done_is_refused(
    changes: dict[str, Any], why: str, tmp_path: Path
) -> None:
    data = by_hand(**changes)
    if "plate" in data["workflow"][0]["stations"]:
        data["stations"]["plate"] = {"kind": "device", "device": "ophyd.sim:motor"}
    found = said(data, tmp_path)
    assert why in found
    assert bool(why) == bool(found)


def test_instructions_are_refused_where_no_person_stands(tmp_path: Path) -> None:
    data = by_hand(stations={"kim": {"kind": "device", "device": "ophyd.sim:motor"}})
    assert "is what people are told, and no station of the step is of kind: manual" in said(data, tmp_path)
