"""Watches emergency stop and interlocks all the time, and brings stations into their safe states when one trips."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from campaigns.conditions import Condition
from instruments.emergency_stop import EmergencyStop, StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.interlock_readings import POLL, InterlockReading, ReadingThreads
from instruments.safe_state import make_safe

Action = Callable[[], None]


def in_thread(action: Action) -> None:
    """Do something in a thread of its own."""
    threading.Thread(target=action, name="safe-state", daemon=True).start()


class GivesUp(Protocol):
    """A station, as far as it is told that its job is given up."""

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""

    def abort(self, reason: str) -> None:
        """Give up the job under way, if any; returns at once."""


@dataclass(frozen=True)
class WatchedLab:
    """A laboratory, as it is watched.

    Attributes:
        stop: its emergency stop.
        guarded: station to its instrument behind its guard.
        stations: station to who runs its jobs.
        readings: name to what conditions look at.
        alarms: conditions at which an emergency stop is made.
        units: of readings, for people.
    """

    stop: StopFile
    guarded: Mapping[str, GuardedInstrument]
    stations: Mapping[str, GivesUp]
    readings: Mapping[str, InterlockReading] = field(default_factory=dict)
    alarms: tuple[Condition, ...] = ()
    units: Mapping[str, str] = field(default_factory=dict)


class SafetyMonitor:
    """Looks at a laboratory again and again, in a thread of its own.

    Args:
        lab: what is watched.
        tell: called, from any thread, with what people have to know.
        act: brings one station into its safe state; in a thread of its own, so that none waits for another.
    """

    def __init__(
        self, lab: WatchedLab, tell: Callable[[str], None], act: Callable[[Action], None] | None = None
    ) -> None:
        self._lab, self._tell, self._act = lab, tell, act or in_thread
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="safety", daemon=True)
        self._readers: ReadingThreads | None = None
        self.emergency: EmergencyStop | None = None
        for name, guarded in lab.guarded.items():
            guarded.guard.after_closing = partial(self._secure, name)

    def start(self) -> None:
        """Look once, and go on looking."""
        for reading in self._lab.readings.values():
            reading.read()
        self._readers = ReadingThreads(self._lab.readings)
        self.look()
        self._thread.start()

    def end(self) -> None:
        """Stop looking."""
        self._ended.set()
        if self._readers is not None:
            self._readers.end()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Look once: close the guards of what is not allowed to move, and open those of what is again."""
        self._raise_alarm()
        stop = self._lab.stop.read()
        if stop is not None and self.emergency is None:
            self.emergency = stop
            self._tell(stop.text)
        if stop is None:
            self.emergency = None
        for name, guarded in self._lab.guarded.items():
            why = guarded.guard.unmet(now=False) if stop is None else stop.text
            if why and (not guarded.guard.closed or (stop is not None and guarded.guard.closed != why)):
                self._close(name, why, everything=stop is not None)
            elif not why and guarded.guard.closed:
                guarded.guard.open()
                self._tell(f"{name} may be used again")

    def _raise_alarm(self) -> None:
        values = {name: reading.last for name, reading in self._lab.readings.items()}
        for one in self._lab.alarms:
            if one.holds(values) is True:
                self._lab.stop.make("the laboratory", f"{one.found(values, self._lab.units)}; alarm: {one.text}")

    def _close(self, name: str, why: str, *, everything: bool) -> None:
        """Let nothing move at a station; what is under way there, and in an emergency all, goes into its safe state."""
        self._lab.guarded[name].guard.close(why)
        self._tell(f"{name}: {why}")
        if everything or self._lab.stations[name].busy:
            self._act(partial(self._secure, name))

    def _secure(self, name: str) -> None:
        guarded = self._lab.guarded[name]
        why = guarded.guard.closed
        wrong = make_safe(guarded, why)
        self._lab.stations[name].abort(why)
        if wrong:
            self._tell(f"{name} is NOT in its safe state: {'; '.join(wrong)}; look at it now")

    def _watch(self) -> None:
        while not self._ended.wait(POLL):
            self.look()
