"""Random laboratories, recipes, faults and operators against devices that record every setpoint.

    python -m benchmarks.safety

Each laboratory is a random lab file: limits, rates, interlocks, forbidden combinations, safe states. Commands come from
jobs, from plans, from drivers that override what they can, and directly; time passes, readings change or become
unreadable, emergency stops are made and cleared meanwhile. Whether a setpoint that has arrived was allowed is judged by
an account of its own, kept from what was drawn, and not from the lab file's text.
"""

from __future__ import annotations

import math
import random
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from bluesky import plan_stubs as bps
from ophyd import Component, Device, Signal
from rich.console import Console

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
from instruments.station_guard import RAMP_STEP, StationGuard
from loop.execution.laboratory.lab_safety import station_rules

_UNITS = (("degC", "K", 273.15, 1.0), ("mm", "cm", 0.0, 0.1), ("L/min", "mL/min", 0.0, 1000.0))
"""Units of settings and readings, others in which a lab file may state them, and how one becomes the other."""
_SIGNS = ("<", "<=", ">", ">=")


@dataclass(frozen=True)
class Part:
    """A setting with its hard limits and its safe value, in its unit, and its highest rate per second, if any."""

    station: str
    name: str
    unit: int
    low: float
    high: float
    safe: float
    rate: float | None = None


@dataclass(frozen=True)
class Rule:
    """A comparison of what is named with a number, in the unit of that."""

    name: str
    sign: str
    number: float

    def holds(self, values: Mapping[str, float | None]) -> bool | None:
        """Return whether it holds; None where that cannot be told."""
        got = values.get(self.name)
        if got is None or math.isnan(got):
            return None
        return {"<": got < self.number, "<=": got <= self.number, ">": got > self.number, ">=": got >= self.number}[
            self.sign
        ]


