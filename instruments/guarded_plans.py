"""A filter of the messages of users' plans: ramps where a rate is stated, and nothing that nobody has limited."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import Msg

from campaigns.errors import LimitError
from instruments.limits import readable
from instruments.plan_runner import Plan
from instruments.station_guard import StationGuard

_ACTING = frozenset({"trigger", "kickoff"})
"""Messages beside ``set`` by which something begins."""


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
        if message.command == "set":
            return _checked(lambda: _check_unnamed(guard, message.obj, message.args, devices), message), None
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


def _check_unnamed(guard: StationGuard, moved: Any, values: tuple[Any, ...], devices: Collection[Any]) -> None:
    """Check a setpoint of which the lab file says nothing: the device itself has to limit a number.

    Raises:
        InterlockError: nothing may move now.
        LimitError: the value lies outside of the device's limits, or nobody limits it.
    """
    guard.check_open()
    value: Any = values[0] if values else None
    if isinstance(value, str | bytes | bool) or not hasattr(value, "__float__") or not guard.rules.strict:
        return
    found = getattr(moved, "limits", None)
    if found is None or not readable(*found):
        named = ", ".join(one.name for one in devices)
        raise LimitError(
            f"{guard.name}: the plan sets {getattr(moved, 'name', moved)}, of which nobody states limits; nothing was "
            f"moved; add it to limits of the station in the lab file (its devices: {named})"
        )
    if not found[0] <= float(value) <= found[1]:
        allowed = f"{found[0]:g} to {found[1]:g}"
        raise LimitError(f"{guard.name}: {moved.name} got {value:g}; allowed: {allowed}; nothing was moved")
