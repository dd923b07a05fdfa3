"""A station of a lab process: its instrument, as several campaigns ask for it, and the one that has it tells it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from campaigns.errors import LabError, UnknownJobError
from campaigns.lab.lab_rules import LimitConfig
from instruments.devices.answer_line import AnswerLine
from instruments.devices.served_instrument import ServedInstrument
from instruments.guarded_devices import GuardedInstrument
from instruments.run_context import RunContext
from instruments.safe_state import make_safe
from instruments.step_errors import is_silence
from loop.execution.shared_lab.messages import Member
from loop.execution.shared_lab.reservations import Reservations

_GIVING_UP = 2.0
"""Wall time in seconds that a campaign's run has to give up its job before that is done without it. Not tuned."""
_POLL = 0.02


class StationContext:
    """What the runs of a station's plans have in common with others of the campaign that has the station.

    Attributes:
        campaign: what start documents say of it.
        context: the same, numbering and documents.
    """

    def __init__(self) -> None:
        self.campaign: dict[str, Any] = {}
        self.line: Callable[[], AnswerLine | None] = lambda: None
        self.context = RunContext(self.campaign, self._number, self._publish)
        self._last = 0

    def _number(self) -> int:
        """Return the number of the next run, or, where the campaign's run is away, one more than the last."""
        line = self.line()
        self._last = self._last + 1 if line is None else line.number()
        return self._last

    def _publish(self, name: str, document: dict[str, Any]) -> None:
        if (line := self.line()) is not None:
            line.send("document", name, document)


