"""Lab time: the clock that instruments and timeouts go by, and who has to be waited for.

A clock counts the parties that are at work. A simulated clock moves on to its next timer only while nobody is; a wall
clock moves on by itself and needs no such count. Whoever makes a clock is its first party, and is at work.
"""

from __future__ import annotations

import heapq
import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import Protocol

Callback = Callable[[], None]
CLOSING = 10.0
"""Wall time in seconds after which a callback that does not end is left to itself when a clock is closed. Not tuned."""


class Timer:
    """A callback that is due at some lab time, unless it is cancelled before."""

    def __init__(self, when: float, callback: Callback) -> None:
        self.when = when
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Forget the callback; harmless once it has run."""
        self.callback = None

    def run(self) -> None:
        """Run the callback once; what it raises is reported as that of a thread, and the clock goes on."""
        callback, self.callback = self.callback, None
        if callback is None:
            return
        try:
            callback()
        except BaseException:  # noqa: BLE001  lab time must not stand still for one mistake
            threading.excepthook(threading.ExceptHookArgs((*sys.exc_info(), threading.current_thread())))


class Clock(Protocol):
    """Lab time in seconds. Callbacks run one at a time in the clock's thread, have to be short and must not raise."""

    def now(self) -> float:
        """Return the lab time in seconds."""

    def call_at(self, when: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` at lab time ``when`` [s]; timers of the same time run in the order of their keys."""

    def call_later(self, delay: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` after ``delay`` seconds of lab time."""

    def post(self, callback: Callback, key: str = "") -> None:
        """Run ``callback`` now, with one party entered on behalf of the receiver, who has to leave when done."""

    def enter(self) -> None:
        """Count one more party as being at work."""

    def leave(self) -> None:
        """Count one party less as being at work."""

    def wall_time(self, seconds: float) -> float:
        """Return the wall time in seconds that ``seconds`` of lab time take by themselves."""

    def close(self) -> None:
        """Stop the clock's thread; timers that are due later never run."""


class Agenda:
    """The timers of a clock in the order in which they are due: by time, then key, then age. Not locked."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str, int, Timer]] = []
        self._age = count()

    def add(self, when: float, callback: Callback, key: str) -> Timer:
        """Add a timer."""
        timer = Timer(when, callback)
        heapq.heappush(self._heap, (when, key, next(self._age), timer))
        return timer

    def next_time(self) -> float | None:
        """Return when the next timer is due; None when there is none."""
        while self._heap and self._heap[0][3].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self) -> Timer:
        """Remove and return the next timer."""
        return heapq.heappop(self._heap)[3]


class WallClock:
    """Lab time that is wall time, or a multiple of it.

    Args:
        speed: seconds of lab time per second of wall time.
        start: lab time at which the clock starts, in seconds.
    """

    def __init__(self, speed: float = 1.0, start: float = 0.0) -> None:
        self._speed, self._start, self._origin = speed, start, time.monotonic()
        self._agenda = Agenda()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="wall-clock", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Return the lab time in seconds."""
        return self._start + (time.monotonic() - self._origin) * self._speed

    def call_at(self, when: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` at lab time ``when`` [s]."""
        with self._changed:
            timer = self._agenda.add(when, callback, key)
            self._changed.notify()
        return timer

    def call_later(self, delay: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` after ``delay`` seconds of lab time."""
        return self.call_at(self.now() + delay, callback, key)

    def post(self, callback: Callback, key: str = "") -> None:
        """Run ``callback`` now, in the clock's thread."""
        self.call_later(0, callback, key)

    def enter(self) -> None:
        """Do nothing: wall time waits for nobody."""

    def leave(self) -> None:
        """Do nothing: wall time waits for nobody."""

    def wall_time(self, seconds: float) -> float:
        """Return the wall time in seconds that ``seconds`` of lab time take."""
        return seconds / self._speed

    def close(self) -> None:
        """Stop the clock's thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSING)

    def _run(self) -> None:
        while (timer := self._next()) is not None:
            timer.run()

    def _next(self) -> Timer | None:
        """Wait for the next timer that is due; None when the clock is closed."""
        with self._changed:
            while not self._closed:
                when = self._agenda.next_time()
                if when is not None and when <= self.now():
                    return self._agenda.pop()
                self._changed.wait(None if when is None else (when - self.now()) / self._speed)
        return None


class Party:
    """One party on a clock: at work from the start, and never counted twice.

    It is used from the thread that does the work, from the clock's and from a watchdog's.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._at_work = True
        self._ended = False
        clock.enter()

    @property
    def at_work(self) -> bool:
        """Whether lab time waits for this party."""
        return self._at_work

    def leave(self) -> None:
        """Stop being waited for."""
        with self._lock:
            if self._at_work:
                self._at_work = False
                self._clock.leave()

    def enter(self) -> None:
        """Be waited for again, unless the party has ended."""
        with self._lock:
            if not self._at_work and not self._ended:
                self._at_work = True
                self._clock.enter()

    def end(self) -> None:
        """Leave for good."""
        self.leave()
        with self._lock:
            self._ended = True
