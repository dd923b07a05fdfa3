"""Guards before devices: each way in which a device can be told something is replaced by one that asks first.

It is done to the object itself, so that no plan, no driver and no subclass sets past it, whoever calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import chain
from typing import Any

from ophyd import Device
from ophyd.ophydobj import OphydObject

from campaigns.errors import LimitError
from campaigns.values import Scalar
from instruments.construction_guard import WAYS, acts, guard_twins
from instruments.devices.bound_instrument import BoundInstrument
from instruments.devices.setpoint import BoundSetpoint, part_names
from instruments.guarded_plans import guarded_messages
from instruments.interlock_readings import InterlockReading
from instruments.job_instrument import NO_MATERIAL, JobInstrument, Quantity
from instruments.station_guard import StationGuard

_SETPOINTS = ("setpoint", "user_setpoint")
"""Parts of ophyd's positioners by which these tell their devices where to go."""
_READBACKS = ("readback", "user_readback")
"""Those that show where the devices are."""

_RESTING = ("stop", "unstage", "pause")
"""Methods by which a device comes to rest, which nothing may keep it from."""

Undo = Callable[[], None]


class GuardedInstrument:
    """An instrument whose every setpoint goes through a guard, until it is released.

    Args:
        instrument: what stands at a station.
        guard: of the station.

    Attributes:
        parts: setting, or part of a device, to what is set.
    """

    def __init__(self, instrument: JobInstrument, guard: StationGuard) -> None:
        self.instrument, self.guard = instrument, guard
        self.parts = movable_parts(instrument, (*guard.rules.limits, *guard.rules.safe))
        self._undo: list[Undo] = []
        self._admitted: ContextVar[tuple[bool, ...]] = ContextVar(f"admitted-{guard.name}", default=())
        self._staging: ContextVar[bool] = ContextVar(f"staging-{guard.name}", default=False)
        objects = {id(found): found for found in self.parts.values()}
        names = {key: tuple(part for part, found in self.parts.items() if id(found) == key) for key in objects}
        for key, found in objects.items():
            self._stand_before(found, names[key])
            for inner in _inner(found):
                if id(inner) not in objects:
                    self._stand_before(inner, names[key], next(iter(_parts(found, _READBACKS)), found))
        known = {*objects, *(id(inner) for found in objects.values() for inner in _inner(found))}
        self._replace(instrument, "with_defaults", self._checked_defaults(instrument.with_defaults))
        self._replace(instrument, "check_ready", self._checked_ready(instrument.check_ready))
        for way in ("start", "set"):
            self._replace(instrument, way, self._checked_start(getattr(instrument, way)))
        if isinstance(instrument, BoundInstrument):
            devices = instrument.binding.devices.values()
            for part in chain.from_iterable(map(_all_parts, devices)):
                self._stand_by(part, named=id(part) in known)
            self._undo.append(instrument.binding.runner.filtered(guarded_messages(guard, names, devices)))

    def release(self) -> None:
        """Take the guard away: devices of a module outlive a session."""
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def values(self) -> dict[str, tuple[Scalar | None, ...]]:
        """Return ``station.part`` to where it is now, None where that cannot be read, and where it was sent to."""
        return {f"{self.guard.name}.{part}": tuple(self._values(part, found)) for part, found in self.parts.items()}

    def _values(self, part: str, found: Any) -> Iterator[Scalar | None]:
        yield InterlockReading(part, found, 0.0).read()
        for inner in _parts(found, (*_READBACKS, *_SETPOINTS)):
            yield InterlockReading(part, inner, 0.0).read()
        if (sent := self.guard.sent.get(part)) is not None:
            yield sent

    def _stand_before(self, found: Any, names: Sequence[str], shown: Any = None) -> None:
        """Let a part ask first.

        Args:
            found: what is set.
            names: of the part.
            shown: what shows where it is, if that is something else.
        """
        asking = partial(self._asking, names, found if shown is None else shown)
        for way in WAYS:
            if callable(getattr(found, way, None)):
                self._replace(found, way, asking(getattr(found, way)))
        self._undo.append(guard_twins(found, asking))

    def _stand_by(self, found: Any, *, named: bool) -> None:
        """Let a part of which the lab file says nothing be told nothing while nothing may move, but to come to rest."""
        for way in _RESTING:
            if callable(getattr(found, way, None)):
                self._replace(found, way, self._resting(getattr(found, way)))
        if callable(getattr(found, "stage", None)):
            self._replace(found, "stage", self._readying(found.stage))
        acting = not named and any(acts(found, way) for way in WAYS)
        for way in WAYS if acting else ():
            if callable(getattr(found, way, None)):
                self._replace(found, way, self._while_open(getattr(found, way)))

    @contextmanager
    def _admitting(self, *, resting: bool = False) -> Iterator[None]:
        """Let what a part tells its own parts meanwhile pass; see whether it comes to rest so.

        That holds in this thread, and in the tasks that a device of ophyd-async begins here.
        """
        before = self._admitted.set((resting,))
        try:
            yield
        finally:
            self._admitted.reset(before)

    @property
    def _resting_now(self) -> bool:
        """Whether a device comes to rest by what this thread, or this task, does."""
        return any(self._admitted.get())

    def _resting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        async def rest_later(done: Awaitable[Any]) -> Any:
            with self._admitting(resting=True):
                return await done

        def rest(*values: Any, **kwargs: Any) -> Any:
            with self._admitting(resting=True):
                done = original(*values, **kwargs)
            return rest_later(done) if inspect.iscoroutine(done) else done

        return rest

    def _readying(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Let a device be made ready by its parts, which nobody takes for a move."""

        def ready(*values: Any, **kwargs: Any) -> Any:
            before = self._staging.set(True)
            try:
                return original(*values, **kwargs)
            finally:
                self._staging.reset(before)

        return ready

    def _note_told(self) -> None:
        """Take note that a part is about to be told something that may move it."""
        if isinstance(self.instrument, BoundInstrument) and not self._staging.get():
            self.instrument.binding.runner.told()

    def _while_open(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def tell(*values: Any, **kwargs: Any) -> Any:
            if not self._admitted.get():
                self.guard.check_open()
                self._note_told()
            return original(*values, **kwargs)

        return tell

    def _asking(self, names: Sequence[str], shown: Any, original: Callable[..., Any]) -> Callable[..., Any]:
        def ask_first(value: Any, *more: Any, **kwargs: Any) -> Any:
            if self._resting_now:
                self.guard.check_rest(names, value, shown)
            else:
                self.guard.begins_at(names, shown)
                if not self.guard.check_move(names, value):
                    self._note_told()
            try:
                with self._admitting():
                    done = original(value, *more, **kwargs)
            except BaseException:
                self.guard.not_moved(names)
                raise
            self.guard.moved(names, value)
            if self.guard.closed and not self.guard.is_safe(names, value):
                self.guard.after_closing()
            return done

        return ask_first

    def _checked_defaults(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def with_defaults(recipe: Mapping[str, Scalar]) -> Any:
            full = original(recipe)
            self.guard.check_settings(full)
            return full

        return with_defaults

    def _checked_ready(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def check_ready() -> None:
            original()
            self.guard.check_open()

        return check_ready

    def check_start(self) -> None:
        """Check that the job which the instrument's signals describe may start.

        Raises:
            InterlockError: nothing may move now.
            LimitError: its settings are not allowed.
        """
        self.guard.check_open()
        for settings, material in self.instrument.told:
            self.guard.check_settings(settings, "" if material == NO_MATERIAL else material)

    def _checked_start(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def start(token: str, *more: Any, **kwargs: Any) -> Any:
            if not self.instrument.has_job(token):  # else nothing is started
                self.check_start()
            return original(token, *more, **kwargs)

        return start

    def _replace(self, found: Any, name: str, new: Callable[..., Any]) -> None:
        own = vars(found)
        before = own.get(name)

        def undo() -> None:
            if before is None:
                own.pop(name, None)
            else:
                own[name] = before

        own[name] = new
        self._undo.append(undo)


def _all_parts(device: Any) -> list[Any]:
    """Return a device and all its parts that ophyd, or ophyd-async, has made."""
    if callable(children := getattr(device, "children", None)):
        return [device, *chain.from_iterable(_all_parts(child) for _, child in children())]
    if not isinstance(device, Device):
        return [device] if isinstance(device, OphydObject) else []
    signals = [one.item for one in device.walk_signals()]
    return [device, *signals, *(one for _, one in device.walk_subdevices())]


def _inner(found: Any) -> list[Any]:
    """Return the signals by which a positioner tells its device where to go, which others may set past it."""
    return _parts(found, _SETPOINTS)


def _parts(found: Any, names: Sequence[str]) -> list[Any]:
    there = part_names(found)
    return [getattr(found, name) for name in names if name in there]


def movable_parts(instrument: JobInstrument, named: tuple[str, ...]) -> dict[str, Any]:
    """Return setting, or part of a device, to what is set, of all settings and of what a lab file names.

    Raises:
        LimitError: the lab file names what is not there.
    """
    found = {key: getattr(instrument, key) for key in instrument.settings}
    if isinstance(instrument, BoundInstrument):
        found |= {key: one.moved for key, one in instrument.binding.setpoints.items() if not _is_argument(one)}
    return found | {name: part_of(instrument, name) for name in named if name not in found}


def part_of(instrument: JobInstrument, name: str) -> Any:
    """Return the part of an instrument, or of a station's devices, that a lab file names.

    Raises:
        LimitError: there is none.
    """
    first, *rest = name.split(".")
    devices = dict(instrument.binding.devices) if isinstance(instrument, BoundInstrument) else {}
    found: Any = devices.get(first)
    if found is None:
        home = next(iter(devices.values())) if len(devices) == 1 else instrument
        found, rest = home, [first, *rest]
    for one in rest:
        found = getattr(found, one, None)
        if found is None:
            raise LimitError(f"{instrument.name}: the lab file names {name}, and there is no {one}; correct the name")
    return found


def _is_argument(setpoint: BoundSetpoint) -> bool:
    """Return whether a setpoint is an argument of a plan: a signal of its own, which nothing follows."""
    moved = setpoint.moved
    return isinstance(moved, Quantity) and moved.parent is None and moved.name == setpoint.name