class SharedStation:
    """One station.

    Args:
        guarded: its instrument behind its guard.
        reservations: say which campaign has it.
        about: of its plans' runs.

    Attributes:
        lines: id of each campaign to the line on which it asks for the instrument.
        tell: told of jobs that are given up, from any thread.
        tell_campaign: tells the run of a campaign to give up its job, for a reason; returns whether it is there.
    """

    def __init__(self, guarded: GuardedInstrument, reservations: Reservations, about: StationContext) -> None:
        self.name, self.guarded, self._reservations = guarded.guard.name, guarded, reservations
        self.lines: dict[str, AnswerLine] = {}
        self.tell: Callable[[str], None] = lambda _: None
        self.tell_campaign: Callable[[str, str, str], bool] = lambda *_: False
        self._rules = guarded.guard.rules
        self._asking = threading.Lock()
        self._attached = ""  # token of the job that this process has told the instrument last
        self._given_up = ""  # token of the job of which that was told last
        self._instrument = guarded.instrument
        self._served = ServedInstrument(self._instrument, self._tell, about.campaign, guarded.check_start)
        about.line = self._line

    @property
    def busy(self) -> bool:
        """Whether a campaign's job is under way, which it has not given up."""
        return bool(self._reservations.token(self.name)) and self.is_at(self._reservations.token(self.name))

    def is_at(self, token: str) -> bool:
        """Return whether the instrument is at a job, or may be, as it does not answer."""
        try:
            return bool(self._instrument.token.get() == token and self._instrument.state.get() == "busy")
        except Exception:  # noqa: BLE001 - a device may raise anything; nobody can tell, then
            return True

    def abort(self, reason: str) -> None:
        """Have the job under way given up, by the campaign's run where that is there; returns at once."""
        campaign, token = self._reservations.campaign_of(self.name), self._reservations.token(self.name)
        if not token:
            return
        asked = self.tell_campaign(campaign, self.name, reason)
        threading.Thread(target=self._give_up, args=(token, asked), name="abort", daemon=True).start()
        self._tell_end(token, reason)

    def take_up(self, token: str) -> bool:
        """Attach to a job of before a restart, if the instrument knows it; return whether that is settled.

        An instrument that is asked only for jobs that it was given by this process says then what the job does. Once
        is enough, as one that is attached to is busy for a moment again; and where the campaign has given the job
        back meanwhile, the instrument is the next one's.
        """
        try:
            with self._asking:
                if self._attached == token or self._reservations.token(self.name) != token:
                    return True
                if self._instrument.has_job(token):
                    self._instrument.start(token)
                    self._attached = token
        except UnknownJobError:
            return True
        except Exception as error:  # noqa: BLE001 - a device may raise anything
            return not is_silence(error)
        return True

    def check_member(self, member: Member) -> None:
        """Check that a campaign only tightens what the lab file says.

        Raises:
            LabError: it does not, or what it limits beyond the lab file is guarded by nobody here.
        """
        self._limits_of(member)

    def answer(self, member: Member, name: str, values: tuple[Any, ...]) -> Any:
        """Return what a campaign's question is answered.

        Raises:
            NotReservedError: it would tell the instrument something, and does not have the station.
            Exception: what the instrument raises.
        """
        match name:
            case "trips":
                return self.guarded.guard.trips
            case "stop":
                return self._stop(member, *values)
            case "secure" | "halt":
                self._reservations.check(member.id, self.name)
                return self._secure(*values)
            case "remember_in":
                return None  # it stands in what the campaign has said of itself
        with self._asking:
            self._instrument.remember_in(member.folder)
            if name == "start":
                return self._start(member, *values)
            if name == "check_ready":
                self._reservations.check(member.id, self.name)
                self._reservations.touch(self.name, time.monotonic())
            return self._answer(member, name, values)

    def _answer(self, member: Member, name: str, values: tuple[Any, ...]) -> Any:
        try:
            return self._served.answer(name, values)
        except UnknownJobError:  # the instrument is at another campaign's job: it is asked again when that is over
            self._reservations.check(member.id, self.name)
            raise

    def _start(self, member: Member, token: str, job: Mapping[str, Any], campaign: Mapping[str, Any]) -> Any:
        self._reservations.begin(member.id, self.name, token)
        self.guarded.guard.rules = replace(self._rules, limits=self._limits_of(member))
        told = self._served.start(token, job, campaign)
        self._attached = token
        return told

    def _stop(self, member: Member, success: bool) -> None:
        """Stop waiting for a campaign's own job; another's is none of its business."""
        token = self._reservations.token(self.name)
        if token and self._reservations.has(member.id, self.name) and self._instrument.token.get() == token:
            under_way = self.is_at(token)
            self._served.stop(success)
            if under_way and not success:
                self._tell_end(token, "as its run says")

    def _secure(self, why: str) -> list[str]:
        """Bring the station into its safe state; tell people after that, as a terminal may hang, whose job it ends."""
        token = self._reservations.token(self.name)
        wrong = make_safe(self.guarded, why)
        if token:
            self._tell_end(token, why)
        return wrong

    def _tell_end(self, token: str, why: str) -> None:
        """Tell people once that a job is given up, and whose it is."""
        if token != self._given_up:
            self._given_up = token
            account = self._reservations.accounts.get(self._reservations.campaign_of(self.name))
            whose = "" if account is None else f" of campaign {account.name}"
            _, _, named = token.partition("-")  # after when its campaign was begun
            trial = f", trial {named.partition('-')[0]}" if named[:1].isdigit() else ""
            self.tell(f"{self.name}: job {token}{whose}{trial} is given up: {why}")

    def _limits_of(self, member: Member) -> dict[str, LimitConfig]:
        limits, base = dict(self._rules.limits), self._rules.limits
        for part, limit in member.limits.get(self.name, {}).items():
            if part not in base and part not in self.guarded.parts:
                raise LabError(
                    f"{self.name}: {part} is limited by the campaign alone; add it to limits of the lab file"
                )
            try:
                limits[part] = base[part].tightened(limit) if part in base else limit
            except ValueError as error:
                raise LabError(f"{self.name}: {part}: {error}; the campaign may only tighten it") from error
        return limits

    def _give_up(self, token: str, asked: bool) -> None:
        ends = time.monotonic() + (_GIVING_UP if asked else 0.0)
        while self.is_at(token) and time.monotonic() < ends:
            time.sleep(_POLL)
        if self.is_at(token) and self._reservations.token(self.name) == token:
            self._instrument.stop(success=False)

    def _line(self) -> AnswerLine | None:
        return self.lines.get(self._reservations.campaign_of(self.name))

    def _tell(self, token: str, state: str, message: str) -> None:
        if (line := self._line()) is not None:
            line.send("state", token, state, message)
