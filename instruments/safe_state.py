"""The safe state of a station: what its lab file says is set, in order; else devices are stopped."""

from __future__ import annotations

from collections.abc import Iterator
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
    for part, value in safe.items():
        found = guarded.parts[part]
        yield part, found.stop if value == STOP else lambda found=found, value=value: _tell(found, value)
    if isinstance(instrument, BoundInstrument):
        for name, device in instrument.binding.devices.items():
            if not safe and callable(getattr(device, "stop", None)):
                yield name, device.stop
    else:
        yield instrument.name, lambda: instrument.halt(reason)


def _tell(found: Any, value: Any) -> None:
    """Set a part, without waiting until it is there."""
    tell = getattr(found, "set", None) or found.put
    tell(value)
