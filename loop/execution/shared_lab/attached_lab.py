"""A laboratory whose instruments a lab process owns, as a session has it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from campaigns.campaign import Campaign
from campaigns.checks.manual_consistency import MANUAL
from campaigns.errors import CampaignError, LabError, NoAnswerError, Problem
from campaigns.lab.lab_rules import LabFileConfig
from instruments.clock import Clock, WallClock
from instruments.devices.process_instrument import ProcessInstrument
from instruments.emergency_stop import StopFile
from instruments.job_instrument import JobInstrument
from instruments.run_context import RunContext
from instruments.safety_monitor import GivesUp
from instruments.step_errors import is_silence, reason_of
from loop.execution.laboratory.device_binding import JobRecords
from loop.execution.laboratory.lab_safety import Safety
from loop.execution.laboratory.lab_setup import checked_places
from loop.execution.laboratory.manual_stations import manual_instrument
from loop.execution.shared_lab.campaign_link import CampaignLink, LabLine, absent_text
from loop.execution.shared_lab.messages import CampaignStatus, Handshake, Member, Purpose, fingerprint
from loop.storage.unsafe_stations import UnsafeStations

_ASKING = 0.5
"""Wall time in seconds for which an answer to a request is waited for, before it is waited for beside other things."""


class AttachedStations:
    """The stations of a laboratory that several campaigns share.

    Args:
        link: to the lab process.
        lab_file: its lab file.
        people: the manual stations: each campaign asks them by itself, when it has them.
    """

    shared = True

    def __init__(self, link: CampaignLink, lab_file: Path, people: Collection[str]) -> None:
        self._link, self._lab_file, self._people = link, lab_file, people
        self._in_use: set[str] = set()
        self._released: dict[str, int] = {}  # station to the number of the message by which it was given back
        self.woken: Callable[[], None] = lambda: None
        self._asking = False
        link.changed = self._changed

    def why_not(self, station: str, tokens: Collection[str]) -> str:
        """Return why a job may not begin at a station; see ``ReservedStations``."""
        if (status := self._link.status) is None:
            return absent_text(self._lab_file)
        if station in self._in_use:
            return ""
        if station in status.has and self._is_known(status, station):
            token = status.has[station]
            return f"it is at job {token} of this campaign, which comes first" if token and token not in tokens else ""
        return status.waits.get(station) or "it is asked for"

    def others(self, station: str) -> str:
        """Return which other campaign has a station, for people; empty if none."""
        status = self._link.status
        return "" if status is None else status.waits.get(station, "")

    def in_use(self, station: str) -> bool:
        """Return whether the result of a station's job is still to be taken, so that no other job may begin there."""
        return station in self._in_use

    def begins(self, station: str, token: str) -> None:
        """Take note that a job is handed to a station; of what people are asked, nobody else tells the lab process."""
        self._in_use.add(station)
        if station in self._people:
            self._link.send("begin", station, token)

    def keeps(self, station: str) -> None:
        """Keep a station for a job that is late; it is given back when nobody waits for that any more."""
        self._in_use.discard(station)

    def ends(self, station: str) -> None:
        """Give a station back, as the result of its job is there."""
        self._in_use.discard(station)
        self._released[station] = self._link.send("release", station)

    def request(self, stations: Collection[str], following: Collection[str], tokens: Collection[str]) -> bool:
        """Ask for stations, and for no others; see ``ReservedStations``."""
        status = self._link.status
        if status is None:
            self._released.clear()  # what they count was said on a line that is lost
            return False
        for station, token in status.has.items():
            if token and token not in tokens and station not in self._in_use and self._is_known(status, station):
                self.ends(station)  # its job was settled while the lab process was away
        before = {one for one in stations if not self.why_not(one, tokens)}
        self._asking = True
        wanted = (*stations, *self._in_use)  # of a job that was handed on the lab process may not know yet
        self._link.await_taken(self._link.send("request", wanted, tuple(following)), _ASKING)
        self._asking = False
        return any(not self.why_not(one, tokens) for one in stations if one not in before)

    def _is_known(self, status: CampaignStatus, station: str) -> bool:
        """Return whether the lab process knows by now what was said of a station."""
        return status.taken >= self._released.get(station, 0)

    def _changed(self, before: CampaignStatus | None, now: CampaignStatus | None) -> None:
        """Wake the session when it has been given or has lost a station, or waits for another reason."""
        if before is None or now is None:
            self.woken()
            return
        again = {one for one, token in before.has.items() if token and now.has.get(one) == ""}  # at the end of a job
        given = again | (now.has.keys() - before.has.keys())
        lost = {one for one in before.has.keys() - now.has.keys() if self._released.get(one, 0) <= before.taken}
        others = before.waits != now.waits  # as who has a station has come back
        if (
            ((given or lost or others) and not self._asking)
            or before.closed != now.closed
            or before.unsafe != now.unsafe
        ):
            self.woken()


