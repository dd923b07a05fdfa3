"""Which stations people have paused, drained or taken out, by the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from campaigns.decisions import SetStation, StationMode
from loop.core.formatting import date_time
from loop.core.journal import Amendment


@dataclass(frozen=True, slots=True)
class HeldStation:
    """A station that people keep from beginning jobs.

    Attributes:
        since: seconds since the epoch.
        author: who holds it.
    """

    mode: StationMode
    author: str
    since: float
    reason: str

    @property
    def text(self) -> str:
        """How it is held, by whom and why."""
        return f"{self.mode} by {self.author} since {date_time(self.since)}: {self.reason}"

    @property
    def attaches(self) -> bool:
        """Whether a job that was begun there before is still taken up."""
        return self.mode is not StationMode.OUT


def held_stations(amendments: Iterable[Amendment]) -> Mapping[str, HeldStation]:
    """Return the stations that begin no jobs, as people have decided; all others are in use."""
    found: dict[str, HeldStation] = {}
    for one in amendments:
        if not isinstance(one.change, SetStation) or one.refused:
            continue
        found.pop(one.change.station, None)
        if one.change.mode is not StationMode.IN:
            found[one.change.station] = HeldStation(one.change.mode, one.author, one.written, one.reason)
    return found
