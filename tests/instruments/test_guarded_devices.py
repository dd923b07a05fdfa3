"""Nothing is set past a guard: by no plan, no driver that overrides its checks, and no code between the lines."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import Msg
from ophyd import Component, Device, Signal
from ophyd.sim import SynAxis
from ophyd.utils import ExceptionBundle

from campaigns.errors import EmergencyStopError, InterlockError, LimitError
from campaigns.lab.conditions import condition
from campaigns.lab.lab_rules import LimitConfig
from campaigns.lab.setpoints import SetpointConfig
from instruments import safe_state, station_guard
from instruments.clock import WallClock
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.setpoint import resolved
from instruments.emergency_stop import MadeStop, StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.interlock_readings import InterlockReading, plain_value
from instruments.job_memory import JobMemory
from instruments.safety_monitor import SafetyMonitor, WatchedLab
from instruments.station_guard import StationGuard, StationRules
from simulators.faults import Fault
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, job

X = LimitConfig(unit="mm", low=-2.0, high=2.0)
OPEN_DOOR = "interlock: door is open; required: door == closed"


class Stage(Device):
    """An axis, and a lamp of which nobody states limits."""

    motor = Component(SynAxis, name="motor")
    lamp = Component(Signal, value=0.0)
    mode = Component(Signal, value="idle")


class Floor:
    """One station with a stage behind a guard."""

    def __init__(self, folder: Path, **rules: Any) -> None:
        self.clock, self.stage = WallClock(), Stage(name="stage")
        self.door = Signal(name="door", value="closed")
        self.stop = StopFile(folder / "lab.stop")
        config = SetpointConfig(unit="mm", limits=(-5.0, 5.0), signal="motor")
        self.plan: Any = None
        self.binding = Binding(
            {"stage": self.stage}, {"x": resolved("x", config, {"stage": self.stage}, "x")}, lambda *_: self.plan()
        )
        memory = JobMemory(folder / "station")
        self.instrument = BoundInstrument.of(self.binding)(
            name="station", clock=self.clock, binding=self.binding, memory=memory
        )
        found = StationRules(**{"limits": {"x": X, "motor": X}, "safe": {"motor": 0.5}, "strict": True, **rules})
        self.readings = {"door": InterlockReading("door", self.door, 0.2)}
        guard = StationGuard("station", found, self.readings, {}, self.stop, self.values)
        self.guarded = GuardedInstrument(self.instrument, guard)
        self.guard = guard
        self.told: list[str] = []
        self.busy, self.given_up = True, [""]
        alarms = (condition("door == pressed"),)
        lab = WatchedLab(self.stop, {"station": self.guarded}, {"station": self}, self.readings, alarms)
        self.monitor = SafetyMonitor(lab, self.told.append)

    def values(self) -> dict[str, Any]:
        return self.guarded.values()

    def abort(self, reason: str) -> None:
        self.given_up.append(reason)
        self.busy = False

    def run(self, plan: Callable[[], Any]) -> None:
        self.binding.runner.run(plan(), lambda *_: None, {})

    def close(self) -> None:
        self.monitor.end()
        self.guarded.release()
        self.instrument.close()
        self.clock.close()


@pytest.fixture
def floor_of(tmp_path: Path, no_leaks: None) -> Iterator[Callable[..., Floor]]:
    """A function from rules to a floor."""
    made: list[Floor] = []

    def make(**rules: Any) -> Floor:
        made.append(Floor(tmp_path, **rules))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("way", ["set", "directly", "by its setpoint"])
def test_a_plan_sets_nothing_beyond_the_hard_limits(floor_of: Callable[..., Floor], way: str) -> None:
    floor = floor_of()
    motor = floor.stage.motor

    def plan() -> Any:
        yield from bps.mv(motor, 1.0)
        if way == "set":
            yield from bps.mv(motor, 3.0)
        elif way == "directly":
            motor.set(3.0)
        else:
            motor.setpoint.put(3.0)

    with pytest.raises(LimitError, match="got 3 mm; allowed: -2 to 2 mm by the lab file"):
        floor.run(plan)
    assert motor.position == 1.0


def test_a_plan_cleans_up_when_it_was_refused(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of()
    motor = floor.stage.motor
    with pytest.raises(LimitError):
        floor.run(lambda: bpp.finalize_wrapper(bps.mv(motor, 3.0), bps.mv(motor, -1.0)))
    assert motor.position == -1.0


def test_a_plan_sets_no_number_of_which_nobody_states_limits(floor_of: Callable[..., Floor]) -> None:
    floor, foreign = floor_of(), SynAxis(name="foreign")
    for moved in (floor.stage.lamp, foreign):
        with pytest.raises(LimitError, match="of which nobody states limits"):
            floor.run(partial(bps.mv, moved, 1.0))
    foreign.limits = (0.0, 2.0)
    floor.run(lambda: bps.mv(foreign, 1.5, floor.stage.mode, "on"))
    with pytest.raises(LimitError, match=r"foreign got 2\.5; allowed: 0 to 2"):
        floor.run(lambda: bps.mv(foreign, 2.5))


@pytest.mark.parametrize("value", [[1.0], (1.0, "on"), np.array([1.0]), np.array(1.0), {"power": 1.0}, "1e3"], ids=repr)
@pytest.mark.parametrize("way", ["set", "prepare", "configure"])
def test_a_number_that_nobody_limits_is_none_in_another_form_or_by_another_message(
    floor_of: Callable[..., Floor], way: str, value: Any
) -> None:
    floor = floor_of()
    told = {"lamp": value} if way == "configure" else value
    obj = floor.stage if way == "configure" else floor.stage.lamp
    with pytest.raises(LimitError, match="of which nobody states limits"):
        floor.run(lambda: iter([Msg(way, obj, told)]))
    assert floor.stage.lamp.get() == 0.0
    assert not floor.binding.runner.moved


@pytest.mark.parametrize("way", ["set", "prepare", "configure"])
def test_no_message_acts_while_nothing_may_move(floor_of: Callable[..., Floor], way: str) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.door.put("open")
    told = {"mode": "on"} if way == "configure" else "on"
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        floor.run(lambda: iter([Msg(way, floor.stage if way == "configure" else floor.stage.mode, told)]))


@pytest.mark.parametrize("value", [None, [1.0], np.array([1.0]), {"x": 1.0}, b"1"], ids=repr)
def test_what_is_no_number_is_refused_where_one_is_limited(floor_of: Callable[..., Floor], value: Any) -> None:
    floor = floor_of()
    with pytest.raises(LimitError, match="allowed: -2 to 2 mm by the lab file"):
        floor.run(lambda: bps.abs_set(floor.stage.motor, value))
    assert floor.stage.motor.position == 0.0


class Valve(Signal):
    """A signal that a driver has overridden, so that something moves by it."""

    def put(self, value: Any, **kwargs: Any) -> None:
        """Turn the valve."""
        super().put(value, **kwargs)


class StagedStage(Stage):
    """A stage with valves, one of which is set as it is staged."""

    valve = Component(Valve, value=0.0)
    shutter = Component(Valve, value=0.0)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stage_sigs["shutter"] = 1.0


@pytest.mark.parametrize("part", ["motor", "valve", "shutter"])
def test_what_a_plan_tells_between_its_messages_has_moved_and_staging_has_not(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    monkeypatch.setitem(globals(), "Stage", StagedStage)
    floor = floor_of()

    def plan() -> Any:
        yield from bps.stage(floor.stage)
        if part != "shutter":
            getattr(floor.stage, part).set(1.0)
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        floor.run(plan)
    assert floor.binding.runner.moved is (part != "shutter")


def test_a_setpoint_is_moved_in_steps_where_a_rate_is_stated(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_guard, "RAMP_STEP", 0.05)
    floor = floor_of()
    slow = X.model_copy(update={"rate": 10.0})
    object.__setattr__(floor.guard.rules, "limits", {"x": slow, "motor": slow})
    motor, seen = floor.stage.motor, []
    motor.readback.subscribe(lambda value, **_: seen.append(value), run=False)
    with pytest.raises(
        LimitError, match="would change from 0 to 2 mm at once; allowed by the lab file: 600 mm per minute"
    ):
        motor.set(2.0)
    floor.run(lambda: bps.mv(motor, 2.0))
    assert motor.position == 2.0
    steps = [later - earlier for earlier, later in pairwise(seen)]
    assert len(steps) >= 3
    assert all(0 < step <= 10.0 * 0.05 * 1.001 for step in steps)


def test_a_part_that_starts_outside_its_limits_comes_back_at_its_rate_and_never_goes_further(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(station_guard, "RAMP_STEP", 0.02)
    floor = floor_of()
    motor, seen = floor.stage.motor, [3.0]
    floor.guarded.release()
    motor.set(3.0)
    slow = X.model_copy(update={"rate": 20.0})
    rules = StationRules({"x": slow, "motor": slow}, strict=True)
    guarded = GuardedInstrument(floor.instrument, StationGuard("station", rules, {}, {}, floor.stop, floor.values))
    motor.readback.subscribe(lambda value, **_: seen.append(value), run=False)
    try:
        for wrong in (3.1, 3.0, -2.5):
            with pytest.raises(LimitError, match="allowed: -2 to 2 mm"):
                motor.set(wrong)
        floor.run(lambda: bps.mv(motor, 1.5))
    finally:
        guarded.release()
    assert motor.position == 1.5
    assert len([place for place in seen if place > 2.0]) >= 2
    assert all(0 < before - after <= 20.0 * 0.02 * 1.001 for before, after in pairwise(seen))


def test_a_rate_counts_from_where_a_part_is_after_a_safe_state_and_after_a_move_that_failed(
    floor_of: Callable[..., Floor],
) -> None:
    now = [1000.0]
    floor = floor_of(safe={"x": -2.0})
    slow = X.model_copy(update={"rate": 1.0})
    object.__setattr__(floor.guard.rules, "limits", {"x": slow, "motor": slow})
    object.__setattr__(floor.guard, "_now", lambda: now[0])
    motor = floor.stage.motor
    with pytest.raises(LimitError, match=r"got 1e\+300 mm; allowed: -2 to 2 mm"):
        floor.run(lambda: bps.mv(motor, 1e300))  # whose ramp has no end
    for wanted in (1.0, 2.0):
        motor.set(wanted)
        now[0] += 1.0
    floor.guard.close("the door")
    motor.set(-2.0)
    floor.guard.open()
    now[0] += 1.0
    with pytest.raises(LimitError, match="would change from -2 to 2 mm at once"):
        motor.set(2.0)
    with pytest.raises(TypeError):
        motor.set(-1.5, 3, 4)
    now[0] += 1.0
    motor.set(-1.0)


@pytest.mark.parametrize("value", ["open", 3, None])
def test_nothing_moves_while_a_requirement_does_not_hold_or_cannot_be_read(
    floor_of: Callable[..., Floor], value: Any
) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.stage.motor.set(1.0)
    floor.door.put(value)
    for attempt in (
        lambda: floor.stage.motor.set(1.5),
        lambda: floor.run(lambda: bps.mv(floor.stage.motor, 1.5)),
        lambda: floor.run(lambda: bps.trigger(floor.stage.motor)),
        floor.instrument.check_ready,
        lambda: floor.instrument.set("t1", timeout=1.0),
        lambda: floor.instrument.start("t1"),
    ):
        with pytest.raises(InterlockError, match="interlock: door"):
            attempt()
    assert floor.stage.motor.position == 1.0
    floor.door.put("closed")
    floor.stage.motor.set(1.5)


def test_forbidden_combinations_are_held_against_what_is_set(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of(combinations=(condition("station.motor > 1 and station.mode == on"),))
    object.__setattr__(floor.guard, "_others", lambda: {"station.mode": (floor.stage.mode.get(),)})
    floor.stage.motor.set(1.5)
    floor.stage.mode.put("on")
    with pytest.raises(LimitError, match=r"station.motor is 1.2, station.mode is on; forbidden by the lab file"):
        floor.stage.motor.set(1.2)
    floor.stage.mode.put(3)  # not understood
    with pytest.raises(LimitError, match="forbidden"):
        floor.stage.motor.set(1.2)


class Slow(Device):
    """An axis that tells its controller by a signal of its own, which goes somewhere else, and is long on its way."""

    setpoint = Component(Signal, value=0.0)
    readback = Component(Signal, value=0.0)
    off = 0.0

    valve = Component(Valve, value=0.0)

    def set(self, value: float) -> None:
        self.setpoint.put(value + self.off)
        self.valve.put(1.0)

    def stop(self, *, success: bool = False) -> None:
        del success
        self.valve.put(0.0)
        self.setpoint.put(self.readback.get() + self.off)


class SlowStage(Stage):
    """A stage with such an axis."""

    motor = Component(Slow, "")


def test_the_setpoint_signal_of_a_positioner_is_guarded_as_the_positioner_itself(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Stage", SlowStage)
    floor = floor_of(requires=(condition("door == closed"),))
    motor = floor.stage.motor
    motor.set(1.0)
    motor.off = 5.0
    for attempt in (lambda: motor.set(1.0), lambda: motor.setpoint.put(3.0), lambda: motor.setpoint.set(3.0)):
        with pytest.raises(LimitError, match=r"got (3|6) mm; allowed: -2 to 2 mm"):
            attempt()
    floor.door.put("open")
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        motor.setpoint.put(1.5)
    assert motor.setpoint.get() == 1.0


def test_a_part_of_which_the_lab_file_says_nothing_moves_by_itself_only_while_something_may(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Stage", SlowStage)
    floor = floor_of(requires=(condition("door == closed"),))
    motor = floor.stage.motor
    motor.valve.put(2.0)
    floor.door.put("open")
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        motor.valve.put(3.0)
    assert safe_state.make_safe(floor.guarded, "smoke") == []
    assert (motor.setpoint.get(), motor.valve.get()) == (0.5, 1.0), "the safe state is set by all of its parts"


def test_a_device_stops_against_an_interlock_by_a_setpoint_nearer_to_where_it_is(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "Stage", SlowStage)
    floor = floor_of(requires=(condition("door == closed"),))
    motor = floor.stage.motor
    motor.set(1.0)
    motor.readback.put(0.25)
    floor.door.put("open")
    floor.stage.stop()
    assert (motor.setpoint.get(), motor.valve.get()) == (0.25, 0.0)
    motor.off = 1.0
    with pytest.raises(ExceptionBundle, match=r"is at 0\.25, and would be sent to 1\.25 to stop it"):
        floor.stage.stop()


def test_forbidden_combinations_are_held_against_where_a_part_was_sent_though_it_has_not_arrived(
    floor_of: Callable[..., Floor],
) -> None:
    lamp = LimitConfig(unit="1", low=0.0, high=9.0)
    combination = condition("station.motor > 1 and station.lamp > 0")
    floor = floor_of(limits={"motor": X, "lamp": lamp}, combinations=(combination,))
    object.__setattr__(floor.guard, "_others", floor.guarded.values)
    floor.stage.motor.delay = 0.2
    floor.stage.motor.set(1.5)
    assert floor.stage.motor.position == 0.0
    with pytest.raises(LimitError, match=r"station.motor is 1.5, station.lamp is 1; forbidden by the lab file"):
        floor.stage.lamp.put(1.0)


def test_an_interlock_that_trips_brings_a_job_into_the_safe_state_and_opens_again(
    floor_of: Callable[..., Floor],
) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.monitor.start()
    floor.stage.motor.set(1.0)
    floor.door.put("open")
    until(lambda: floor.stage.motor.position == 0.5)
    until(lambda: floor.given_up[-1] == OPEN_DOOR)
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        floor.stage.motor.set(1.0)
    floor.door.put("closed")
    until(lambda: not floor.guard.closed)
    floor.stage.motor.set(1.0)
    assert floor.guard.trips == 1


def test_an_idle_station_is_only_kept_from_moving(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.busy = False
    floor.stage.motor.set(1.0)
    floor.door.put("open")
    floor.monitor.start()
    assert floor.guard.closed == OPEN_DOOR
    assert floor.stage.motor.position == 1.0


def test_a_reading_may_fail_for_a_moment_before_a_job_is_given_up(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.readings["door"].read()
    floor.door.put(None)
    floor.monitor.look()
    assert not floor.guard.closed
    time.sleep(0.2)
    floor.monitor.look()
    assert floor.guard.closed == "interlock: door cannot be read; required: door == closed"


def test_an_emergency_acts_within_half_a_second_and_holds(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of()
    floor.monitor.start()
    floor.stage.motor.set(1.0)
    floor.stop.path.touch()
    assert until(lambda: floor.stage.motor.position == 0.5) < 0.5
    with pytest.raises(EmergencyStopError, match="emergency stop by"):
        floor.stage.motor.set(1.0)
    floor.stage.motor.set(0.5)  # the safe state


@pytest.mark.slow
def test_a_part_that_hangs_delays_no_other_and_is_told(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safe_state, "_LONGEST", 0.1)
    floor, hung = floor_of(safe={"lamp": 0.0, "motor": 0.5}), threading.Event()
    monkeypatch.setattr(floor.stage.lamp, "set", lambda _: hung.wait(30))
    floor.stage.motor.set(1.0)
    floor.monitor.start()
    floor.stop.path.touch()
    assert until(lambda: floor.stage.motor.position == 0.5) < 0.5
    until(lambda: "station is NOT in its safe state: lamp: does not answer within 0.1 s; look at it now" in floor.told)
    hung.set()


def test_a_safe_state_is_reached_though_an_interlock_does_not_hold_that_nobody_has_noticed_yet(
    floor_of: Callable[..., Floor],
) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.stage.motor.set(1.0)
    floor.door.put("open")
    assert safe_state.make_safe(floor.guarded, "somebody gives the job up") == []
    assert floor.stage.motor.position == 0.5
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        floor.stage.motor.set(1.0)
    floor.door.put("closed")
    floor.stage.motor.set(1.0)
    floor.door.put("open")
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        floor.stage.motor.set(0.5)


def test_a_safe_state_is_reached_at_once_where_a_rate_is_stated(floor_of: Callable[..., Floor]) -> None:
    slow = LimitConfig.model_validate({"unit": "mm", "low": -2.0, "high": 2.0, "rate": "0.01 mm/s"})
    floor = floor_of(limits={"motor": slow})
    assert safe_state.make_safe(floor.guarded, "somebody gives the job up") == []
    assert floor.stage.motor.position == 0.5


def test_what_a_plan_stops_as_it_ends_is_brought_into_the_safe_state_once_more(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of()
    motor = floor.stage.motor

    def stopped_on_its_way(reason: str) -> None:
        type(motor).set(motor, 0.8)
        Floor.abort(floor, reason)

    floor.abort = stopped_on_its_way  # type: ignore[method-assign]
    floor.monitor.start()
    motor.set(1.0)
    floor.stop.path.touch()
    until(lambda: floor.given_up[-1] != "" and motor.position == 0.5)


def test_a_watch_that_fails_lets_nothing_move(floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch) -> None:
    floor = floor_of()
    floor.monitor.start()
    monkeypatch.setattr(floor.guard, "unmet", lambda **_: 1 / 0)
    until(lambda: "the watch over interlocks fails: ZeroDivisionError" in floor.guard.closed)
    monkeypatch.undo()
    until(lambda: not floor.guard.closed)


def test_an_alarm_that_cannot_be_written_down_stops_nevertheless(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    full = MadeStop(None, ("lab.stop cannot be written: No space left on device",))
    monkeypatch.setattr(StopFile, "make", lambda *_: full)
    floor = floor_of()
    floor.monitor.start()
    floor.stage.motor.set(1.0)
    floor.door.put("pressed")
    until(lambda: floor.stage.motor.position == 0.5)
    floor.door.put("closed")
    assert "alarm: door == pressed" in floor.guard.closed
    assert "cannot be written: No space left on device" in floor.guard.closed


def test_a_reading_may_make_an_emergency_stop_which_stays_when_it_is_normal_again(
    floor_of: Callable[..., Floor],
) -> None:
    floor = floor_of()
    floor.monitor.start()
    floor.door.put("pressed")
    until(lambda: bool(floor.guard.closed))
    floor.door.put("closed")
    there = floor.stop.read()
    assert there is not None
    assert (there.author, there.reason) == ("the laboratory", "door is pressed; alarm: door == pressed")
    with pytest.raises(EmergencyStopError, match="alarm: door == pressed"):
        floor.stage.motor.set(1.0)
    floor.stop.clear("ben", "somebody leant on it")
    floor.stage.motor.set(0.5)
    until(lambda: not floor.guard.closed)


@pytest.mark.parametrize("value", [1, True, b"pressed", None, math.nan, np.array([1.0, 2.0])], ids=repr)
def test_nothing_moves_while_nobody_can_tell_whether_an_alarm_holds(floor_of: Callable[..., Floor], value: Any) -> None:
    floor = floor_of()
    floor.monitor.start()
    floor.stage.motor.set(1.0)
    floor.door.put(value)
    until(lambda: floor.stage.motor.position == 0.5)
    assert re.search("alarm cannot be told: door (cannot be read|is 1); alarm: door == pressed", floor.guard.closed)
    assert floor.stop.read() is None
    floor.door.put("closed")
    until(lambda: not floor.guard.closed)


def test_the_safe_value_is_one_among_others_once_a_guard_is_open_again(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    floor.guard.close("smoke")
    floor.guard.secure()
    floor.guard.open()
    floor.door.put("open")
    with pytest.raises(InterlockError, match=OPEN_DOOR):
        floor.stage.motor.set(0.5)


def test_a_station_that_is_still_made_safe_is_not_opened(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of(requires=(condition("door == closed"),))
    waits: list[Callable[[], None]] = []
    lab = WatchedLab(floor.stop, {"station": floor.guarded}, {"station": floor}, floor.readings)
    monitor = SafetyMonitor(lab, floor.told.append, waits.append)
    floor.door.put("open")
    floor.readings["door"].read()
    monitor.look()
    floor.door.put("closed")
    floor.readings["door"].read()
    monitor.look()
    assert floor.guard.closed
    waits[0]()
    monitor.look()
    assert not floor.guard.closed


def test_a_move_that_failed_says_nothing_of_where_its_part_is(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = X.model_copy(update={"rate": 0.5})
    floor = floor_of(limits={"motor": slow})
    motor = floor.stage.motor

    def fail(value: float) -> None:
        raise OSError(f"{value} was not taken")

    floor.guarded.release()
    monkeypatch.setattr(motor, "set", fail)
    floor.guarded = GuardedInstrument(floor.instrument, floor.guard)
    floor.guard.moved(("x", "motor"), 1.0)
    floor.guard._last["motor"] = floor.guard._last["x"] = (1.0, time.monotonic() - 10)
    with pytest.raises(OSError, match=r"1\.0 was not taken"):
        motor.set(1.0)
    assert floor.guard.steps(("motor",), 0.4, motor) == [], "it is at 0, where it is read, and not at 1"


def test_another_signal_for_the_process_variable_of_a_part_asks_its_guard(
    floor_of: Callable[..., Floor], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Variable(Signal):
        setpoint_pvname = "LAB:power"

        def put(self, value: Any, **kwargs: Any) -> None:
            super().put(value, **kwargs)

    class Powered(Stage):
        power = Component(Variable, value=0.0)

    monkeypatch.setitem(globals(), "Stage", Powered)
    floor_of(limits={"power": LimitConfig(unit="1", low=0.0, high=2.0)})
    twin = Variable(name="twin", value=0.0)
    with pytest.raises(LimitError, match="power got 5; allowed: 0 to 2 1 by the lab file"):
        twin.put(5.0)
    assert twin.get() == 0.0


@pytest.mark.parametrize("value", [1, 1.0, np.int64(1), np.uint8(1), "pressed"], ids=repr)
def test_a_choice_is_read_by_its_text_whatever_number_its_device_gives(value: Any) -> None:
    button = Signal(name="button", value=value)
    vars(button)["enum_strs"] = ("released", "pressed")
    assert plain_value(button) == "pressed"


def test_a_setpoint_that_slips_through_as_the_guard_closes_is_taken_back(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of()

    class Slow(type(floor.stage.motor)):  # type: ignore[misc]
        def set(self, value: float) -> Any:
            floor.guard.close("interlock: just now")
            return super().set(value)

    floor.guarded.release()
    floor.stage.motor.__class__ = Slow
    floor.guarded = GuardedInstrument(floor.instrument, floor.guard)
    floor.stage.motor.set(1.0)
    until(lambda: floor.stage.motor.position == 0.5)


def test_an_instrument_of_its_own_gives_up_its_job(crew_of: Callable[..., Crew[VirtualLab]], tmp_path: Path) -> None:
    crew = crew_of(Fault(3, "oven", "hang"))
    oven = crew.lab.instrument("oven")
    stop = StopFile(tmp_path / "lab.stop")
    guarded = {"oven": GuardedInstrument(oven, StationGuard("oven", StationRules(), {}, {}, stop))}
    monitor = SafetyMonitor(WatchedLab(stop, guarded, crew.stations), lambda _: None)
    monitor.start()
    crew.submit(job())
    until(lambda: oven.token.get() == job().token)  # it is at it, and lab time stands still meanwhile
    stop.make("anna", "smoke")
    until(lambda: oven.state.get() == "fault")
    result = crew.wait()
    monitor.end()
    assert not result.ok
    assert "emergency stop by anna" in (result.error or "")
    assert oven.has_finished(result.job.token)


def test_devices_are_as_they_were_when_a_session_has_ended(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of()
    floor.guarded.release()
    floor.stage.motor.set(9.0)
    floor.run(lambda: bps.mv(floor.stage.lamp, 9.0))
    assert floor.stage.motor.position == 9.0


def test_a_lab_file_that_names_no_part_of_a_station_is_refused(floor_of: Callable[..., Floor]) -> None:
    floor = floor_of()
    guard = StationGuard("station", StationRules({"motr": X}), {}, {}, floor.stop)
    with pytest.raises(LimitError, match="the lab file names motr, and there is no motr"):
        GuardedInstrument(floor.instrument, guard)


def until(reached: Callable[[], bool], longest: float = 20.0) -> float:
    """Wait for a condition, and end at once; return the seconds that it slept, without what a loaded machine adds."""
    slept = 0.0
    while not reached():
        assert slept < longest
        time.sleep(0.005)
        slept += 0.005
    return slept
