"""Plain ophyd devices run jobs: moved, proven, read, remembered on disk, and never moved twice for one job."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ophyd import Component, Device, Signal
from ophyd.sim import SynAxis, SynGauss
from ophyd.status import Status

from campaigns.errors import LimitError
from campaigns.lab.setpoints import TAKEN_NAMES, SetpointConfig
from campaigns.values import Cause
from instruments import job_memory, whole_file
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.device_plans import move_and_read
from instruments.devices.setpoint import resolved
from instruments.job import Fate, Job, StepResult
from instruments.job_instrument import JobInstrument
from instruments.job_memory import JobMemory
from instruments.real_lab import RealLab
from tests.labs import Crew

JOB = "t3-move"
X = SetpointConfig(limits=(-5.0, 5.0), signal="motor")


class Floor(RealLab):
    """A laboratory with one bound station, whose memory lies in a folder."""

    def __init__(self, folder: Path, devices: dict[str, Any], **setpoints: SetpointConfig) -> None:
        super().__init__(0.0)
        found = {key: resolved(key, one, devices, f"stations.stage.setpoints.{key}") for key, one in setpoints.items()}
        binding = Binding(devices, found, lambda recipe, _: move_and_read(list(devices.values()), found, recipe))
        self.memory = JobMemory(folder)
        made = BoundInstrument.of(binding)(name="stage", clock=self.clock, binding=binding, memory=self.memory)
        self.stage = made
        self.on_close(made.close)

    def instrument(self, name: str) -> JobInstrument:
        assert name == "stage"
        return self.stage


Open = Callable[..., Crew[Floor]]


@pytest.fixture
def opened(tmp_path: Path, no_leaks: None) -> Iterator[Open]:
    """A function from devices and setpoints to the crew of a lab that remembers in one folder."""
    crews: list[Crew[Floor]] = []

    def make(devices: dict[str, Any], **setpoints: SetpointConfig) -> Crew[Floor]:
        crews.append(Crew(Floor(tmp_path, devices, **setpoints), "stage"))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()


class Counted(SynAxis):
    """An axis that counts how often it was sent somewhere."""

    sent = 0

    def set(self, value: float) -> Any:
        self.sent += 1
        return super().set(value)


def job(recipe: dict[str, Any], timeout: float = 30.0, *, adopt: bool = False) -> Job:
    return Job(3, "move", 1, JOB, "3", None, recipe, timeout, adopt=adopt)


def peak(motor: Any, name: str = "det") -> dict[str, Any]:
    det = SynGauss(name, motor, motor.name, center=1.0, Imax=2.0, sigma=1.0)
    return {"motor": motor, "det": det}


def run(crew: Crew[Floor], one: Job) -> StepResult:
    crew.submit(one, "stage")
    return crew.wait()


def did(crew: Crew[Floor], **recipe: Any) -> StepResult:
    return run(crew, job(recipe or {"x": 1.0}))


def test_a_job_moves_waits_and_reads_what_the_devices_give(opened: Open) -> None:
    crew = opened(peak(SynAxis(name="motor", delay=0.05)), x=X)
    assert did(crew).ok
    (event,) = crew.events()
    assert event["data"]["stage_det"] == pytest.approx(2.0)
    assert (event["data"]["stage_x"], event["data"]["stage_motor"]) == (1.0, 1.0)
    (keys,) = [document["data_keys"] for _, name, document in crew.documents if name == "descriptor"]
    assert keys["stage_x"]["units"] == "mm"
    assert crew.lab.stage.has_finished(JOB)


class Gas(Counted):
    """An axis that may not be set while another one is far out."""

    other: SynAxis

    def set(self, value: float) -> Any:
        if self.other.position > 2.0:
            raise LimitError(f"motor is {self.other.position:g}; forbidden; nothing was moved")
        return super().set(value)


@pytest.mark.parametrize("beside", [0.0, 3.0])
def test_what_is_forbidden_beside_where_another_part_still_is_is_set_after_it(opened: Open, beside: float) -> None:
    gas, motor = Gas(name="gas"), Counted(name="motor", value=4.0)
    gas.other = motor
    crew = opened({"gas": gas, "motor": motor}, gas=X.model_copy(update={"signal": "gas"}), x=X)
    result = did(crew, gas=1.0, x=beside)
    assert motor.position == beside
    assert result.ok is (beside == 0.0)
    assert (gas.sent, motor.sent) == (int(result.ok), 1)
    assert result.ok or "motor is 3; forbidden" in str(result.error)


def test_a_reading_without_a_unit_has_that_of_the_campaign_file(opened: Open) -> None:
    crew = opened(peak(SynAxis(name="motor")), x=X)
    object.__setattr__(crew.lab.stage.binding, "units", {"det": "1/s"})
    assert crew.lab.stage.check_units()["det"] == "1/s"
    assert did(crew).ok
    (keys,) = [document["data_keys"] for _, name, document in crew.documents if name == "descriptor"]
    assert keys["stage_det"]["units"] == "1/s"


def test_a_reading_whose_name_begins_with_the_stations_is_called_without_it_as_analyses_call_it(opened: Open) -> None:
    crew = opened(peak(SynAxis(name="motor"), "stage_det"), x=X)
    object.__setattr__(crew.lab.stage.binding, "units", {"det": "1/s"})
    assert did(crew).ok
    (keys,) = [document["data_keys"] for _, name, document in crew.documents if name == "descriptor"]
    assert keys["stage_det"]["units"] == "1/s"


def test_a_recipe_beyond_the_limits_moves_nothing(opened: Open) -> None:
    motor = Counted(name="motor")
    crew = opened(peak(motor), x=X)
    result = did(crew, x=7.0)
    assert (result.ok, result.dispatched, motor.sent) == (False, False, 0)
    assert "x got 7.0; allowed: -5 to 5; nothing was moved" in (result.error or "")


@pytest.mark.slow
def test_an_axis_that_is_not_where_it_was_sent_is_a_fault(opened: Open) -> None:
    crew = opened(peak(SynAxis(name="motor", readback_func=lambda x: 0.9 * x)), x=X)
    result = did(crew, x=4.0)
    assert (result.ok, result.dispatched, result.cause) == (False, True, Cause.LAB)
    assert result.error == "stage: fault: motor was sent to 4.0 mm and is at 3.6; look at the device"
    assert crew.lab.stage.has_finished(JOB)
    assert crew.events() == []


def test_a_job_that_was_done_is_adopted_with_its_readings_and_moves_nothing(opened: Open) -> None:
    first = opened(peak(Counted(name="motor")), x=X)
    assert did(first).ok
    motor = Counted(name="motor")
    second = opened(peak(motor), x=X)
    result = run(second, job({"x": 1.0}, adopt=True))
    assert result.ok
    assert motor.sent == 0
    kept, again = first.events()[0]["data"], second.events()[0]["data"]
    assert {key: again[key] for key in ("stage_det", "stage_motor")} == {
        key: kept[key] for key in ("stage_det", "stage_motor")
    }


def test_a_job_that_is_remembered_with_another_recipe_is_not_taken_for_this_one(opened: Open) -> None:
    assert did(opened(peak(SynAxis(name="motor")), x=X)).ok
    motor = Counted(name="motor")
    crew = opened(peak(motor), x=X)
    result = did(crew, x=2.0)  # an old store was restored, and proposes something else under the same number
    assert not result.ok
    assert "remembers job t3-move with another recipe ({'x': 1.0})" in (result.error or "")
    assert did(crew, x=1.0).ok
    assert motor.sent == 0


def test_of_a_job_that_was_cut_short_nobody_can_tell_and_nothing_is_repeated(opened: Open) -> None:
    motor = Counted(name="motor")
    crew = opened(peak(motor), x=X)
    crew.lab.memory.begin(JOB, {"x": 1.0})  # and the controller was killed
    result = run(crew, job({"x": 1.0}, adopt=True))
    assert (result.ok, result.dispatched, motor.sent) == (False, True, 0)
    assert "nobody can tell how far job t3-move came: the controller ended while" in (result.error or "")
    stage = crew.lab.stage
    assert (stage.never_began(JOB), stage.has_finished(JOB)) == (False, False)
    assert stage.never_began("t4-move")


class Stuck(SynAxis):
    """An axis that never arrives."""

    def set(self, value: float) -> Any:  # noqa: ARG002
        return Status(self)


def test_a_job_that_takes_too_long_is_stopped_and_unknown(opened: Open) -> None:
    crew = opened(peak(Stuck(name="motor")), x=X.model_copy(update={"timeout": 0.1}))
    result = did(crew)
    assert not result.ok
    assert "TimeoutError" in (result.error or "")
    assert not crew.lab.stage.has_finished(JOB)


@pytest.mark.slow
def test_a_job_over_its_step_s_time_limit_is_given_up(opened: Open) -> None:
    crew = opened(peak(Stuck(name="motor")), x=X)
    result = run(crew, job({"x": 1.0}, timeout=0.3))
    assert "did not end within" in (result.error or "")
    assert crew.lab.stage.state.get() == "unknown"
    record = crew.lab.memory.ended(JOB)
    assert record is not None
    assert record["message"] == "aborted: the job was given up"


class Refusing(SynAxis):
    """An axis whose controller refuses to move."""

    def set(self, value: float) -> Any:  # noqa: ARG002
        status = Status(self)
        status.set_exception(RuntimeError("amplifier off"))
        return status


def test_a_device_that_refuses_is_a_fault(opened: Open) -> None:
    crew = opened(peak(Refusing(name="motor")), x=X)
    assert did(crew).error == "stage: fault: RuntimeError: amplifier off"


class Gone(SynAxis):
    """An axis whose link is lost as it refuses."""

    connected = True

    def set(self, value: float) -> Any:  # noqa: ARG002
        status = Status(self)
        self.connected = False
        status.set_exception(RuntimeError("amplifier off"))
        return status


class Silent(SynAxis):
    """An axis whose link is silent as it is told something."""

    def set(self, value: float) -> Any:  # noqa: ARG002
        status = Status(self)
        status.set_exception(ConnectionError("no answer"))
        return status


@pytest.mark.parametrize("kind", [Gone, Silent])
def test_of_a_device_whose_link_is_lost_nobody_can_tell_whether_it_has_refused(
    opened: Open, kind: type[SynAxis]
) -> None:
    crew = opened(peak(kind(name="motor")), x=X)
    assert did(crew).fate is Fate.UNKNOWN
    assert crew.lab.stage.state.get() == "unknown"


class Moving(SynAxis):
    moving = True


def test_a_device_that_still_moves_is_waited_for(opened: Open) -> None:
    crew = opened(peak(Moving(name="motor")), x=X)
    result = did(crew)
    assert (result.error, result.dispatched, result.busy) == (
        "stage: motor is still moving; nothing was moved",
        False,
        True,
    )


class Heater(Device):
    """A heater that is at its setpoint a while after that was written."""

    setpoint = Component(Signal, value=20.0)
    chamber = Component(Signal, value=20.0)
    gas = Component(Signal, value="air")

    def follow(self) -> None:
        def later(*, value: float, **_: Any) -> None:
            threading.Timer(0.2, lambda: self.chamber.put(value + 0.3)).start()

        self.setpoint.subscribe(later, run=False)


@pytest.mark.slow
def test_a_readback_elsewhere_is_waited_for(opened: Open) -> None:
    heater = Heater(name="heater")
    heater.follow()
    temperature = SetpointConfig(
        unit="degC", limits=(0, 500), signal="setpoint", readback="chamber", tolerance=0.5, dwell=0.2, timeout=10.0
    )
    crew = opened({"heater": heater}, temperature=temperature, gas=SetpointConfig(choices=("air", "argon")))
    assert did(crew, temperature=100.0, gas="argon").ok
    data = crew.events()[0]["data"]
    assert (data["stage_heater_chamber"], data["stage_heater_gas"]) == (100.3, "argon")
    refused = did(crew, temperature=100.0, gas="neon").error or ""
    assert "gas got 'neon'; allowed: air, argon" in refused


def test_no_setpoint_is_called_as_what_an_instrument_has_itself(opened: Open) -> None:
    from ophyd.device import DEVICE_INSTANCE_ATTRS, DEVICE_RESERVED_ATTRS

    stage = opened(peak(SynAxis(name="motor")), x=X).lab.stage
    has = {*dir(type(stage)), *vars(stage), *DEVICE_RESERVED_ATTRS, *DEVICE_INSTANCE_ATTRS} - {"x"}
    lacking = {name for name in has if not name.startswith("_") and name.islower()} - TAKEN_NAMES
    assert not lacking, f"add to campaigns.lab.setpoints.TAKEN_NAMES: {' '.join(sorted(lacking))}"


def test_a_disk_that_is_full_costs_no_sample_and_nothing_moves_until_there_is_room(
    opened: Open, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    motor = Counted(name="motor", delay=0.05)
    crew = opened(peak(motor), x=X)
    following = replace(job({"x": 2.0}), token=f"{JOB}-again")
    original = whole_file.write_whole
    written: list[Path] = []

    def full(path: Path, text: str) -> None:
        written.append(path)
        if len(written) > 1:  # the disk is full as soon as the job has begun
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        original(path, text)

    with monkeypatch.context() as patch:
        patch.setattr(job_memory, "write_whole", full)
        assert did(crew).ok
        assert crew.lab.stage.has_finished(JOB)
        assert JobMemory(tmp_path).ended(JOB) is None
        waits = run(crew, following)
        assert (waits.busy, waits.fate) == (True, Fate.NEVER_BEGAN)
        assert waits.error is not None
        assert waits.error.endswith("cannot be written: No space left on device; make room; nothing was moved")
        assert motor.sent == 1
    assert run(crew, following).ok
    ended = JobMemory(tmp_path).ended(JOB)
    assert ended is not None
    assert ended["state"] == "done"
