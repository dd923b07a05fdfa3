"""A discrete-event clock: lab time that jumps to the next event as soon as nobody is at work."""

from __future__ import annotations

import threading

from instruments.clock import CLOSING, Agenda, Callback, Timer


class VirtualClock:
    """Lab time that costs no wall time, and in which events come in an order that no thread scheduling changes.

    Timers fire one at a time by time, key and age. After each, the clock waits until all parties have left again. The
    maker of the clock is its first party: lab time stands still until it leaves.

    Args:
        start: lab time at which the clock starts, in seconds.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._at_work = 1
        self._agenda = Agenda()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="virtual-clock", daemon=True)
        self._thread.start()

    def now(self) -> float:
        """Return the lab time in seconds."""
        return self._now

    def call_at(self, when: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` at lab time ``when`` [s], or now when that is past."""
        with self._changed:
            timer = self._agenda.add(max(when, self._now), callback, key)
            self._changed.notify()
        return timer

    def call_later(self, delay: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` after ``delay`` seconds of lab time."""
        return self.call_at(self._now + delay, callback, key)

    def post(self, callback: Callback, key: str = "") -> None:
        """Run ``callback`` now, with one party entered on behalf of the receiver, who has to leave when done."""

        def deliver() -> None:
            self.enter()
            callback()

        self.call_later(0, deliver, key)

    def enter(self) -> None:
        """Count one more party as being at work."""
        with self._changed:
            self._at_work += 1

    def leave(self) -> None:
        """Count one party less as being at work.

        Raises:
            RuntimeError: nobody is at work.
        """
        with self._changed:
            if self._at_work == 0:
                raise RuntimeError("a party leaves the virtual clock, but none is at work; balance enter() and leave()")
            self._at_work -= 1
            self._changed.notify()

    def wall_time(self, seconds: float) -> float:  # noqa: ARG002  any amount of lab time takes no wall time
        """Return 0: lab time takes no wall time by itself."""
        return 0.0

    def close(self) -> None:
        """Stop the clock's thread; timers that are due later never run."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join(CLOSING)

    def _run(self) -> None:
        while (timer := self._next()) is not None:
            timer.run()

    def _next(self) -> Timer | None:
        """Wait until nobody is at work and a timer is there, and move on to it; None when the clock is closed."""
        with self._changed:
            while not self._closed:
                when = self._agenda.next_time()
                if when is not None and self._at_work == 0:
                    self._now = when
                    return self._agenda.pop()
                self._changed.wait()
        return None
