"""The safe state of a station: what its lab file says is set, in order; else devices are stopped."""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from campaigns.lab.lab_rules import STOP
from instruments.devices.bound_instrument import BoundInstrument
from instruments.guarded_devices import GuardedInstrument

_NEXT = 0.1
"""Wall time in seconds after which the next part is told, though the one before has not answered yet."""
_LONGEST = 2.0
"""Wall time in seconds after which a part counts as one that does not answer. Not tuned, as the other: EPICS answers
within milliseconds, and a device of several parts is told within half a second."""


class _Attempt(threading.Thread):
    """One part that is told its safe value."""

    def __init__(self, part: str, action: Callable[[], Any]) -> None:
        super().__init__(name=f"safe-{part}", daemon=True)
        self._part, self._action, self._raised = part, action, ""
        self.start()

    def run(self) -> None:
        """Tell the part."""
        try:
            self._action()
        except BaseException as error:  # noqa: BLE001 - a device may raise anything, and the others are told as well
            self._raised = f"{type(error).__name__}: {error}"

    def wrong(self, until: float) -> str:
        """Return what did not work, once it has answered or its time is over; empty if all did."""
        self.join(max(until - time.monotonic(), 0.0))
        said = f"does not answer within {_LONGEST:g} s" if self.is_alive() else self._raised
        return said and f"{self._part}: {said}"


def make_safe(guarded: GuardedInstrument, reason: str) -> list[str]:
    """Bring a station into its safe state; return what did not work, each part by itself.

    Parts are told one after the other, and none waits for one that hangs. An instrument of its own gives up its job
    then.
    """
    attempts = []
    guarded.guard.secure()
    for part, action in _actions(guarded, reason):
        attempts.append(_Attempt(part, action))
        attempts[-1].join(_NEXT)
    until = time.monotonic() + _LONGEST
    return [wrong for one in attempts if (wrong := one.wrong(until))]


def unsafe_text(station: str, wrong: str) -> str:
    """Return what people are told of a station that may not be in its safe state."""
    return f"{station} is NOT in its safe state: {wrong}; look at it now"


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
