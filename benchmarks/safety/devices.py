"""Commands to the devices of random laboratories: from jobs, plans, drivers that override what they can, and directly.

Time passes, readings change or become unreadable, and emergency stops are made and cleared meanwhile.
"""

from __future__ import annotations

import math
import random
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from bluesky import plan_stubs as bps
from ophyd import Component, Device, Signal

from benchmarks.safety.account import Account
from benchmarks.safety.drawing import Drawing
from campaigns.errors import LabError
from campaigns.lab.lab_rules import LabFileConfig
from instruments.clock import WallClock
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.setpoint import resolved
from instruments.emergency_stop import StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.guarded_plans import guarded_messages
from instruments.interlock_readings import InterlockReading
from instruments.job import Job
from instruments.job_instrument import JobInstrument, Quantity
from instruments.job_memory import JobMemory
from instruments.limits import Limits
from instruments.plan_runner import Plan
from instruments.safety_monitor import SafetyMonitor, WatchedLab
from instruments.station_guard import StationGuard
from loop.execution.laboratory.lab_safety import station_rules

_PATIENCE = 60.0
"""Wall time in seconds for which a reading's last value counts: longer than a laboratory is driven."""


class Recorder(Quantity):
    """A signal that tells an account what it is told, and may fail."""

    account: Account
    place = ""
    failing = False

    def put(self, value: Any, **kwargs: Any) -> None:
        """Take a value."""
        if self.failing:
            raise ConnectionError("no answer")
        if self.place:
            self.account.arrived(self.place, value)
        super().put(value, **kwargs)


class Rig(Device):  # type: ignore[misc]  # ophyd has no types
    """A plain device with three parts."""

    a = Component(Recorder, value=0.0)
    b = Component(Recorder, value=0.0)
    c = Component(Recorder, value=0.0)


class Heater(JobInstrument):
    """An instrument of a user's own, which overrides all that it can."""

    settings = ("a", "b", "c")
    a = Component(Recorder, value=0.0, unit="1", limits=(-1e6, 1e6))
    b = Component(Recorder, value=0.0, unit="1", limits=(-1e6, 1e6))
    c = Component(Recorder, value=0.0, unit="1", limits=(-1e6, 1e6))

    @property
    def limits(self) -> Limits:
        """Anything is allowed."""
        return Limits(self.name, dict.fromkeys(self.settings, (-1e9, 1e9)), {})

    def with_defaults(self, recipe: Mapping[str, Any]) -> dict[str, Any]:
        """Check nothing."""
        return dict(recipe)

    def check_ready(self) -> None:
        """Check nothing."""

    def has_job(self, token: str) -> bool:
        """Know no job."""
        del token
        return False

    def start(self, token: str) -> None:
        """Set something by itself, as a driver may."""
        self.token.put(token)
        self.a.put(self.a.get() + 1.0)
        self.state.put("done")

    def progress(self) -> str:
        """Tell nothing."""
        return ""


class Reading(Signal):  # type: ignore[misc]  # ophyd has no types
    """A reading of an account."""

    account: Account

    def get(self, **_: Any) -> Any:
        """Return what the account says; raise where that cannot be read."""
        value = self.account.readings[self.name]
        if value is None:
            raise TimeoutError(self.name)
        return value


class _Idle:
    """A station whose job ends as soon as it is given up, and which then begins another."""

    _given_up = False

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        given_up, self._given_up = self._given_up, False
        return not given_up

    def abort(self, reason: str) -> None:
        """Give up the job."""
        del reason
        self._given_up = True


