"""Instruments that keep jobs of their own, by token, and are asked for them over a line that may be silent."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from campaigns.errors import LabError, raised_by
from instruments.clock import Clock
from instruments.job import HEADER
from instruments.job_instrument import JobInstrument
from instruments.step_errors import SILENT

BUSY = "busy"
LOST = "lost"
"""State of an instrument that no longer knows a job which it has taken: nobody can tell what became of the sample."""


@dataclass(frozen=True, slots=True)
class JobReport:
    """What an instrument says of a job.

    Attributes:
        state: busy, done, fault, or ``job_instrument.SAMPLE_FAILED``.
        message: why it failed.
        progress: what it does now, for people.
        data: signal to its reading, of a job that is done.
        settings: those that the job had, by which it is proven that it did what it was told.
    """

    state: str
    message: str = ""
    progress: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


class PolledInstrument(JobInstrument):
    """An instrument that takes jobs by token, keeps them on its disk, and is asked how they get on.

    A line that is silent, or an instrument that is started again meanwhile, costs nothing: it is asked until the step's
    time is over.

    Args:
        poll: wall time in seconds between two questions.
    """

    def __init__(self, prefix: str = "", *, name: str, clock: Clock, poll: float = 1.0, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, clock=clock, **kwargs)
        self._poll = poll
        self._taken: set[str] = set()
        self._progress = ""
        self._given_up = threading.Event()

    @abstractmethod
    def give(self, token: str, job: Mapping[str, Any]) -> None:
        """Have the instrument begin a job; a token that it knows begins nothing.

        Args:
            token: what the job is known by.
            job: its settings, and ``sample``, ``material``, ``step`` and ``attempt``.

        Raises:
            ConnectionError, TimeoutError: the instrument does not answer.
            LabError: it refuses.
        """

    @abstractmethod
    def ask(self, token: str) -> JobReport | None:
        """Return what the instrument says of a job; None of one that it does not know.

        Raises:
            ConnectionError, TimeoutError: the instrument does not answer.
        """

    def has_job(self, token: str) -> bool:
        """Return whether the instrument knows a job."""
        return self.ask(token) is not None

    def never_began(self, token: str) -> bool:
        """Return whether the instrument does not know a job, nor has ever taken it from this process."""
        return token not in self._taken and self.ask(token) is None

    def has_finished(self, token: str) -> bool:
        """Return whether the instrument says that a job is over, well or badly."""
        report = self.ask(token)
        return report is not None and report.state != BUSY

    def check_ready(self) -> None:
        """Check that the instrument answers, and is at no job.

        Raises:
            LabError: it does not, or is.
        """
        try:
            report = self.ask(self.token.get()) if self.state.get() == BUSY else self.ask("")
        except SILENT as error:
            raise LabError(f"{self.name} does not answer: {error}; nothing was moved") from error
        if self.state.get() == BUSY and (report is None or report.state != BUSY):
            self.state.put("idle")
        super().check_ready()

    def start(self, token: str) -> None:
        """Give the job that the settings describe to the instrument, unless it knows it, and ask until it has ended."""
        if self.token.get() == token and self.state.get() == BUSY and not self._given_up.is_set():
            return
        header = {key: getattr(self, key).get() for key in HEADER}
        job = {**header, **{key: getattr(self, key).get() for key in self.settings}}
        self.token.put(token)
        self.state.put(BUSY)
        self._given_up = threading.Event()
        threading.Thread(target=self._attend_to, args=(token, job, self._given_up), daemon=True).start()

    def stop(self, *, success: bool = False) -> None:
        """Stop asking; the instrument goes on with what it has begun."""
        self._given_up.set()
        super().stop(success=success)

    def progress(self) -> str:
        """Return what the instrument does now, or that it is silent; answers at once."""
        if self.state.get() != BUSY:
            return str(self.state.get())
        return f"disconnected: {self.silence}" if self.silence else self._progress or "running"

    def _attend_to(self, token: str, job: Mapping[str, Any], given_up: threading.Event) -> None:
        """Ask for a job until it has ended or is given up."""
        while not given_up.is_set():
            try:
                report = self._report(token, job)
                self.silence = ""
            except SILENT as error:
                self.silence, report = str(error), JobReport(BUSY)
            except BaseException as error:  # noqa: BLE001  a driver may raise anything; it costs this job only
                said = str(error) if isinstance(error, LabError) else raised_by(error)
                report = JobReport("fault", said)
            if report.state != BUSY:
                self._end(report)
                return
            self._progress = report.progress
            given_up.wait(self._poll)

    def _report(self, token: str, job: Mapping[str, Any]) -> JobReport:
        """Return how a job gets on, which the instrument is given if it does not know it."""
        report = self.ask(token)
        if report is not None:
            self._taken.add(token)
            return report
        if token in self._taken:
            return JobReport(LOST, f"{self.name} no longer knows job {token}, which it had taken; look at the sample")
        self.give(token, job)
        self._taken.add(token)
        return JobReport(BUSY)

    def _end(self, report: JobReport) -> None:
        """Show what came of a job: its settings and readings first, its state last."""
        told = {key: report.settings[key] for key in self.settings if key in report.settings}
        for key, value in {**report.data, **told}.items():
            getattr(self, key).put(value)
        self.message.put(report.message)
        self.state.put(report.state)
