"""A watchdog on the lab's clock: one that stands still would let a session wait for ever."""

from __future__ import annotations

from campaigns.errors import LabError
from instruments.clock import Clock

_LOOKS = 3000
"""Looks, a tenth of a second apart, in which a callback that is due at once has to run. Not tuned: five minutes, longer
than a station's own watchdog takes to give up a driver for which a virtual clock waits."""


class ClockWatch:
    """Has the clock run a callback again and again, and notices when it does not.

    Looks are counted, as a controller that was suspended has looked at nothing.

    Args:
        clock: the lab's clock.
        looks: after how many looks in vain it stands still.
    """

    def __init__(self, clock: Clock, looks: int = _LOOKS) -> None:
        self._clock, self._most = clock, looks
        self._in_vain, self._ran = 0, True

    def look(self) -> None:
        """Look whether the clock goes.

        Raises:
            LabError: it stands still.
        """
        if self._ran:
            self._in_vain, self._ran = 0, False
            self._clock.call_later(0.0, self._run)
            return
        self._in_vain += 1
        if self._in_vain >= self._most:
            raise LabError(
                "the lab's clock stands still, as a driver's callback does not end, so that nothing is timed any more; "
                "what was begun is kept: mend the driver, and go on with 'athanor run'"
            )

    def _run(self) -> None:
        self._ran = True
