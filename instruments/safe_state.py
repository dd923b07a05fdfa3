"""The safe state of a station: what its lab file says is set, in order; else devices are stopped."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from functools import partial
from typing import Any

from campaigns.lab_rules import STOP
from instruments.devices.bound_instrument import BoundInstrument
from instruments.guarded_devices import GuardedInstrument


def make_safe(guarded: GuardedInstrument, reason: str) -> list[str]:
    """Bring a station into its safe state; return what did not work, each part by itself.

    Nothing is waited for: all parts are told before any is asked. An instrument of its own gives up its job then.
    """
    wrong = []
    for part, action in _actions(guarded, reason):
        try:
            action()
        except Exception as error:  # noqa: BLE001 - a device may raise anything, and the others are told nevertheless
            wrong.append(f"{part}: {type(error).__name__}: {error}")
    return wrong


def _actions(guarded: GuardedInstrument, reason: str) -> Iterator[tuple[str, Any]]:
    safe, instrument = guarded.guard.rules.safe, guarded.instrument
    told = [(part, guarded.parts[part], value) for part, value in safe.items()]
    if isinstance(instrument, BoundInstrument) and not safe:
        told = [(name, device, STOP) for name, device in instrument.binding.devices.items() if hasattr(device, "stop")]
    for part, found, value in told:
        action = found.stop if value == STOP else partial(getattr(found, "set", None) or found.put, value)
        later = isinstance(instrument, BoundInstrument) and inspect.iscoroutinefunction(getattr(found, "read", None))
        yield part, partial(instrument.binding.runner.tell, action) if later else action
    if not isinstance(instrument, BoundInstrument):
        yield instrument.name, partial(instrument.halt, reason)
