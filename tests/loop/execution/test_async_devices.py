"""Devices of ophyd-async at a station: connected, moved and read on its loop, with what they state in data keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from bluesky import plan_stubs as bps

from campaigns.errors import CampaignError, LabError
from campaigns.lab.lab_rules import LimitConfig
from campaigns.user_code.dotted_paths import NamedObject, Use, trouble
from campaigns.user_code.module_files import installation
from instruments.emergency_stop import StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.job import Job, StepResult
from instruments.safe_state import make_safe
from instruments.station_guard import StationGuard, StationRules
from tests.labs import Crew
from tests.loop.execution.built_stations import Floor, StationBuilder, write_module

OURS = """\
import asyncio

from ophyd_async.core import (
    AsyncStatus, NotConnectedError, StandardReadable, StandardReadableFormat, StrictEnum, soft_signal_r_and_setter,
    soft_signal_rw
)


class Motor(StandardReadable):
    def __init__(self, name=""):
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.place, self._arrive = soft_signal_r_and_setter(float, 0.0, units="mm")
        super().__init__(name=name)

    def set_name(self, name, *, child_name_separator=None):
        super().set_name(name, child_name_separator=child_name_separator)
        self.place.set_name(name)

    @AsyncStatus.wrap
    async def set(self, value):
        await asyncio.sleep(0.05)
        self._arrive(value)


class Inner(StandardReadable):
    def __init__(self, name=""):
        self.user_setpoint = soft_signal_rw(float, 0.0, units="mm")
        self.speed = soft_signal_rw(float, 1.0)
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value):
        await self.speed.set(2.0)
        await asyncio.sleep(0.01)
        await self.user_setpoint.set(value)

    async def stop(self, success=True):
        await self.speed.set(0.0)
        await self.user_setpoint.set(0.0)


class Gas(StrictEnum):
    AIR = "air"
    ARGON = "argon"


class Heater(StandardReadable):
    def __init__(self, name=""):
        with self.add_children_as_readables(StandardReadableFormat.HINTED_SIGNAL):
            self.setpoint = soft_signal_rw(float, 20.0, units="degC")
            self.gas = soft_signal_rw(Gas, Gas.AIR)
        super().__init__(name=name)


class Silent(Heater):
    async def connect(self, mock=False, timeout=10, force_reconnect=False):
        raise NotConnectedError("nobody there")


class Broken(Heater):
    async def connect(self, mock=False, timeout=10, force_reconnect=False):
        raise KeyError("address")


class Stuck(Heater):
    @AsyncStatus.wrap
    async def set(self, value):
        await asyncio.sleep(60)