class AttachedSafety(Safety):
    """The safety of a laboratory that the lab process watches.

    Args:
        link: to the lab process.
        rules: of the lab file.
        instruments: station to its instrument, as it is asked for.
        not_safe: remembers the stations that may not be in their safe states, for this campaign's people.
    """

    def __init__(
        self,
        link: CampaignLink,
        rules: LabFileConfig,
        instruments: Mapping[str, ProcessInstrument],
        not_safe: UnsafeStations,
    ) -> None:
        super().__init__(StopFile(rules.stop_file), not_safe)
        self._link, self._rules, self._instruments = link, rules, instruments
        link.on_news = self._news.put

    def watch(self, stations: Mapping[str, GivesUp]) -> None:
        """Give up jobs when the lab process says so."""

        def abort(station: str, reason: str) -> None:
            if station in stations:
                stations[station].abort(reason)

        self._link.on_abort = abort

    def admit(self, name: str, instrument: JobInstrument) -> None:
        """Do nothing: the lab process guards and watches what was not there before."""

    def close(self) -> None:
        """Do nothing: the lab process goes on to watch."""

    def news(self) -> list[str]:
        """Return what has happened since the last call."""
        self._compare_unsafe()
        return super().news()

    def held(self, station: str) -> str:
        """Return why a station may begin nothing now; empty if it may."""
        return self.closed.get(station, "")

    @property
    def closed(self) -> dict[str, str]:
        """Station to why nothing moves there, of all at which an interlock or an emergency stop lets nothing move."""
        status = self._link.status
        return {} if status is None else dict(status.closed)

    def settle(self, station: str) -> None:
        """Take note that somebody has looked at a station, and says that it is safe: for all campaigns."""
        self._link.await_taken(self._link.send("settle", station), _ASKING)
        super().settle(station)

    def begins(self, station: str) -> None:
        """Take note that a station begins a job."""
        status = self._link.status
        self._begun[station] = 0 if status is None else status.trips.get(station, 0)

    def interrupted(self, station: str) -> bool:
        """Return whether an interlock or an emergency stop has interrupted a station's job, or keeps it from one."""
        trips = self._begun.get(station, 0)
        if station in self._instruments:
            with suppress(ConnectionError):  # the lab process is away, and nothing is known but what was told before
                trips = self._instruments[station].ask("trips")
        return bool(self.held(station)) or trips != self._begun.get(station, trips)

    @property
    def declared(self) -> list[str]:
        """The stations whose safe state the lab file declares."""
        return [name for name, one in self._rules.stations.items() if one.safe and name in self._instruments]

    def _secure(self, station: str, reason: str) -> None:
        if station not in self._instruments:
            return
        with suppress(ConnectionError, LabError):  # it is another campaign's, or the lab process sees to it
            if wrong := self._instruments[station].ask("secure", reason):
                self._news.put(f"{station}: {'; '.join(wrong)}")

    def _compare_unsafe(self) -> None:
        """Let the campaign's store say what the lab process knows of stations that may not be in their safe states."""
        if (status := self._link.status) is None:
            return
        for station, wrong in status.unsafe.items():
            if self._not_safe.known.get(station) != wrong:
                self._not_safe.note(station, wrong)
        for station in self._not_safe.known.keys() - status.unsafe.keys():
            self._not_safe.settle(station)


