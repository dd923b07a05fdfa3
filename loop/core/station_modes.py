"""Which stations people have paused, drained or taken out, by the journal and by what campaigns share."""

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


@dataclass(frozen=True, slots=True)
class StationOrder:
    """What somebody has decided about a station.

    Attributes:
        time: when, in seconds since the epoch.
    """

    station: str
    mode: StationMode
    author: str
    time: float
    reason: str


def held_stations(amendments: Iterable[Amendment], shared: Iterable[StationOrder] = ()) -> Mapping[str, HeldStation]:
    """Return the stations that begin no jobs, as people have decided; all others are in use.

    Args:
        amendments: of the campaign.
        shared: what was ordered for all campaigns on its lab file: it decides about the stations that it names.
    """
    own = (
        StationOrder(one.change.station, one.change.mode, one.author, one.written, one.reason)
        for one in amendments
        if isinstance(one.change, SetStation) and not one.refused
    )
    latest = {one.station: one for one in (*own, *shared)}
    held = (one for one in latest.values() if one.mode is not StationMode.IN)
    return {one.station: HeldStation(one.mode, one.author, one.time, one.reason) for one in held}
