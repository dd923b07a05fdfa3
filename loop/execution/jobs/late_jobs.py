"""Jobs that were over their time while their instrument was still at them: it is asked until it has done them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from campaigns.errors import UnknownJobError
from instruments.clock import Clock
from instruments.job_instrument import JobInstrument
from instruments.station import Station

_LOOKS = 20
"""Times that an instrument is asked, within as much time again as the job was given. Not tuned: a late job is then
collected within a twentieth of its time, and a station that never ends it is given up after twice its time."""


@dataclass(frozen=True, slots=True)
class LateJob:
    """A job whose result is still to come, of trials that are uncertain meanwhile: one, or those of a load.

    Attributes:
        trials: their numbers.
        token: what the instrument knows the job by.
        station: where it is under way.
        limit: longest time that its step may take, in seconds of lab time.
        ends: lab time in seconds until which it is waited for once more.
    """

    trials: tuple[int, ...]
    token: str
    station: str
    limit: float
    ends: float


class LateJobs:
    """The late jobs of a session. A station does nothing else while its late job is waited for.

    Args:
        stations: ask their instruments.
        clock: the lab's clock.
    """

    def __init__(self, stations: Mapping[str, Station], clock: Clock) -> None:
        self._stations, self._clock = stations, clock
        self._waited: dict[str, LateJob] = {}
        self._done: list[LateJob] = []
        self._given_up: dict[str, str] = {}
        self._asked: set[str] = set()  # stations that are at a question
        self._said: set[str] = set()  # tokens of the jobs of which people have said meanwhile that they are done
        self._lock = threading.Lock()  # people speak in the session's thread, and instruments in the clock's

    @property
    def over(self) -> bool:
        """Whether any has ended that is to be collected."""
        return bool(self._done)

    def holds(self, station: str) -> bool:
        """Return whether a station has a late job that is waited for, or to be collected."""
        return station in self._waited or any(one.station == station for one in self._done)

    @property
    def tokens(self) -> set[str]:
        """The tokens of the jobs that are waited for, or to be collected."""
        return {one.token for one in (*self._waited.values(), *self._done)}

    def gave_up(self, station: str) -> str:
        """Return the token of the late job that a station has never ended; empty if there is none."""
        return self._given_up.get(station, "")

    def follow(self, late: LateJob, news: Callable[[], None], *, known: bool = True) -> None:
        """Ask for a job again and again; ``news`` is called when it is done, or not waited for any more.

        Args:
            late: the job.
            news: called on the clock, on which the receiver is at work then.
            known: whether it was under way; one of an earlier session is only waited for if its instrument says so.
        """
        station, pause = late.station, late.limit / _LOOKS
        self._waited[station] = late

        def answered(done: bool | None) -> None:
            with self._lock:
                self._asked.discard(station)
                if late.token in self._said:
                    done = True
            if done is False or (done is None and known):
                if self._clock.now() < late.ends:
                    self._clock.call_later(pause, ask, station)
                    self._clock.leave()  # on behalf of the receiver
                    return
                self._given_up[station] = late.token
            self._waited.pop(station, None)
            if done:
                self._done.append(late)
            news()

        def ask() -> None:
            with self._lock:
                if self._waited.get(station) is not late:
                    return  # it is done, as somebody has said meanwhile
                self._asked.add(station)
            self._stations[station].ask(partial(_is_done, token=late.token, known=known), answered)

        if known:
            self._clock.call_later(pause, ask, station)
        else:
            ask()

    def end(self, late: LateJob) -> None:
        """Take note that a job is done, as somebody says; it is collected once its station is at no question of it."""
        with self._lock:
            waited = self._waited.get(late.station)
            if waited is not None and waited.token == late.token:
                if late.station in self._asked:
                    self._said.add(late.token)
                    return
                del self._waited[late.station]
            self._done.append(late)

    def take(self) -> list[LateJob]:
        """Return the jobs that were done since, to be collected now, each once."""
        done, self._done = self._done, []
        return list({one.token: one for one in done}.values())  # its instrument and a person may both have said so


def _is_done(instrument: JobInstrument, token: str, *, known: bool) -> bool:
    """Return whether a job is done, or, of one that was under way, left by its driver, so that it is attached to.

    Raises:
        UnknownJobError: the instrument is not at it either.
    """
    if instrument.has_job(token) and instrument.has_finished(token):
        return True
    if known and instrument.is_unattended(token):
        return True
    if not instrument.is_at(token):
        raise UnknownJobError(f"{instrument.name} does not know job {token}")
    return False