@dataclass
class Account:
    """What was drawn, what has been set since, and what was wrong with it."""

    parts: dict[str, Part] = field(default_factory=dict)
    required: dict[str, list[Rule]] = field(default_factory=dict)
    forbidden: list[tuple[Rule, Rule]] = field(default_factory=list)
    readings: dict[str, float | None] = field(default_factory=dict)
    now: dict[str, float] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)
    time: float = 0.0
    stopped: bool = False
    setpoints: int = 0
    back: int = 0
    wrong: list[str] = field(default_factory=list)

    def arrived(self, name: str, value: Any) -> None:
        """Judge a setpoint that has reached a device."""
        self.setpoints += 1
        part = self.parts[name]
        if value != part.safe:
            inside = isinstance(value, int | float) and part.low <= value <= part.high
            if not (inside or self.comes_back(part, self.now[name], value)):
                self.wrong.append(f"{name} = {value} outside of {part.low} to {part.high}")
            elif (why := self.too_fast(part, name, value)) or (why := self.closed(part.station)):
                self.wrong.append(f"{name} = {value}, {why}")
            beside = {**self.now, name: value}
            self.wrong += [
                f"{name} = {value} beside {beside}: {pair}"
                for pair in self.forbidden
                if name in (pair[0].name, pair[1].name) and all(one.holds(beside) for one in pair)
            ]
        self.now[name], self.moved[name] = value, self.time

    def comes_back(self, part: Part, before: float, value: float) -> bool:
        """Return whether a part with a rate that was outside its limits comes nearer to them on its side."""
        excess = max(before - part.high, part.low - before)
        left = value - part.high if before > part.high else part.low - value
        if part.rate is None or not 0.0 < left < excess:
            return False
        self.back += 1
        return True

    def too_fast(self, part: Part, name: str, value: float) -> str:
        """Return why a setpoint comes too early after the last one, or too far from it; empty if it does not."""
        if part.rate is None:
            return ""
        passed = min(self.time - self.moved.get(name, -math.inf), RAMP_STEP)
        step = abs(value - self.now[name])
        return f"{step} from the last one after {passed} s" if step > part.rate * passed * (1 + 1e-6) else ""

    def closed(self, station: str) -> str:
        """Return why nothing may move at a station now; empty if it may."""
        if self.stopped:
            return "in an emergency"
        return "; ".join(f"against {one}" for one in self.required[station] if one.holds(self.readings) is not True)


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
        self._readings = {name: InterlockReading(name, self._reading(name), 0.0) for name in self.account.readings}
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
            self.monitor.look()

    def _lab_file(self) -> dict[str, Any]:
        draw, stations = self._draw, {}
        for i in range(draw.randint(1, 3)):
            self.account.readings[f"r{i}"] = round(draw.uniform(-10, 10), 3)
        units = {name: draw.randrange(len(_UNITS)) for name in self.account.readings}
        for i in range(draw.randint(1, 2)):
            station = f"s{i}"
            limits, safe = {}, {}
            for name in "abc":
                part = self._part(station, name)
                self.account.parts[f"{station}.{name}"] = part
                self.account.now[f"{station}.{name}"] = 0.0
                limits[name] = {"unit": _UNITS[part.unit][0], **self._bounds(part), **self._rate(part)}
                safe[name] = part.safe
            rules = [self._requirement(draw.choice(list(units))) for _ in range(draw.randint(0, 2))]
            self.account.required[station] = rules
            texts = [self._text(one, units[one.name]) for one in rules]
            joined = [" and ".join(texts)] if len(texts) == 2 and draw.random() < 0.5 else texts
            stations[station] = self._station(i) | {"limits": limits, "safe": safe, "requires": joined}
        names = list(self.account.parts)
        for _ in range(draw.randint(0, 2)):
            pair = [self._rule(name, -100, 100) for name in draw.sample(names, 2)]
            self.account.forbidden.append((pair[0], pair[1]))
        forbidden = [
            " and ".join(self._text(one, self.account.parts[one.name].unit) for one in pair)
            for pair in self.account.forbidden
        ]
        readings = {name: {"device": "m:r", "unit": _UNITS[unit][0]} for name, unit in units.items()}
        return {"lab": {"kind": "real"}, "stations": stations, "readings": readings, "forbidden": forbidden}

    def _part(self, station: str, name: str) -> Part:
        low = round(self._draw.uniform(-100, 50), 3)
        high = round(low + self._draw.uniform(1, 100), 3)
        safe = round(self._draw.uniform(low, high), 3)
        rate = round(self._draw.uniform(2, 60), 3) if self._draw.random() < 0.4 else None
        return Part(station, name, self._draw.randrange(len(_UNITS)), low, high, min(max(safe, low), high), rate)

    def _rate(self, part: Part) -> dict[str, Any]:
        """Return the highest rate per second or per minute, of those that have one."""
        unit = _UNITS[part.unit][0].replace("degC", "K")
        if part.rate is None:
            return {}
        return {"rate": f"{part.rate!r} {unit}/s" if self._draw.random() < 0.5 else f"{part.rate * 60!r} {unit}/min"}

    def _bounds(self, part: Part) -> dict[str, Any]:
        """Return limits in the unit, or in another one."""
        if self._draw.random() < 0.5:
            return {"low": part.low, "high": part.high}
        return {"low": self._quantity(part.low, part.unit), "high": self._quantity(part.high, part.unit)}

    def _quantity(self, number: float, unit: int) -> str:
        own, other, zero, slope = _UNITS[unit]
        if self._draw.random() < 0.5:
            return f"{number!r} {own}"
        return f"{round(number * slope + zero, 6)!r} {other}"

    def _rule(self, name: str, low: float, high: float) -> Rule:
        return Rule(name, self._draw.choice(_SIGNS), round(self._draw.uniform(low, high), 3))

    def _requirement(self, name: str) -> Rule:
        """Return a comparison that holds at first, and often later."""
        sign, off = self._draw.choice(_SIGNS), self._draw.uniform(0.1, 15.0)
        found = self.account.readings[name] or 0.0
        return Rule(name, sign, round(found + (off if "<" in sign else -off), 3))

    def _text(self, rule: Rule, unit: int) -> str:
        return f"{rule.name} {rule.sign} {self._quantity(rule.number, unit)}"

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


def main(
    commands: Annotated[int, typer.Option(min=1, help="Commands in all.")] = 1_000_000,
    each: Annotated[int, typer.Option(min=1, help="Commands to one laboratory.")] = 500,
    seed: Annotated[int, typer.Option(help="Of the first laboratory.")] = 0,
) -> None:
    """Drive random laboratories, and print what arrived and what should not have."""
    console, began = Console(), time.monotonic()
    setpoints, wrong = 0, []
    for number in range(math.ceil(commands / each)):
        account = drive(seed + number, each)
        setpoints += account.setpoints
        wrong += [f"laboratory {seed + number}: {one}" for one in account.wrong]
    console.print(
        f"{commands} commands to {math.ceil(commands / each)} laboratories in {time.monotonic() - began:.0f} s: "
        f"{setpoints} setpoints arrived, {len(wrong)} of them outside of limits, too fast, against an interlock, in "
        "an emergency or forbidden beside others"
    )
    for one in wrong[:20]:
        console.print(one)
    raise typer.Exit(1 if wrong else 0)


if __name__ == "__main__":
    typer.run(main)
