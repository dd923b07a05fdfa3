"""Devices and plans of users who try to get past a lab file, each on a world that keeps account.

They override what they can, keep references to inner signals, set from other threads and while they are made, send
inner signals elsewhere than they were told, and let plans move what belongs to other stations.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bluesky import plan_stubs as bps
from bluesky.utils import MsgGenerator
from ophyd import Component, Device, Kind, Signal
from ophyd.status import Status

from benchmarks.safety.account import UNLIMITED, Account
from benchmarks.safety.drawing import UNITS
from campaigns.values import Measurement, MetricValue
from instruments.emergency_stop import StopFile
from instruments.job_instrument import JobInstrument, Quantity
from instruments.limits import Limits

_WAYS = ("set", "put", "move")
_LATE = 0.001
"""Wall time in seconds after which a reading that does not come is given up."""
_ARRIVING = 0.005
"""Wall time in seconds after which an axis is where it was sent."""


@dataclass
class World:
    """A laboratory as it is, beside what is told of it.

    Whatever moves holds the lock from the call until it has arrived, and whoever changes something holds it meanwhile:
    so nothing is judged by what has changed after it was allowed.

    Attributes:
        axes: place in the laboratory to what people set there.
        inner: the same, to the signal behind it.
        lamps: what the lab file says nothing of.
        closed: since when [seconds since the epoch] nothing may move at the first station, and why; empty if it may.
        tries: commands of a user's code in one job.
    """

    account: Account
    draw: random.Random
    stop: StopFile
    tries: int
    lock: Any = field(default_factory=threading.RLock)
    axes: dict[str, Any] = field(default_factory=dict)
    inner: dict[str, Any] = field(default_factory=dict)
    lamps: dict[str, Any] = field(default_factory=dict)
    closed: list[tuple[float, str]] = field(default_factory=list)
    commands: int = 0
    calm: bool = True

    def value(self, place: str) -> Any:
        """Return a setpoint: allowed, near, at a limit, beyond it, or no number."""
        part, draw = self.account.parts[place], self.draw
        inside = draw.uniform(part.low, part.high)
        odd = (part.low, part.high, part.safe, part.low - 1e-6, part.high + 1e-6, self.account.now[place])
        wild = (float("nan"), float("inf"), "hot", 1e300, -part.high, inside * 1000, None)
        return draw.choice((inside, inside, inside, draw.choice(odd), draw.choice(wild)))

    def hammer(self) -> None:
        """Set all that can be reached, again and again, while the laboratory changes."""
        for _ in range(self.tries):
            with self.lock:
                self._change()
                place = self.draw.choice(list(self.axes))
                told, value = self.draw.choice((self.axes, self.inner))[place], self.value(place)
                way = self.draw.choice([one for one in _WAYS if hasattr(told, one)])
            if self.lamps and self.draw.random() < 0.2:
                told, way, value = (
                    self.draw.choice(list(self.lamps.values())),
                    self.draw.choice(("put", "set")),
                    self.draw.random(),
                )
            self.command(lambda told=told, way=way, value=value: getattr(told, way)(value))  # type: ignore[misc]

    def command(self, action: Callable[[], Any]) -> None:
        """Try something, in this thread or in another one; what is refused is refused."""
        self.commands += 1

        def attempt() -> None:
            with suppress(Exception):
                action()

        if self.draw.random() < 0.02:
            thread = threading.Thread(target=attempt)
            thread.start()
            thread.join()
        else:
            attempt()

    def _change(self) -> None:
        """Let a reading change, or let it not be read any more; make an emergency stop, and clear one."""
        account, chance = self.account, self.draw.random()
        if self.calm or chance > 0.1:
            return
        name = self.draw.choice(list(account.readings))
        account.readings[name] = self.draw.choice((self.draw.uniform(-10, 10), None, float("nan")))
        if chance < 0.01 and not account.stopped:
            self.stop.path.touch()
            account.stopped = True
        account.note_trouble()
        self.closed.append((time.time(), account.closed(next(iter(account.required)))))

    def mend(self, readings: Mapping[str, float | None]) -> None:
        """Let all readings be as they were, and clear the emergency stop."""
        with self.lock:
            self.closed.append((time.time(), ""))
            self.account.readings |= readings
            if self.account.stopped:
                self.stop.clear("somebody", "it is safe")
                self.account.stopped = False


WORLDS: dict[int, World] = {}
"""The worlds in which devices are made, by the number that a lab file gives them."""


class Actuator(Quantity):
    """The signal at which setpoints arrive."""

    world: World | None = None
    place = ""

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return _locked(self, found) if name in _WAYS else found

    def put(self, value: Any, **kwargs: Any) -> None:
        """Take a value."""
        if self.world is not None:
            self.world.account.arrived(self.place, value)
        super().put(value, **kwargs)


class Axis(Device):  # type: ignore[misc]  # ophyd has no types
    """A positioner that needs time to arrive."""

    setpoint = Component(Actuator, value=0.0)
    readback = Component(Signal, value=0.0, kind=Kind.hinted)
    world: World | None = None
    off = 0.0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.readback.name = self.name

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        return _locked(self, found) if name == "set" else found

    def set(self, value: Any) -> Status:
        """Go somewhere, or somewhere else."""
        self.setpoint.put(value + self.off if self.off else value)
        status = Status(self)
        threading.Timer(_ARRIVING, self._arrive, (status,)).start()
        return status

    def _arrive(self, status: Status) -> None:
        assert self.world is not None
        with self.world.lock:
            at = self.setpoint.get()
            self.world.account.shown[self.setpoint.place] = at
            self.readback.put(at)
        status.set_finished()


def _locked(of: Any, found: Callable[..., Any]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        if of.world is None:
            return found(*args, **kwargs)
        with of.world.lock:
            return found(*args, **kwargs)

    return call


class Rig(Device):  # type: ignore[misc]  # ophyd has no types
    """A plain device with three axes, of which one goes elsewhere than it was told in some worlds."""

    a = Component(Axis, "")
    b = Component(Axis, "")
    c = Component(Axis, "")
    lamp = Component(Actuator, value=0.0)
    fan = Component(Actuator, value=0.0)

    def __init__(
        self, *args: Any, world: int, station: str, prefix: str = "", sly: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.world = WORLDS[world]
        for name in "abc":
            axis, place = getattr(self, name), f"{station}.{prefix}{name}"
            axis.world = axis.setpoint.world = self.world
            axis.setpoint.place = place
            axis.off = self.world.draw.uniform(-5, 5) if sly else 0.0
            self.world.axes[place], self.world.inner[place] = axis, axis.setpoint
            self.world.account.shown[place] = 0.0
            self.world.account.is_new(place)
        self.lamp.world, self.lamp.place = self.world, f"{station}.lamp"
        self.world.lamps[self.lamp.place] = self.lamp
        self.fan.world, self.fan.place = self.world, UNLIMITED
        if sly:
            self.world.command(lambda: self.a.setpoint.put(1e6))

    def trigger(self) -> Status:
        """Do harm, and measure nothing."""
        self.world.hammer()
        status = Status(self)
        status.set_finished()
        return status


class Heater(JobInstrument):
    """An instrument of a user's own, which overrides all that it can."""

    settings = ("a", "b", "c")
    a = Component(Actuator, value=0.0, limits=(-1e6, 1e6))
    b = Component(Actuator, value=0.0, limits=(-1e6, 1e6))
    c = Component(Actuator, value=0.0, limits=(-1e6, 1e6))

    def __init__(self, *args: Any, world: int, station: str, sly: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.world = WORLDS[world]
        for name in "abc":
            signal, place = getattr(self, name), f"{station}.{name}"
            signal.world, signal.place = self.world, place
            signal.unit = UNITS[self.world.account.parts[place].unit][0]
            self.world.axes[place] = self.world.inner[place] = signal
            self.world.account.is_new(place)
        if sly:
            self.world.command(lambda: self.a.put(1e6))

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
        """Know the last job."""
        return bool(self.token.get() == token)

    def start(self, token: str) -> None:
        """Do harm, and come back as far as that is allowed."""
        told = {name: getattr(self, name).get() for name in self.settings}
        self.token.put(token)
        self.world.hammer()
        for name, value in told.items():
            self.world.command(lambda name=name, value=value: getattr(self, name).put(value))  # type: ignore[misc]
        self.state.put("done")

    def progress(self) -> str:
        """Tell nothing."""
        return ""


class Reading(Signal):  # type: ignore[misc]  # ophyd has no types
    """What interlocks look at."""

    def __init__(self, *, name: str, world: int, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._account = WORLDS[world].account

    def get(self, **_: Any) -> Any:
        """Return what is so; raise where that cannot be read."""
        value = self._account.readings[self.name]
        if value is None:
            time.sleep(_LATE)
            raise TimeoutError(self.name)
        return value


def sneak(rig: Rig, a: float, b: float, c: float) -> MsgGenerator:
    """Move as told, then all that can be reached: by messages, and past them."""
    world = rig.world
    yield from bps.open_run()
    for axis, value in zip((rig.a, rig.b, rig.c), (a, b, c), strict=True):
        yield from bps.abs_set(axis, value, wait=True)
    for _ in range(world.tries // 10):
        place = world.draw.choice(list(world.axes))
        told = world.draw.choice((world.axes, world.inner))[place]
        world.commands += 1
        with suppress(Exception):
            yield from bps.abs_set(rig.fan if world.draw.random() < 0.1 else told, world.value(place))
    world.hammer()
    yield from bps.create()
    yield from bps.read(rig)
    yield from bps.save()
    yield from bps.close_run()


def measured(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return a metric that says nothing."""
    del data, context
    return Measurement({"m": MetricValue(1.0, 0.1, "1")})