"""


Build = Callable[..., Crew[Floor]]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """A function from what a campaign file says of a station to the crew of its lab."""
    write_module(tmp_path, "async_parts", OURS, monkeypatch)
    builder = StationBuilder("stage", tmp_path / "lab")
    yield lambda device, setpoints: builder.build({"kind": "device", "device": device, "setpoints": setpoints})
    builder.close()


def done(crew: Crew[Floor], **recipe: Any) -> StepResult:
    crew.submit(Job(3, "heat", 1, "t3", "3", None, recipe, 30.0), "stage")
    return crew.wait()


def test_a_motor_is_moved_and_read_with_the_unit_that_it_states(built: Build) -> None:
    crew = built("async_parts:Motor", {"x": {"limits": [-5, 5], "tolerance": 0.01}})
    assert crew.lab.stage.unit_of("x") == "mm"
    assert crew.lab.stage.check_units()["x"] == "mm"
    assert done(crew, x=0.2).ok
    (event,) = crew.events()
    assert event["data"]["stage_stage"] == pytest.approx(0.2)
    (descriptor,) = [document for _, name, document in crew.documents if name == "descriptor"]
    assert descriptor["hints"]["stage"]["fields"] == ["stage_x", "stage_stage"]


def test_parts_of_a_device_are_setpoints_by_their_names_and_enumerations_have_choices(built: Build) -> None:
    crew = built("async_parts:Heater", {"setpoint": {"limits": [0, 500]}, "gas": {}})
    assert crew.lab.stage.limits.choices == {"gas": ("air", "argon")}
    assert crew.lab.stage.unit_of("setpoint") == "degC"
    result = done(crew, setpoint=300.0, gas="argon")
    assert result.ok, result.error
    data = crew.events()[0]["data"]
    assert (data["stage_setpoint"], data["stage_gas"]) == (300.0, "argon")


def test_a_guard_stands_before_it_and_brings_it_into_its_safe_state(built: Build, tmp_path: Path) -> None:
    crew = built("async_parts:Heater", {"setpoint": {"limits": [0, 500]}, "gas": {}})
    limit = LimitConfig(unit="degC", low=0.0, high=200.0)
    stop = StopFile(tmp_path / "lab.stop")
    guard = StationGuard("stage", StationRules({"setpoint": limit}, (), {"setpoint": 30.0}), {}, {}, stop)
    guarded = GuardedInstrument(crew.lab.stage, guard)
    refused = done(crew, setpoint=300.0, gas="argon")
    assert "setpoint got 300 degC; allowed: 0 to 200 degC by the lab file" in (refused.error or "")
    assert done(crew, setpoint=150.0, gas="argon").ok
    stop.make("anna", "smoke")
    guard.close("emergency stop")
    assert make_safe(guarded, "emergency stop") == []
    runner, heater = crew.lab.stage.binding.runner, guarded.parts["setpoint"]
    until = time.monotonic() + 5
    while runner.ask(heater.get_value()) != 30.0:
        assert time.monotonic() < until
    guarded.release()


def test_a_guard_stands_before_its_parts_too_which_a_plan_sets_between_its_messages(
    built: Build, tmp_path: Path
) -> None:
    crew = built("async_parts:Inner", {"x": {"unit": "mm", "limits": [-5, 5]}})
    limits, stop = {"x": LimitConfig(unit="mm", low=-2.0, high=2.0)}, StopFile(tmp_path / "lab.stop")
    guarded = GuardedInstrument(crew.lab.stage, StationGuard("stage", StationRules(limits), {}, {}, stop))
    motor, runner = crew.lab.stage.binding.devices["device"], crew.lab.stage.binding.runner

    def past(part: str) -> Any:
        status = getattr(motor, part).set(3.0)
        yield from bps.wait_for([lambda: status])

    for part, closed, said in (
        ("user_setpoint", "", "x got 3 mm; allowed: -2 to 2 mm by the lab file"),
        ("user_setpoint", "smoke", "smoke; nothing was moved"),
        ("speed", "smoke", "smoke; nothing was moved"),
    ):
        guarded.guard.closed = closed
        with pytest.raises(LabError, match=said):
            runner.run(past(part), lambda *_: None, {})
        assert (runner.ask(motor.user_setpoint.get_value()), runner.ask(motor.speed.get_value())) == (0.0, 1.0)
        assert not runner.moved
    guarded.guard.closed = ""
    runner.run(past("speed"), lambda *_: None, {})
    assert runner.moved
    guarded.release()


def test_one_stops_against_an_interlock_and_moves_by_its_parts_where_it_may(built: Build, tmp_path: Path) -> None:
    crew = built("async_parts:Inner", {"x": {"unit": "mm", "limits": [-5, 5], "signal": "user_setpoint"}})
    stop = StopFile(tmp_path / "lab.stop")
    limits = {"x": LimitConfig(unit="mm", low=-2.0, high=2.0)}
    guarded = GuardedInstrument(crew.lab.stage, StationGuard("stage", StationRules(limits), {}, {}, stop))
    device, runner = crew.lab.stage.binding.devices["device"], crew.lab.stage.binding.runner

    async def moved(value: float) -> None:
        await device.set(value)

    runner.ask(moved(1.5))
    assert runner.ask(device.user_setpoint.get_value()) == 1.5
    guarded.guard.closed = "smoke"
    runner.ask(device.stop())
    assert (runner.ask(device.user_setpoint.get_value()), runner.ask(device.speed.get_value())) == (0.0, 0.0)
    guarded.release()


@pytest.mark.slow
def test_one_that_never_arrives_is_given_up_in_time_and_uncertain(built: Build) -> None:
    crew = built("async_parts:Stuck", {"x": {"unit": "mm", "limits": [0, 5], "timeout": 0.3}})
    result = done(crew, x=1.0)
    assert "TimeoutError" in (result.error or "")
    assert (crew.lab.stage.never_began("t3"), crew.lab.stage.has_finished("t3")) == (False, False)


def test_one_that_does_not_answer_is_a_fault_of_the_lab(built: Build) -> None:
    with pytest.raises(LabError, match=r"stage \(async_parts:Silent\) does not answer within 10 s: nobody there"):
        built("async_parts:Silent", {})


def test_one_that_raises_as_it_is_connected_is_told_without_a_traceback(built: Build) -> None:
    with pytest.raises(
        LabError, match=r"async_parts:Broken\) cannot be connected: KeyError: 'address' \(.*async_parts.py:\d+\)"
    ):
        built("async_parts:Broken", {"gas": {}})


def test_what_is_missing_is_told_where_it_stands(built: Build) -> None:
    with pytest.raises(CampaignError, match=r"stations\.stage\.setpoints\.x: .* states no limits; add limits"):
        built("async_parts:Motor", {"x": {}})
    with pytest.raises(CampaignError, match="there is no gass, did you mean 'gas'"):
        built("async_parts:Heater", {"gass": {}})


def test_a_detector_that_writes_files_is_refused_before_anything_is_imported(built: Build, tmp_path: Path) -> None:
    (tmp_path / "camera.py").write_text(
        "from ophyd_async.core import StandardDetector\n\n\nclass Camera(StandardDetector):\n    pass\n"
    )
    said = trouble(NamedObject("here", "camera:Camera", Use.DEVICE), tmp_path)
    assert "is a ophyd_async.core.StandardDetector, which writes its data to files" in said
    assert installation("ophyd_async") == "; pip install 'athanor-sdl[ophyd-async]'"
