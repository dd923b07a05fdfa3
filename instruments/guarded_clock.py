"""The lab's clock as an instrument has it: what its driver's callbacks raise is told to the instrument."""

from __future__ import annotations

from collections.abc import Callable

from instruments.clock import Callback, Clock, Timer


class GuardedClock:
    """A clock whose callbacks may raise.

    Args:
        clock: the lab's clock.
        failed: told what a callback raised, in the clock's thread.
    """

    def __init__(self, clock: Clock, failed: Callable[[BaseException], None]) -> None:
        self._clock, self._failed = clock, failed

    def now(self) -> float:
        """Return the lab time in seconds."""
        return self._clock.now()

    def call_at(self, when: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` at lab time ``when`` [s]."""
        return self._clock.call_at(when, self._guarded(callback), key)

    def call_later(self, delay: float, callback: Callback, key: str = "") -> Timer:
        """Run ``callback`` after ``delay`` seconds of lab time."""
        return self._clock.call_later(delay, self._guarded(callback), key)

    def post(self, callback: Callback, key: str = "") -> None:
        """Run ``callback`` now, with one party entered on behalf of the receiver, who has to leave when done."""
        self._clock.post(self._guarded(callback), key)

    def enter(self) -> None:
        """Count one more party as being at work."""
        self._clock.enter()

    def leave(self) -> None:
        """Count one party less as being at work."""
        self._clock.leave()

    def wall_time(self, seconds: float) -> float:
        """Return the wall time in seconds that ``seconds`` of lab time take by themselves."""
        return self._clock.wall_time(seconds)

    def close(self) -> None:
        """Stop the clock's thread."""
        self._clock.close()

    def _guarded(self, callback: Callback) -> Callback:
        def guarded() -> None:
            try:
                callback()
            except BaseException as error:  # noqa: BLE001  a driver may raise anything; it costs its job only
                self._failed(error)

        return guarded
