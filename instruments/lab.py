"""What a campaign asks of a laboratory, virtual or real."""

from __future__ import annotations

from typing import Protocol

from instruments.clock import Clock
from instruments.job_instrument import JobInstrument


class Lab(Protocol):
    """Instruments by the name of their station, and the clock that they go by."""

    @property
    def clock(self) -> Clock:
        """The lab's clock. The caller is its first party: it is at work until it leaves."""

    def instrument(self, name: str) -> JobInstrument:
        """Return the instrument of the station ``name``.

        Raises:
            LabError: there is no such station.
        """

    def close(self) -> None:
        """Let go of all instruments and stop the clock; running furnaces go on by themselves."""
