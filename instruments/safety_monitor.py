"""Watches emergency stop and interlocks all the time, and brings stations into their safe states when one trips."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from campaigns.lab.conditions import Condition
from instruments.emergency_stop import EmergencyStop, StopFile
from instruments.guarded_devices import GuardedInstrument
from instruments.interlock_readings import POLL, InterlockReading, ReadingThreads
from instruments.safe_state import make_safe, unsafe_text

_LAB = "the laboratory"
"""Who makes an emergency stop at an alarm."""
_GIVING_UP = 15.0
"""Wall time in seconds that a job has to end when it is given up. Not tuned: devices have 10 s to stop."""
_TELLING = 10.0
"""Wall time in seconds after which a session ends although a device has not taken what it was told."""

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
        unsafe: called, from any thread, with a station that may not be in its safe state, and what did not work; by
            default, it is only told.
    """

    def __init__(
        self,
        lab: WatchedLab,
        tell: Callable[[str], None],
        act: Callable[[Action], None] | None = None,
        unsafe: Callable[[str, str], None] | None = None,
    ) -> None:
        self._lab, self._tell, self._act = lab, tell, act or in_thread
        self._unsafe = unsafe or (lambda name, wrong: tell(unsafe_text(name, wrong)))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="safety", daemon=True)
        self._readers: ReadingThreads | None = None
        self._securing: set[str] = set()
        self._unwritten: EmergencyStop | None = None
        self.emergency: EmergencyStop | None = None
        for name in lab.guarded:
            self.attend(name)

    def attend(self, name: str) -> None:
        """Watch a station, whose instrument stands behind its guard now."""
        self._lab.guarded[name].guard.after_closing = partial(self._begin_securing, name)

    def start(self) -> None:
        """Look once, and go on looking."""
        for reading in self._lab.readings.values():
            reading.read()
        self._readers = ReadingThreads(self._lab.readings)
        self.look()
        self._thread.start()

    def end(self) -> None:
        """Stop looking, once the stations that are on their way into their safe states have been told."""
        self._ended.set()
        if self._readers is not None:
            self._readers.end()
        if self._thread.is_alive():
            self._thread.join()
        ends = time.monotonic() + _TELLING
        while self._securing and time.monotonic() < ends:
            time.sleep(POLL / 20)

    def look(self) -> None:
        """Look once: close the guards of what is not allowed to move, and open those of what is again."""
        unknown = self._raise_alarm()
        stop, before = self._lab.stop.read() or self._unwritten, self.emergency
        self.emergency = stop and (before or stop)
        if stop is not None and before is None:
            self._tell(stop.text)
        for name, guarded in list(self._lab.guarded.items()):  # more may come
            unmet = guarded.guard.unmet(now=False) or unknown
            why = unmet if self.emergency is None else self.emergency.text
            begins = self.emergency is not None and before is None
            if why and (begins or not guarded.guard.closed):
                self._close(name, why, everything=self.emergency is not None)
            elif not why and guarded.guard.closed and name not in self._securing:
                guarded.guard.open()
                self._tell(f"{name} may be used again")

    def _raise_alarm(self) -> str:
        """Make an emergency stop where an alarm holds; return which cannot be told by its readings."""
        values, unknown = {name: reading.last for name, reading in self._lab.readings.items()}, []
        for one in self._lab.alarms:
            if (holds := one.holds(values)) is None:
                unknown.append(f"alarm cannot be told: {one.found(values, self._lab.units)}; alarm: {one.text}")
            if holds is not True:
                continue
            reason = f"{one.found(values, self._lab.units)}; alarm: {one.text}"
            made = self._lab.stop.make(_LAB, reason)
            if made.stop is None:  # it holds as long as this process lives
                unwritten = f"{reason} ({'; '.join(made.unwritten)})"
                self._unwritten = self._unwritten or EmergencyStop(time.time(), _LAB, unwritten)
        return "; ".join(unknown)

    def _close(self, name: str, why: str, *, everything: bool) -> None:
        """Let nothing move at a station; what is under way there, and in an emergency all, goes into its safe state."""
        self._lab.guarded[name].guard.close(why)
        self._tell(f"{name}: {why}")
        if everything or self._lab.stations[name].busy:
            self._begin_securing(name)

    def _begin_securing(self, name: str) -> None:
        """Bring a station into its safe state, and do not wait: the caller may be its own job."""
        self._securing.add(name)
        self._act(partial(self._secure, name))

    def _secure(self, name: str) -> None:
        """Bring a station into its safe state, and once more when its job has ended: Bluesky stops what has moved."""
        guarded, station = self._lab.guarded[name], self._lab.stations[name]
        why = guarded.guard.closed
        wrong = make_safe(guarded, why)
        station.abort(why)
        ends = time.monotonic() + _GIVING_UP
        while station.busy and time.monotonic() < ends and not self._ended.wait(POLL / 2):
            pass
        wrong = make_safe(guarded, why) if guarded.guard.closed else wrong
        if wrong:
            self._unsafe(name, "; ".join(wrong))
        self._securing.discard(name)

    def _watch(self) -> None:
        while not self._ended.wait(POLL):
            try:
                self.look()
            except Exception as error:  # noqa: BLE001 - who does not see lets nothing move
                self._blind(f"the watch over interlocks fails: {type(error).__name__}: {error}")

    def _blind(self, why: str) -> None:
        for name, guarded in list(self._lab.guarded.items()):
            if not guarded.guard.closed:
                self._close(name, why, everything=False)
