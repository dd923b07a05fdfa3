"""What a session asks of a laboratory's stations: whether it may use them, for its next job."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Protocol


class ReservedStations(Protocol):
    """The stations as a campaign has them."""

    shared: bool
    """Whether other campaigns may have them, so that they are asked for."""
    woken: Callable[[], None]
    """Called, from any thread, when the campaign may have been given a station."""

    def why_not(self, station: str, tokens: Collection[str]) -> str:
        """Return why a job may not begin at a station; empty if it may.

        Args:
            station: its name.
            tokens: of what was begun of the trial's step before, which the station may be reserved for.
        """

    def others(self, station: str) -> str:
        """Return which other campaign has a station, for people; empty if none."""

    def in_use(self, station: str) -> bool:
        """Return whether the result of a station's job is still to be taken, so that no other job may begin there."""

    def begins(self, station: str, token: str) -> None:
        """Take note that a job is handed to a station."""

    def keeps(self, station: str) -> None:
        """Take note that a job goes on, although its result is not waited for any more: it is late."""

    def ends(self, station: str) -> None:
        """Take note that the result of a station's job is there."""

    def request(self, stations: Collection[str], following: Collection[str], tokens: Collection[str]) -> bool:
        """Ask for stations, and for no others; return whether one of them was given just now.

        Args:
            stations: at which a job could begin at once.
            following: at which a job is under way, and another one could begin after it.
            tokens: of all jobs that the campaign has begun, and of which it does not know yet how they ended.
        """


class OwnStations:
    """All stations are this campaign's: its process owns the laboratory."""

    shared = False

    def __init__(self) -> None:
        self.woken: Callable[[], None] = lambda: None

    def why_not(self, station: str, tokens: Collection[str]) -> str:  # noqa: ARG002  as the protocol asks
        """Return nothing: every job may begin."""
        return ""

    def others(self, station: str) -> str:  # noqa: ARG002  as above
        """Return nothing: there are no others."""
        return ""

    def in_use(self, station: str) -> bool:  # noqa: ARG002  as above
        """Return no: a station is this campaign's, and free once its job has ended."""
        return False

    def begins(self, station: str, token: str) -> None:
        """Do nothing."""

    def keeps(self, station: str) -> None:
        """Do nothing."""

    def ends(self, station: str) -> None:
        """Do nothing."""

    def request(self, stations: Collection[str], following: Collection[str], tokens: Collection[str]) -> bool:  # noqa: ARG002
        """Ask for nothing, as all is there."""
        return False
