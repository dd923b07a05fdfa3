"""What a lab process does for campaigns: takes their lines, gives them stations, and answers for the instruments."""

from __future__ import annotations

import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path

from campaigns.errors import LabError, NoAnswerError, NotReservedError
from instruments.devices.answer_line import AnswerLine
from loop.core.formatting import counted
from loop.execution.laboratory.lab_safety import LabSafety
from loop.execution.shared_lab import messages
from loop.execution.shared_lab.messages import (
    CampaignStatus,
    Handshake,
    Member,
    Purpose,
    SharedLabStatus,
    StationStatus,
    fingerprint,
)
from loop.execution.shared_lab.reservations import Reservations
from loop.execution.shared_lab.shared_station import SharedStation
from loop.execution.shared_lab.socket_file import check_version, is_of_same_user, line_of

_REVIEW = 0.25
"""Wall time in seconds between two looks at reservations that nobody uses, and at jobs of before a restart."""
_HELD_UP = 2.0
"""Wall time in seconds between two looks from which on this process was held up. Not tuned: some looks."""
_DEAF = 2
"""Wall time in seconds after which the line of a run that reads nothing, as one that was suspended, is ended.

Not tuned: a line holds some hundred messages before that. The run opens another one when it goes on.
"""


class CampaignLine:
    """The line to the run of a campaign, the folder beside its store, and what it was told last."""

    def __init__(self, line: AnswerLine, folder: Path, hang_up: Callable[[], None]) -> None:
        self.line, self.folder, self.hang_up, self.taken = line, folder, hang_up, 0
        self._told: CampaignStatus | None = None
        self._telling = threading.Lock()

    def tell(self, status: Callable[[], CampaignStatus]) -> None:
        """Say how the campaign stands, if that has changed."""
        with self._telling:
            now = status()
            if now != self._told:
                self._told = now
                self.line.send("status", now)


def _hang_up(found: socket.socket) -> None:
    with suppress(OSError):
        found.shutdown(socket.SHUT_RDWR)


def _refuse_copy(member: Member, other: Path) -> None:
    raise LabError(
        f"campaign {member.name} is here already, with another copy of its store (jobs in {other}; this one's in "
        f"{member.folder}): two samples would get one number; go on with one of them, and put the other one away"
    )