class AttachedLab:
    """The laboratory of a session that attaches to the lab process of a lab file.

    Args:
        campaign: whose session it is; it has a lab file.
        start: lab time in seconds at which the session starts.
    """

    def __init__(self, campaign: Campaign, start: float) -> None:
        assert campaign.rules is not None  # noqa: S101 - as said above
        self.rules, self._campaign = campaign.rules, campaign
        self._clock = WallClock(start=start)
        self._served: dict[str, ProcessInstrument] = {}
        self._people: dict[str, JobInstrument] = {}
        self._link: CampaignLink | None = None
        self._context = RunContext()

    @property
    def clock(self) -> Clock:
        """The lab's clock."""
        return self._clock

    def instrument(self, name: str) -> JobInstrument:
        """Return the instrument of a station; it is there once the session has joined."""
        return self.instruments[name]

    @property
    def instruments(self) -> dict[str, JobInstrument]:
        """Station to its instrument, once the session has joined."""
        return {**self._served, **self._people}

    def join(self, folder: Path, context: RunContext, *, begun: bool) -> dict[str, LabError]:
        """Attach to the lab process; return station to why it has no instrument.

        Args:
            folder: beside the store, where jobs are remembered.
            context: what the runs of the campaign have in common.
            begun: whether to go on without stations that are refused.

        Raises:
            LabError: the lab process refuses, or has a station less than the campaign needs.
        """
        absent: dict[str, LabError] = {}
        member, self._context = self._member(folder, str(context.start["campaign_id"])), context
        self._link = CampaignLink(self.rules.path, member)
        for name, config in self._campaign.stations.items():
            if config.kind == MANUAL:
                self._people[name] = manual_instrument(self._campaign, name, self._clock, JobRecords(folder))
                continue
            try:
                self.find(name)
            except LabError as error:
                if not begun and not isinstance(error, NoAnswerError):
                    raise
                absent[name] = error
        return absent

    def find(self, name: str) -> JobInstrument:
        """Return the instrument of a station that the lab process serves.

        Raises:
            NoAnswerError: the lab process, or the instrument, does not answer.
            LabError: the lab process refuses it.
            CampaignError: it takes fewer samples for a job than the campaign says.
        """
        handshake = Handshake(Purpose.STATION, self._joined.member, name)
        line = LabLine(self.rules.path, handshake, self._context)
        try:
            facts = line.call("facts")
        except Exception as error:
            line.close()
            if is_silence(error):
                raise NoAnswerError(f"{name}: {reason_of(error)}") from error
            if isinstance(error, LabError):
                raise type(error)(f"{name}: {error}") from error
            raise
        made = ProcessInstrument.of(facts)(name=name, clock=self._clock, driver=line)
        checked_places(name, self._campaign.stations[name], made)
        self._served[name] = made
        return made

    def stations(self) -> AttachedStations:
        """Return the stations as they are reserved; the session has joined."""
        return AttachedStations(self._joined, self.rules.path, self._people)

    def safety(self, not_safe: UnsafeStations) -> AttachedSafety:
        """Return the safety of the laboratory; the session has joined."""
        return AttachedSafety(self._joined, self.rules, self._served, not_safe)

    def close(self) -> None:
        """Detach; what is under way in the laboratory goes on."""
        if self._link is not None:
            self._link.close()
        for one in self._served.values():
            one.close()
        self._clock.close()

    @property
    def _joined(self) -> CampaignLink:
        assert self._link is not None  # noqa: S101 - the session has joined
        return self._link

    def _member(self, folder: Path, campaign_id: str) -> Member:
        limits: dict[str, Any] = {name: one.limits for name, one in self.rules.stations.items() if one.limits}
        try:
            found = fingerprint(self.rules.path)
        except OSError as error:
            raise CampaignError([Problem("lab.path", f"cannot be read: {error.strerror}")]) from error
        return Member(campaign_id, self._campaign.name, self._campaign.claim, folder, limits, found)
