"""A unit that is valid but rarely meant is noted by validate itself."""

from __future__ import annotations

from pathlib import Path

from campaigns.load import load_campaign
from loop.validation.unit_notes import unit_notes
from tests.stores import CAMPAIGN


def notes(folder: Path, text: str) -> list[str]:
    (folder / "c.yaml").write_text(text)
    return list(unit_notes(load_campaign(folder / "c.yaml"), folder / "c.yaml"))


def test_coulombs_and_bare_seconds_are_noted(tmp_path: Path) -> None:
    text = CAMPAIGN.replace("unit: degC", "unit: C").replace("unit: mAh/g", "unit: C").replace("mAh/g", "C")
    assert notes(tmp_path, text.replace("timeout: 10 h", "timeout: 10")) == [
        "space.parameters.temperature.unit: C is the coulomb, an electric charge; write degC for degrees Celsius",
        "metrics.capacity.unit: C is the coulomb, an electric charge; write degC for degrees Celsius",
        "workflow[0].timeout: 10 has no unit and is taken as seconds",
    ]


def test_units_that_are_meant_are_not_noted(tmp_path: Path) -> None:
    assert notes(tmp_path, CAMPAIGN) == []
