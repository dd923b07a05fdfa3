"""A filter of the messages of users' plans: ramps where a rate is stated, and nothing that nobody has limited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import Msg

from campaigns.errors import LimitError
from instruments.limits import readable
from instruments.plan_runner import Plan
from instruments.station_guard import StationGuard

_ACTING = frozenset({"trigger", "kickoff"})
"""Messages by which something begins, and that have no value."""


def guarded_messages(
    guard: StationGuard, parts: Mapping[int, Sequence[str]], devices: Collection[Any]
) -> Callable[[Plan], Plan]:
    """Return a preprocessor of a station's plans.

    Args:
        guard: of the station.
        parts: id of what is set to the names that the lab file has for it; these ask the guard themselves.
        devices: of the station.
    """

    def filtered(message: Msg) -> tuple[Plan | None, Plan | None]:
        if message.command == "set" and id(message.obj) in parts:
            return _ramped(guard, parts[id(message.obj)], message), None
        if message.command in ("set", "prepare"):
            return _checked(lambda: _check_unnamed(guard, message.obj, message.args, devices), message), None
        if message.command == "configure":
            return _checked(lambda: _check_configured(guard, parts, message, devices), message), None
        if message.command in _ACTING:
            return _checked(guard.check_open, message), None
        return None, None

    return lambda plan: bpp.plan_mutator(plan, filtered)


def _ramped(guard: StationGuard, names: Sequence[str], message: Msg) -> Plan:
    """Set what is on the way, one step after the other, and then what is wanted."""
    guard.begins_at(names, message.obj)
    for value in guard.steps(names, message.args[0], message.obj):
        yield from bps.sleep(guard.pause(names))
        yield from bps.abs_set(message.obj, value)
    yield from bps.sleep(guard.pause(names))
    return (yield message)


def _checked(check: Callable[[], None], message: Msg) -> Plan:
    check()
    return (yield message)


def _check_configured(
    guard: StationGuard, parts: Mapping[int, Sequence[str]], message: Msg, devices: Collection[Any]
) -> None:
    """Check what a device is configured with, part by part; parts that the lab file names ask the guard themselves."""
    guard.check_open()
    told = message.args[0] if message.args and isinstance(message.args[0], Mapping) else message.kwargs
    for name, value in told.items():
        part = getattr(message.obj, str(name), None)
        if id(part) not in parts:
            _check_unnamed(guard, message.obj if part is None else part, (value,), devices)


def _check_unnamed(guard: StationGuard, moved: Any, values: tuple[Any, ...], devices: Collection[Any]) -> None:
    """Check a setpoint of which the lab file says nothing: the device itself has to limit each number of it.

    Raises:
        InterlockError: nothing may move now.
        LimitError: a number lies outside of the device's limits, or nobody limits it.
    """
    guard.check_open()
    numbers = list(_numbers(values, getattr(moved, "enum_strs", None) or ()))
    if not numbers or not guard.rules.strict:
        return
    found = getattr(moved, "limits", None)
    if found is None or not readable(*found):
        named = ", ".join(one.name for one in devices)
        raise LimitError(
            f"{guard.name}: the plan sets {getattr(moved, 'name', moved)}, of which nobody states limits; nothing was "
            f"moved; add it to limits of the station in the lab file (its devices: {named})"
        )
    for value in numbers:
        if not found[0] <= value <= found[1]:
            allowed = f"{found[0]:g} to {found[1]:g}"
            raise LimitError(f"{guard.name}: {moved.name} got {value:g}; allowed: {allowed}; nothing was moved")


def _numbers(value: Any, texts: Collection[str]) -> Iterator[float]:
    """Yield the numbers of a value, however deep they lie; a text that reads as one is one to EPICS.

    Args:
        value: what a part is told.
        texts: those of its choices.
    """
    if isinstance(value, bool | bytes) or value is None or (isinstance(value, str) and value in texts):
        return
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, Collection) and not isinstance(value, str) and getattr(value, "ndim", None) != 0:
        for one in value:
            yield from _numbers(one, texts)
        return
    with suppress(TypeError, ValueError):
        yield float(value)
