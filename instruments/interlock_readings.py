"""Readings that interlocks look at: read at once where it matters, and all the time while jobs run."""

from __future__ import annotations

import inspect
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from campaigns.values import Scalar
from instruments.choices import text_of_choice

POLL = 0.1
"""Wall time in seconds between two looks. Not tuned: a fifth of the half second in which a stop has to act."""


class InterlockReading:
    """One reading, and its last value.

    Args:
        name: of the reading.
        source: the signal, or the device, that is read.
        patience: wall time in seconds for which the last value counts when it cannot be read any more.
    """

    def __init__(self, name: str, source: Any, patience: float) -> None:
        self.name, self._source, self._patience = name, source, patience
        self._value: Scalar | None = None
        self._when = -math.inf

    def follow(self, source: Any) -> None:
        """Read another signal, or device, from now on."""
        self._source = source

    def read(self) -> Scalar | None:
        """Return the value now; None if it cannot be read."""
        try:
            value = plain_value(self._source)
        except Exception:  # noqa: BLE001 - a device may raise anything; its reading is then unknown
            return None
        if value is not None:
            self._value, self._when = value, time.monotonic()
        return value

    @property
    def last(self) -> Scalar | None:
        """The last value, unless it is older than its patience."""
        return self._value if time.monotonic() - self._when <= self._patience else None


class ReadingThreads:
    """Reads all readings again and again, each in a thread of its own: one that hangs holds up no other."""

    def __init__(self, readings: Mapping[str, InterlockReading], interval: float = POLL) -> None:
        self._ended, self._interval = threading.Event(), interval
        for reading in readings.values():
            name = f"reading-{reading.name}"
            threading.Thread(target=self._read, args=(reading.read,), name=name, daemon=True).start()

    def end(self) -> None:
        """Let the threads end after what they are reading now."""
        self._ended.set()

    def _read(self, read: Callable[[], Scalar | None]) -> None:
        while not self._ended.wait(self._interval):
            read()


def plain_value(source: Any) -> Scalar | None:
    """Return what a signal or a device reads now: a number, a text, the text of a choice; None if it is none of these.

    Raises:
        Exception: whatever a device raises that does not answer.
    """
    if hasattr(source, "get") and not hasattr(source, "component_names"):
        value = source.get()
    else:
        reading = source.read()
        if inspect.iscoroutine(reading):
            reading.close()
            return None  # a device of ophyd-async answers only on its own loop
        key = source.name if source.name in reading else next(iter(reading))
        value = reading[key]["value"]
    if (text := text_of_choice(value, source)) is not None:
        return text
    number = float(value)
    return None if math.isnan(number) else number
