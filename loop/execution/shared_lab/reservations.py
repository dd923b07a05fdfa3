"""Which campaign has which station of a laboratory, for which job; kept on disk, so that a kill changes nothing."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from campaigns.errors import BusyError, LabError, NotReservedError
from campaigns.lab.lab_claim import LabClaim
from instruments.whole_file import write_whole
from loop.execution.shared_lab.fair_queue import FairQueue

_UNUSED = 2.0
"""Wall time in seconds after which a station that was reserved, and at which nothing begins, goes to who waits for it.

Not tuned: longer than a campaign takes from the end of a job to the next one, as that is computed ahead; an analysis
that takes longer than this shall not keep others from the station.
"""


@dataclass
class Reservation:
    """A station that one campaign has.

    Attributes:
        campaign: its id.
        since: when it was given, in seconds of a clock that never jumps.
        token: of the job that was begun; empty as long as there is none.
        touched: when the campaign was about to begin a job last, by the same clock.
        over: when it was seen that the campaign is away and the job has ended, by the same clock; None if it was not.
        released: whether the campaign has given up the job, while the instrument was still at it.
    """

    campaign: str
    since: float
    token: str = ""
    touched: float = 0.0
    over: float | None = None
    released: bool = False


@dataclass
class Account:
    """A campaign on the laboratory, also while it is away.

    Attributes:
        name: for people.
        claim: its priority and share.
        here: whether its run is there.
        following: the stations at which it has a job under way, and another one that could follow.
        used: station to the station time in seconds that it has had.
    """

    name: str
    claim: LabClaim
    here: bool
    following: set[str]
    used: dict[str, float]


Change = tuple[str, str, bool]
"""Campaign, station, and whether it has the station now."""


_P = ParamSpec("_P")
_R = TypeVar("_R")


def _locked(
    method: Callable[Concatenate[Reservations, _P], _R],
) -> Callable[Concatenate[Reservations, _P], _R]:
    """Return a method that one thread at a time is in."""

    def locked(self: Reservations, /, *values: _P.args, **named: _P.kwargs) -> _R:
        with self._lock:
            return method(self, *values, **named)

    locked.__doc__ = method.__doc__
    return locked


class Reservations:
    """Gives stations to campaigns, one job at a time; from any thread.

    Args:
        file: where it is kept; what it holds from before is gone on with.
        stations: of the laboratory.
        timeout: wall time in seconds for which a station stays reserved for a campaign that is away, once its job
            there has ended.
        now: seconds of a clock that never jumps, as in all methods.

    Raises:
        LabError: the file cannot be read.
    """

    def __init__(self, file: Path, stations: Iterable[str], timeout: float, now: float) -> None:
        self._file, self._timeout, self._lock = file, timeout, threading.RLock()
        self._queues = {name: FairQueue() for name in stations}
        self._held: dict[str, Reservation] = {}
        self.accounts: dict[str, Account] = {}
        self.closing = False
        self._unsaved = False
        self._restore(now)

    @_locked
    def join(self, campaign: str, name: str, claim: LabClaim) -> list[str]:
        """Let a campaign be there, again or for the first time; return the stations that it has."""
        known = self.accounts.get(campaign)
        used = {} if known is None else known.used
        self.accounts[campaign] = Account(name, claim, True, set(), used)
        for station, held in self._held.items():
            if held.campaign == campaign:
                held.over = None
                self._queues[station].take_up(campaign, claim)
        return self.stations_of(campaign)

    @_locked
    def leave(self, campaign: str, now: float) -> list[Change]:
        """Take note that a campaign's run is away: it keeps the stations at which its jobs are under way."""
        account = self.accounts[campaign]
        account.here = False
        return self.request(campaign, (), (), now)

    @_locked
    def request(self, campaign: str, stations: Iterable[str], following: Iterable[str], now: float) -> list[Change]:
        """Wait for stations, and for no others; one that was given and is not wanted any more is given back.

        Args:
            campaign: waits.
            stations: that it could use at once.
            following: those at which its job is under way, and which it could use again at once after that.
            now: seconds.
        """
        wanted, account = set(stations), self.accounts[campaign]
        account.following = set(following) & self._queues.keys()
        for station, queue in self._queues.items():
            has = station in self.stations_of(campaign)
            if (has and station in account.following and self._held[station].token) or (not has and station in wanted):
                queue.ask(campaign, account.claim)
            else:
                queue.withdraw(campaign)
        for station in self.stations_of(campaign):
            if not self._held[station].token and (station not in wanted or self.closing):
                self._end(station, now)
        return self._decide(now)

    @_locked
    def check(self, campaign: str, station: str) -> None:
        """Check that a campaign has a station.

        Raises:
            NotReservedError: it does not.
        """
        if not self.has(campaign, station):
            why = self.why(station) or "free"
            raise NotReservedError(f"{station} is not reserved for this campaign, but {why}; nothing was moved")

    @_locked
    def begin(self, campaign: str, station: str, token: str) -> None:
        """Take note of the job that a campaign is about to begin, or to attach to; when this returns, it is on disk.

        Raises:
            NotReservedError: the station is not reserved for the campaign, or for another job of it.
            BusyError: it cannot be written now.
        """
        self.check(campaign, station)
        held = self._held[station]
        if held.token not in ("", token):
            raise NotReservedError(f"{station} is at job {held.token!r} of this campaign; nothing was moved")
        if held.token != token:
            before, held.token = held.token, token
            try:
                self._save()
            except OSError as error:
                held.token = before
                why = f"{self._file} cannot be written: {error.strerror}; make room"
                raise BusyError(f"{station} cannot begin a job, as {why}; nothing was moved") from error
        if station in self.accounts[campaign].following:
            self._queues[station].ask(campaign, self.accounts[campaign].claim)

    @_locked
    def touch(self, station: str, now: float) -> None:
        """Take note that a job is about to begin at a station that is reserved."""
        self._held[station].touched = now

    @_locked
    def release(self, campaign: str, station: str, now: float, *, over: bool) -> list[Change]:
        """Take note that a campaign is done with its job at a station; given to others it is once the job is over."""
        held = self._held.get(station)
        if held is None or held.campaign != campaign:
            return []
        held.released = not over
        if over:
            self._end(station, now)
        return self._decide(now)

    @_locked
    def review(self, now: float, is_over: Callable[[str, str], bool]) -> list[Change]:
        """End what nobody uses.

        Args:
            now: seconds.
            is_over: of station and token, whether the instrument is no longer at that job.
        """
        ended: list[Change] = []
        if self._unsaved:
            self._save_if_possible()
        for station, held in list(self._held.items()):
            if self._has_lapsed(station, held, now, is_over):
                self._end(station, now)
                if not held.token:
                    self._queues[station].withdraw(held.campaign)
                ended.append((held.campaign, station, False))
        return [*ended, *self._decide(now)]

    def _has_lapsed(self, station: str, held: Reservation, now: float, is_over: Callable[[str, str], bool]) -> bool:
        if not held.token:
            others = any(one != held.campaign for one in self._queues[station].waiting)
            return others and now - max(held.since, held.touched) > _UNUSED
        away = not self.accounts[held.campaign].here
        if held.over is None and (away or held.released) and is_over(station, held.token):
            held.over = now
        return held.over is not None and (held.released or now - held.over > self._timeout)

    @_locked
    def has(self, campaign: str, station: str) -> bool:
        """Return whether a campaign has a station."""
        held = self._held.get(station)
        return held is not None and held.campaign == campaign

    @_locked
    def token(self, station: str) -> str:
        """Return the token of the job for which a station is reserved; empty if there is none."""
        held = self._held.get(station)
        return "" if held is None else held.token

    @_locked
    def campaign_of(self, station: str) -> str:
        """Return the id of the campaign that has a station; empty if none has."""
        held = self._held.get(station)
        return "" if held is None else held.campaign

    @_locked
    def stations_of(self, campaign: str) -> list[str]:
        """Return the stations that a campaign has."""
        return [station for station, held in self._held.items() if held.campaign == campaign]

    @property
    def jobs(self) -> dict[str, str]:
        """Station to the token of the job that was begun there, of those that have one."""
        with self._lock:
            return {station: held.token for station, held in self._held.items() if held.token}

    @_locked
    def why(self, station: str) -> str:
        """Return who has a station, for people; empty if nobody."""
        held = self._held.get(station)
        if held is None:
            return "given to nobody, as the laboratory is being closed" if self.closing else ""
        account = self.accounts[held.campaign]
        away = "" if account.here else ", whose run is away"
        return f"reserved for campaign {account.name}{f' (job {held.token})' if held.token else ''}{away}"

    @_locked
    def queue(self, station: str) -> list[str]:
        """Return the ids of the campaigns that wait for a station, in the order in which they would get it."""
        return self._queues[station].waiting

    def _decide(self, now: float) -> list[Change]:
        """Give each free station to who is first in its queue."""
        given: list[Change] = []
        for station, queue in self._queues.items():
            if station in self._held or self.closing or not queue.waiting:
                continue
            campaign = queue.waiting[0]
            queue.begin(campaign)
            self._held[station] = Reservation(campaign, now)
            given.append((campaign, station, True))
        return given

    def _end(self, station: str, now: float) -> None:
        """End a reservation, and charge the campaign; what nothing was begun in costs nothing."""
        held = self._held.pop(station)
        seconds = max(now - held.since, 0.0) if held.token else 0.0
        self._queues[station].end(held.campaign, seconds)
        used = self.accounts[held.campaign].used
        used[station] = used.get(station, 0.0) + seconds
        if held.token:
            self._save_if_possible()

    def _save_if_possible(self) -> None:
        """Save, or later where the disk is full: a job that is written to be under way is asked for."""
        try:
            self._save()
            self._unsaved = False
        except OSError:
            self._unsaved = True

    def _save(self) -> None:
        body = {
            "held": {s: {"campaign": h.campaign, "token": h.token} for s, h in self._held.items() if h.token},
            "members": {
                key: {"name": m.name, "claim": asdict(m.claim), "used": m.used} for key, m in self.accounts.items()
            },
            "queues": {station: queue.saved() for station, queue in self._queues.items()},
        }
        write_whole(self._file, json.dumps(body))

    def _restore(self, now: float) -> None:
        try:
            body: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            for key, one in body["members"].items():
                self.accounts[key] = Account(one["name"], LabClaim(**one["claim"]), False, set(), dict(one["used"]))
            for station, queue in self._queues.items():
                queue.restore(body["queues"].get(station, {}))
            for station, held in body["held"].items():
                if station in self._queues:
                    self._held[station] = Reservation(held["campaign"], now, held["token"])
                    self._queues[station].take_up(held["campaign"], self.accounts[held["campaign"]].claim)
        except FileNotFoundError:
            return
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise LabError(
                f"{self._file} cannot be read, which says at which stations jobs are under way: {error}; look at the "
                "instruments, and remove the file once they are idle"
            ) from error
