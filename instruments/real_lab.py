"""A laboratory without simulated instruments: only a clock, which is that on the wall."""

from __future__ import annotations

from collections.abc import Callable

from campaigns.errors import LabError
from instruments.clock import Clock, WallClock
from instruments.job_instrument import JobInstrument


class RealLab:
    """The clock of the devices that the stations of a campaign name.

    Args:
        start: lab time in seconds at which the lab starts.
    """

    def __init__(self, start: float) -> None:
        self._clock = WallClock(start=start)
        self._closing: list[Callable[[], None]] = []

    @property
    def clock(self) -> Clock:
        """The lab's clock."""
        return self._clock

    def instrument(self, name: str) -> JobInstrument:
        """Return no instrument: all are those of the stations.

        Raises:
            LabError: always.
        """
        raise LabError(f"the lab has no instrument {name!r} of its own; name the station's device")

    def on_close(self, action: Callable[[], None]) -> None:
        """Run an action when the lab is closed, while its clock still goes."""
        self._closing.append(action)

    def close(self) -> None:
        """Let go of all devices and stop the clock."""
        for action in reversed(self._closing):
            action()
        self._clock.close()
