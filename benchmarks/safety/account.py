"""What a random laboratory was drawn to allow, what has arrived at its devices since, and what was wrong with it.

It is a second and plainer telling of a lab file's rules, kept from what was drawn and not from the file's text.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from instruments.station_guard import RAMP_STEP

UNLIMITED = "unlimited"
"""Where plans alone set something of which nobody states limits: no number may arrive."""


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
    """What was drawn, what has been set since, and what was wrong with it.

    Attributes:
        now: part to where it was sent last.
        shown: part to where it is shown to be, of those that need time to arrive.
        troubled: stations at which something has not held, so that the guard may be closed: their safe values go past.
        time: in seconds, by which rates are kept.
        wall: whether that is the machine's, which goes on by itself.
    """

    parts: dict[str, Part] = field(default_factory=dict)
    required: dict[str, list[Rule]] = field(default_factory=dict)
    forbidden: list[tuple[Rule, Rule]] = field(default_factory=list)
    readings: dict[str, float | None] = field(default_factory=dict)
    now: dict[str, float] = field(default_factory=dict)
    shown: dict[str, float] = field(default_factory=dict)
    moved: dict[str, float] = field(default_factory=dict)
    troubled: set[str] = field(default_factory=set)
    time: float = 0.0
    wall: bool = False
    stopped: bool = False
    setpoints: int = 0
    back: int = 0
    wrong: list[str] = field(default_factory=list)

    def arrived(self, name: str, value: Any) -> None:
        """Judge a setpoint that has reached a device."""
        self.setpoints += 1
        self.time = time.monotonic() if self.wall else self.time
        if name == UNLIMITED:
            self.wrong += [] if isinstance(value, str) else [f"{value} by a plan, where nobody states limits"]
            return
        if name not in self.parts:  # of which the lab file says nothing
            why = self.closed(name.partition(".")[0])
            self.wrong += [f"{name} = {value}: {why}"] if why else []
            return
        part = self.parts[name]
        if value != part.safe or not self.may_secure(part.station):
            self.wrong += [f"{name} = {value}: {why}" for why in self.objections(part, name, value)]
        self.now[name], self.moved[name] = value, self.time

    def is_new(self, name: str) -> None:
        """Take note that a part stands at its begin, as one of a device that was just made."""
        self.now[name] = 0.0
        self.moved.pop(name, None)

    def may_secure(self, station: str) -> bool:
        """Return whether a station may be on its way into its safe state, which nothing keeps it from."""
        return station in self.troubled or threading.current_thread().name.startswith("safe-")

    def objections(self, part: Part, name: str, value: Any) -> Iterator[str]:
        """Yield what speaks against a setpoint."""
        inside = isinstance(value, int | float) and part.low <= value <= part.high
        if not (inside or self.comes_back(part, self.now[name], value)):
            yield f"outside of {part.low} to {part.high}"
        elif why := self.too_fast(part, name, value):
            yield why
        if why := self.closed(part.station):
            yield why
        for pair in self.forbidden:
            if name in (pair[0].name, pair[1].name) and any(
                all(r.holds(at) for r in pair) for at in self.beside(name, value)
            ):
                yield f"forbidden by {pair} beside {self.now}, shown at {self.shown}"

    def beside(self, name: str, value: float) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Return all parts with one that is set now: where they were sent to, and where they are shown to be."""
        return {**self.now, name: value}, {**self.now, **self.shown, name: value}

    def comes_back(self, part: Part, before: float, value: float) -> bool:
        """Return whether a part with a rate that was outside its limits comes nearer to them on its side."""
        excess = max(before - part.high, part.low - before)
        left = value - part.high if before > part.high else part.low - value
        if part.rate is None or not 0.0 < left < excess:
            return False
        self.back += 1
        return True

    def too_fast(self, part: Part, name: str, value: float) -> str:
        """Return why a setpoint comes too early after the last one, or too far from it; empty if it does not.

        A part that was refused something counts from where it is shown to be.
        """
        if part.rate is None:
            return ""
        passed = min(self.time - self.moved.get(name, -math.inf), RAMP_STEP)
        step = min(abs(value - at) for at in (self.now[name], self.shown.get(name, self.now[name])))
        return (
            f"{step} from the last one, shown at {self.shown.get(name)}, rate {part.rate}, after {passed} s"
            if step > part.rate * passed * (1 + 1e-6)
            else ""
        )

    def closed(self, station: str) -> str:
        """Return why nothing may move at a station now; empty if it may."""
        if self.stopped:
            return "in an emergency"
        return "; ".join(f"against {one}" for one in self.required[station] if one.holds(self.readings) is not True)

    def note_trouble(self) -> None:
        """Take note of the stations at which something does not hold now."""
        self.troubled |= {station for station in self.required if self.closed(station)}