class RandomLab:
    """A random laboratory, and what may be done to it.

    Args:
        generator: of all that is drawn.
        folder: where the emergency stop stands, and jobs are remembered.
    """

    def __init__(self, generator: random.Random, folder: Path) -> None:
        self._draw, self.account = generator, Account(time=1000.0)
        self._told: list[str] = []
        self._clock = WallClock()
        self.stop = StopFile(folder / "lab.stop")
        self.file = LabFileConfig.model_validate(self._lab_file())
        self._instruments = {name: self._instrument(name, folder) for name in self.file.stations}
        self._readings = {
            name: InterlockReading(name, self._reading(name), _PATIENCE) for name in self.account.readings
        }
        self._guarded: dict[str, GuardedInstrument] = {}
        for name, instrument in self._instruments.items():
            known = (self._readings, self.file.units, self.stop, self._values)
            guard = StationGuard(name, station_rules(self.file, name), *known, lambda: self.account.time)
            self._guarded[name] = GuardedInstrument(instrument, guard)
        lab = WatchedLab(self.stop, self._guarded, dict.fromkeys(self._instruments, _Idle()), self._readings)
        self.monitor = SafetyMonitor(lab, self._told.append, act=lambda action: action())

    def close(self) -> None:
        """End the clock's thread, and those of the engines."""
        for one in self._guarded.values():
            one.release()
            if isinstance(one.instrument, BoundInstrument):
                one.instrument.close()
        self._clock.close()

    def do(self) -> None:
        """Do one thing: a command, a fault, or something that a person does. Refusals are no faults."""
        self.account.time += self._draw.choice((0.0, 0.01, 0.3, 1.0, 60.0))
        ways = (self._set, self._plan, self._job, self._step, self._change, self._fault, self._stop)
        with suppress(LabError, ConnectionError):
            self._draw.choices(ways, weights=(8, 4, 3, 3, 2, 0.6, 1))[0]()
        if self._draw.random() < 0.2:
            for reading in self._readings.values():
                reading.read()
            self.monitor.look()
            self.account.troubled.clear()
        self.account.note_trouble()

    def _lab_file(self) -> dict[str, Any]:
        drawing = Drawing(self._draw, self.account)
        stations = {f"s{i}": self._station(i) | drawing.rules(f"s{i}", "abc") for i in range(self._draw.randint(1, 2))}
        readings, forbidden = drawing.readings({"device": "m:r"}), drawing.forbidden()
        return {"lab": {"kind": "real"}, "stations": stations, "readings": readings, "forbidden": forbidden}

    def _station(self, number: int) -> dict[str, Any]:
        if number == 0:
            return {"kind": "device", "device": "m:Heater"}
        return {"kind": "device", "device": "m:Rig", "setpoints": {name: {} for name in "abc"}}

    def _instrument(self, name: str, folder: Path) -> JobInstrument:
        if name == "s0":
            made: JobInstrument = Heater(name=name, clock=self._clock)
            self._record(made, name)
            return made
        rig = Rig(name=f"{name}_rig")
        self._record(rig, name)
        limits = (-1e6, 1e6)
        config = {
            key: self.file.stations[name].setpoints[key].model_copy(update={"unit": "1", "limits": limits})
            for key in "abc"
        }
        found = {key: resolved(key, config[key], {"rig": rig}, key) for key in "abc"}
        binding = Binding({"rig": rig}, found, lambda *_: bps.null())
        return BoundInstrument.of(binding)(
            name=name, clock=self._clock, binding=binding, memory=JobMemory(folder / name)
        )

    def _record(self, device: Device, station: str) -> None:
        for name in "abc":
            signal = getattr(device, name)
            signal.account, signal.place = self.account, f"{station}.{name}"

    def _reading(self, name: str) -> Reading:
        made = Reading(name=name)
        made.account = self.account
        return made

    def _values(self) -> dict[str, Any]:
        return {key: value for one in self._guarded.values() for key, value in one.values().items()}

    def _any(self) -> tuple[GuardedInstrument, str, Any]:
        """Return a station, one of its parts, and a value: allowed, near, at a limit, beyond, or no number."""
        guarded = self._draw.choice(list(self._guarded.values()))
        part = self._draw.choice("abc")
        own = self.account.parts[f"{guarded.guard.name}.{part}"]
        inside = self._draw.uniform(own.low, own.high)
        near = self.account.now[f"{guarded.guard.name}.{part}"] + self._draw.uniform(-1.0, 1.0) * (own.rate or 1.0)
        odd = (own.low, own.high, own.safe, math.nextafter(own.low, -math.inf), math.nextafter(own.high, math.inf))
        wild = (math.nan, math.inf, -math.inf, "hot", 1e300, -own.high, inside * 1000)
        return (
            guarded,
            part,
            self._draw.choice((inside, inside, near, self._draw.choice(odd), self._draw.choice(wild))),
        )

    def _set(self) -> None:
        """Tell a part something directly, as code between the lines of a plan may."""
        guarded, part, value = self._any()
        way = self._draw.choice(("set", "put"))
        getattr(guarded.parts[part], way)(value)

    def _plan(self) -> None:
        """Let a plan set several parts of a station, through its filter."""
        guarded, _, _ = self._any()
        chosen = [self._any() for _ in range(3)]
        names = {id(found): (part,) for part, found in guarded.parts.items()}
        plan = self._moves([(guarded.parts[part], value) for _, part, value in chosen])
        for message in guarded_messages(guarded.guard, names, [])(plan):
            if message.command == "set":
                message.obj.set(*message.args)
            elif message.command == "sleep":  # on the way of a ramp
                self.account.time += message.args[0]

    def _moves(self, moves: list[tuple[Any, Any]]) -> Plan:
        for found, value in moves:
            yield from bps.abs_set(found, value)

    def _job(self) -> None:
        """Do what a job's plan does: check, write, start."""
        guarded, _, _ = self._any()
        recipe = {part: self._any()[2] for part in "abc"}
        job = Job(0, "step", 1, f"t{self._draw.random()}", "0", None, recipe, 1.0)
        full = guarded.instrument.with_defaults(job.recipe)
        guarded.instrument.check_ready()
        for key, value in full.items():
            getattr(guarded.instrument, key).set(value)
        if guarded.guard.name == "s0":
            guarded.instrument.set(job.token, timeout=1.0)

    def _step(self) -> None:
        """Start a job by the settings that are there."""
        if "s0" in self._instruments:
            self._instruments["s0"].set(f"t{self._draw.random()}", timeout=1.0)

    def _change(self) -> None:
        """Let a reading change, or let it not be read any more."""
        name = self._draw.choice(list(self.account.readings))
        values = (*(self._draw.uniform(-10, 10) for _ in range(4)), None, math.nan)
        value = self._draw.choice(values)
        self.account.readings[name] = value

    def _fault(self) -> None:
        """Let a device fail, or answer again."""
        guarded, part, _ = self._any()
        guarded.parts[part].failing = not guarded.parts[part].failing and self._draw.random() < 0.5

    def _stop(self) -> None:
        """Make an emergency stop, as a command or as another program, or clear it."""
        if self.account.stopped:
            self.account.stopped = self.stop.clear("somebody", "it is safe") is None
        elif (chance := self._draw.random()) < 0.2:
            self.stop.path.touch()
            self.account.stopped = True
        elif chance < 0.25:
            self.stop.make("somebody", "smoke")
            self.account.stopped = True


def drive(seed: int, commands: int) -> Account:
    """Return the account of a random laboratory after so many commands."""
    with tempfile.TemporaryDirectory() as folder:
        lab = RandomLab(random.Random(seed), Path(folder))
        try:
            for _ in range(commands):
                lab.do()
        finally:
            lab.close()
    return lab.account
