"""From the names in a campaign file to instruments, recipes and analyses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError, InterlockError
from campaigns.lab.lab_rules import LabStationConfig
from campaigns.lab.laboratory import StationConfig
from campaigns.values import Candidate, Measurement, Scalar
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from loop.execution.laboratory.device_binding import JobRecords
from loop.execution.laboratory.lab_setup import build_instrument, build_lab, load_analysis, recipe
from tests.loop.conftest import only_step, quick, troubled


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    found = build_lab(Campaign(**quick()), None, tmp_path / "lab", 0.0)
    yield found
    found.close()


@pytest.fixture
def furnace(lab: Lab, tmp_path: Path) -> JobInstrument:
    return build_instrument("furnace_1", Campaign(**quick()).stations["furnace_1"], lab, JobRecords(tmp_path))


def test_a_lab_starts_no_earlier_than_it_is_told(tmp_path: Path) -> None:
    late = build_lab(Campaign(**quick()), None, tmp_path / "lab", 7200.0)
    assert late.clock.now() == 7200.0
    late.close()


def test_a_factory_that_makes_no_laboratory_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    campaign = Campaign(**quick(lab={"kind": "custom", "factory": "tests.loop.odd_labs:without_instruments"}))
    with pytest.raises(CampaignError, match=r"returned a Halfway without instrument; needed: instruments.lab:Lab"):
        build_lab(campaign, None, tmp_path / "lab", 0.0)


def test_a_device_of_ones_own_stands_at_its_station_on_the_clock_of_the_lab(lab: Lab, tmp_path: Path) -> None:
    config = Campaign(**troubled("Bench")).stations["bench"]
    bench = build_instrument("bench", config, lab, JobRecords(tmp_path))
    assert (type(bench).__name__, bench.name) == ("Bench", "bench")
    assert bench.clock.now() == lab.clock.now()


def test_a_device_under_a_lab_file_that_moves_while_it_is_made_is_refused(lab: Lab, tmp_path: Path) -> None:
    data = {
        "kind": "device",
        "device": "tests.loop.odd_labs:Eager",
        "setpoints": {"x": {"unit": "mm", "limits": [0, 9]}},
    }
    config = LabStationConfig.model_validate(data)
    with pytest.raises(InterlockError, match="is set while the laboratory is built"):
        build_instrument("stage", config, lab, JobRecords(tmp_path))


def test_what_is_no_instrument_is_refused_where_it_would_stand(lab: Lab, tmp_path: Path) -> None:
    class Shelf:
        clock = lab.clock

        def instrument(self, _: str) -> object:
            return {}

    config: Any = Campaign(**quick()).stations["furnace_1"]
    assert isinstance(config, StationConfig)
    with pytest.raises(CampaignError, match=r"stations.furnace_1.*has a dict there; needed: .*JobInstrument"):
        build_instrument("furnace_1", config, Shelf(), JobRecords(tmp_path))  # type: ignore[arg-type]


def test_a_recipe_is_in_the_units_of_the_instrument(furnace: JobInstrument) -> None:
    data = quick()
    data["space"]["parameters"]["temperature"] = {"kind": "float", "unit": "K", "low": 900, "high": 1200}
    data["space"]["constraints"] = []
    data["space"]["parameters"]["time"] = {"kind": "float", "unit": "min", "low": 60, "high": 600}
    campaign = Campaign(**data)
    settings: dict[str, Scalar] = {
        "temperature": 1000.0,
        "time": 90.0,
        "ramp_rate": 5,
        "lithium_excess": 0,
        "atmosphere": "oxygen",
    }
    found = recipe(campaign, campaign.workflow[0], Candidate(settings), furnace)
    assert found["temperature"] == pytest.approx(726.85)
    assert found["time"] == pytest.approx(1.5)
    assert found["atmosphere"] == "oxygen"


def test_a_parameter_that_does_not_apply_has_its_other_value(furnace: JobInstrument) -> None:
    data = quick()
    data["space"]["parameters"]["ramp_rate"] |= {"when": {"atmosphere": ["air"]}, "otherwise": "10 degC/min"}
    campaign = Campaign(**data)
    settings: dict[str, Scalar] = {"temperature": 800.0, "time": 12.0, "lithium_excess": 0, "atmosphere": "oxygen"}
    assert recipe(campaign, campaign.workflow[0], Candidate(settings), furnace)["ramp_rate"] == 10.0
    with pytest.raises(ValueError, match=r"\$time does not apply to the candidate, and the parameter has no otherwise"):
        recipe(campaign, campaign.workflow[0], Candidate({"temperature": 800.0}), furnace)


def analysing(**changes: Any) -> Any:
    step = only_step(["height"], ["x", "y"], stations=["bench"], timeout="2 h", **changes)
    return load_analysis(Campaign(**troubled("Bench", workflow=[step])).workflow[0])


def test_the_settings_of_an_analysis_are_given_to_it() -> None:
    found = analysing(analysis="tests.loop.odd_labs:scaled", analysis_settings={"factor": 3.0})
    assert isinstance(found, partial)
    measured = found({"height": 2.0}, None)
    assert isinstance(measured, Measurement)
    assert measured.metrics["height"].value == 6.0


def test_a_step_without_an_analysis_has_none() -> None:
    assert load_analysis(Campaign(**quick()).workflow[0]) is None
