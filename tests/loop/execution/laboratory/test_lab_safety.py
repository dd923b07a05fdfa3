"""What of a lab file the guard of each station has."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bluesky import plan_stubs as bps
from ophyd import Component, Device, Signal

from campaigns.lab.lab_rules import LabFileConfig
from campaigns.lab.setpoints import SetpointConfig
from instruments.clock import WallClock
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.setpoint import resolved
from instruments.emergency_stop import StopFile
from instruments.job_memory import JobMemory
from loop.execution.laboratory.lab_safety import LabSafety, station_rules


class Stage(Device):
    """A device that two stations have in common."""

    x = Component(Signal, value=0.0)


class NoneUnsafe:
    """Remembers nothing."""

    known: Mapping[str, str] = MappingProxyType({})

    def note(self, station: str, wrong: str) -> str:
        raise AssertionError((station, wrong))

    def settle(self, station: str) -> None:
        raise AssertionError(station)


def test_guards_before_a_device_that_stations_have_in_common_are_all_taken_away(tmp_path: Path) -> None:
    stage, clock = Stage(name="stage"), WallClock()
    config = SetpointConfig(unit="mm", limits=(-5.0, 5.0))
    binding = Binding({"stage": stage}, {"x": resolved("x", config, {"stage": stage}, "x")}, lambda *_: bps.null())
    kind = BoundInstrument.of(binding)
    found = {
        name: kind(name=name, clock=clock, binding=binding, memory=JobMemory(tmp_path / name))
        for name in ("one", "two")
    }
    before = dict(vars(stage.x))
    safety = LabSafety(None, StopFile(tmp_path / "lab.stop"), found, NoneUnsafe())
    assert "put" in vars(stage.x)
    safety.close()
    assert vars(stage.x) == before
    found["one"].close()
    clock.close()


def test_a_combination_is_guarded_at_all_stations_of_which_it_names_a_setting_or_a_part_of_a_device() -> None:
    number = {"unit": "mm", "low": 0, "high": 9}
    stations = {
        name: {"kind": "device", "device": "m:Stage", "limits": {"x": number, "stage.lamp": number}}
        for name in ("one", "two", "three")
    }
    rules = LabFileConfig.model_validate(
        {
            "lab": {"kind": "real"},
            "stations": stations,
            "forbidden": ["one.stage.lamp > 5 mm and two.x > 3 mm", "three.x > 8 mm and material == Li2S"],
        }
    )
    found = {name: [one.text for one in station_rules(rules, name).combinations] for name in stations}
    assert found == {"one": [rules.forbidden[0]], "two": [rules.forbidden[0]], "three": [rules.forbidden[1]]}