class LabService:
    """Serves the instruments of a laboratory.

    Args:
        lab_file: as it is now.
        stations: name to station, of those that answer; more may come.
        missing: station to why it does not answer yet.
        people: the manual stations, which have no instrument here.
        safety: watches the laboratory.
        reservations: say which campaign has which station.
        tell: told what happens, from any thread.
    """

    def __init__(
        self,
        lab_file: Path,
        stations: Mapping[str, SharedStation],
        missing: Mapping[str, str],
        people: Collection[str],
        safety: LabSafety,
        reservations: Reservations,
        tell: Callable[[str], None],
    ) -> None:
        self._lab_file, self._fingerprint = lab_file, fingerprint(lab_file)
        self._stations, self._missing = dict[str, SharedStation](), missing
        self._people = people
        self._safety, self._reservations, self._tell = safety, reservations, tell
        self._campaigns: dict[str, CampaignLine] = {}
        self._joining = threading.Lock()
        self._found_again = dict(reservations.jobs)  # station to the token of a job of before a restart
        self._reviewed = self._listens_since = time.monotonic()
        for station in stations.values():
            self.add(station)

    def add(self, station: SharedStation) -> None:
        """Serve a station from now on."""
        station.tell_campaign, station.tell = self._abort, self._tell
        self._stations = {**self._stations, station.name: station}  # other threads are at the one before

    def accept(self, listening: socket.socket) -> None:
        """Take lines until the socket is closed."""
        with suppress(OSError):
            while True:
                found, _ = listening.accept()
                threading.Thread(target=self._serve, args=(found,), name="line", daemon=True).start()

    @property
    def jobs(self) -> Mapping[str, str]:
        """Station to the token of the job that is under way there, or that its campaign has still to take note of."""
        return self._reservations.jobs

    @property
    def is_closed(self) -> bool:
        """Whether stations are given to nobody any more."""
        return self._reservations.closing

    def close(self) -> None:
        """Give stations to nobody any more; jobs under way go on."""
        self._reservations.closing = True
        self._publish()

    def look(self) -> None:
        """Look after what changes by itself."""
        for text in self._safety.news():
            self._tell(text)
            for one in list(self._campaigns.values()):
                one.line.send("news", text)
        if (now := time.monotonic()) - self._reviewed > _REVIEW:
            self._end_silent_lines(now)
            self._reviewed = now
            self._found_again = {
                name: token
                for name, token in self._found_again.items()
                if name not in self._stations or not self._stations[name].take_up(token)
            }
            for campaign, station, given in self._reservations.review(time.monotonic(), self._is_over):
                if not given:
                    account = self._reservations.accounts[campaign]
                    why = "which did not use it" if account.here else "whose run is away"
                    self._tell(f"{station} is no longer reserved for campaign {account.name}, {why}")
        self._publish()

    def _end_silent_lines(self, now: float) -> None:
        """Take the runs from which nothing is heard for away: they attach again when they go on."""
        if now - self._reviewed > _HELD_UP:  # this process was held up itself, and has still to listen
            self._listens_since = now
        for campaign, there in list(self._campaigns.items()):
            if now - max(there.line.heard, self._listens_since) > messages.SILENCE:
                name = self._reservations.accounts[campaign].name
                why = f"has given no sign of life for {messages.SILENCE:g} s"
                self._tell(f"the run of campaign {name} {why}")
                there.line.send("news", f"this run {why}, and counted as away: it may have been suspended")
                there.hang_up()
                there.line.heard = now  # told once

    def status(self) -> SharedLabStatus:
        """Return how the laboratory stands."""
        accounts = self._reservations.accounts
        names = {key: one.name for key, one in accounts.items()}
        stations = {
            name: StationStatus(
                self._doing(name),
                self._reservations.why(name),
                tuple(names[one] for one in self._reservations.queue(name)),
                {one.name: one.used[name] for one in accounts.values() if name in one.used},
            )
            for name in dict.fromkeys((*self._stations, *self._missing, *self._people))
        }
        members = {one.name: (one.claim, one.here) for one in accounts.values()}
        return SharedLabStatus(os.getpid(), stations, members, self._reservations.closing)

    def _doing(self, name: str) -> str:
        if name in self._people:
            return "waits for an answer" if self._reservations.token(name) else "idle"
        if name not in self._stations:
            return f"looked for: {self._missing.get(name, 'it comes just now')}"
        return self._safety.held(name) or self._stations[name].guarded.instrument.progress()

    def _is_over(self, station: str, token: str) -> bool:
        if station not in self._stations:
            return station in self._people  # of an instrument that does not answer, nobody can tell
        return station not in self._found_again and not self._stations[station].is_at(token)

    def _abort(self, campaign: str, station: str, reason: str) -> bool:
        if (there := self._campaigns.get(campaign)) is None:
            return False
        there.line.send("abort", station, reason)
        return True

    def _serve(self, found: socket.socket) -> None:
        """Answer on one line until it ends."""
        with found, suppress(EOFError, OSError):
            if not is_of_same_user(found):
                return
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("@ll", _DEAF, 0))
            check_version(connection := line_of(found))
            line = AnswerLine(connection, lambda: None, partial(_hang_up, found))
            handshake: Handshake = line.begin()
            match handshake.purpose, handshake.member:
                case Purpose.STATION, Member() as member:
                    self._serve_station(line, member, handshake.station)
                case Purpose.CAMPAIGN, Member() as member:
                    self._serve_campaign(CampaignLine(line, member.folder, partial(_hang_up, found)), member)
                case Purpose.CLOSE, _:
                    line.reply(self.close)
                case _:
                    line.reply(self.status)
            found.shutdown(socket.SHUT_RDWR)

    def _serve_station(self, line: AnswerLine, member: Member, name: str) -> None:
        if not line.reply(lambda: self._check(member, name)):
            return
        station = self._stations[name]
        station.lines[member.id] = line
        line.serve(partial(station.answer, member))
        if station.lines.get(member.id) is line:
            del station.lines[member.id]

    def _check(self, member: Member, name: str) -> None:
        """Check that a campaign may use a station.

        Raises:
            ConnectionError: it goes by another lab file.
            LabError: there is no such station.
        """
        if why := self._why_other(member):
            raise ConnectionError(why)  # so that its job is not given up before the run was started again
        if name in self._missing and name not in self._stations:
            raise NoAnswerError(self._missing[name])
        if name not in self._stations:
            raise LabError(f"the lab process has no station {name!r}; allowed: {', '.join(self._stations)}")
        self._stations[name].check_member(member)

    def _why_other(self, member: Member) -> str:
        """Return which side has to read the lab file again; empty if both have read the same."""
        if member.lab == self._fingerprint:
            return ""
        with suppress(OSError):
            if fingerprint(self._lab_file) == self._fingerprint:
                return "the lab file was changed since this run has read it; end the run, and start it again"
        return (
            "the lab file was changed since the lab process has read it; start that again: 'athanor lab stop' and "
            "then 'athanor lab run'"
        )

    def _check_lab_file(self, member: Member) -> None:
        """Check that a campaign has read the same lab file.

        Raises:
            LabError: it has not.
        """
        if why := self._why_other(member):
            raise LabError(why)

    def _serve_campaign(self, there: CampaignLine, member: Member) -> None:
        line = there.line
        if not line.reply(partial(self._check_lab_file, member)):
            return
        with self._joining:
            other = self._campaigns.get(member.id)
            if other is not None and other.folder != member.folder:
                line.reply(partial(_refuse_copy, member, other.folder))
                return
            self._campaigns[member.id] = there
            has = self._reservations.join(member.id, member.name, member.claim)
        self._tell(f"campaign {member.name} is here, with {counted(len(has), 'station')}")
        self._publish()
        line.serve(partial(self._take, member.id, there))
        with self._joining:
            if self._campaigns.get(member.id) is there:
                del self._campaigns[member.id]
                self._reservations.leave(member.id, time.monotonic())
                self._tell(f"the run of campaign {member.name} is away")
        self._publish()

    def _take(self, campaign: str, there: CampaignLine, name: str, values: tuple[object, ...]) -> None:
        """Go by what a campaign's run says."""
        match name, values:
            case "request", (tuple() as stations, tuple() as following):
                self._reservations.request(campaign, stations, following, time.monotonic())
            case "begin", (str() as station, str() as token) if station in self._people:
                with suppress(NotReservedError):  # it was given to another one meanwhile, and the campaign is told so
                    self._reservations.begin(campaign, station, token)
            case "release", (str() as station,):
                at = self._stations[station].is_at if station in self._stations else lambda _: False
                over = not at(self._reservations.token(station))
                self._reservations.release(campaign, station, time.monotonic(), over=over)
            case "settle", (str() as station,):
                self._safety.settle(station)
        there.taken += 1
        self._publish()

    def _publish(self) -> None:
        """Tell each campaign's run how it stands, where that has changed."""
        for campaign, there in list(self._campaigns.items()):
            there.tell(partial(self._status_of, campaign, there))

    def _status_of(self, campaign: str, there: CampaignLine) -> CampaignStatus:
        taken, reservations = there.taken, self._reservations
        has = {station: reservations.token(station) for station in reservations.stations_of(campaign)}
        shared = (*self._stations, *self._people)
        waits = {name: why for name in shared if name not in has and (why := reservations.why(name))}
        trips = {name: one.guarded.guard.trips for name, one in self._stations.items()}
        return CampaignStatus(taken, has, waits, self._safety.closed, self._safety.unsafe_stations, trips)
