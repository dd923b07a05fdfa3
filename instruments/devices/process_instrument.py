"""An instrument whose driver runs in a process of its own, behind the interface of any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ophyd import Component
from ophyd.device import create_device_from_components

from campaigns.errors import StepError
from campaigns.values import Scalar
from instruments.clock import Clock
from instruments.devices.question_line import LineLostError, QuestionLine
from instruments.job import HEADER, Job
from instruments.job_instrument import JobInstrument, Quantity
from instruments.limits import Limits
from instruments.places import told_values, with_places

DRIVER_FAILED = "driver failed"
"""Told in place of a state when the driver has raised what its message says, where its clock called it."""


@dataclass(frozen=True, slots=True)
class DriverFacts:
    """What a driver's instrument says of itself.

    Attributes:
        settings: names, in order.
        units: numeric setting to its unit.
        limits: what the settings may be.
        defaults: values of settings that a recipe may leave out.
        answers_later: whether it can tell later what became of a job that was cut short.
        places: how many samples one job takes.
        own: the settings that each place has for itself.
    """

    settings: tuple[str, ...]
    units: Mapping[str, str]
    limits: Limits
    defaults: Mapping[str, Scalar]
    answers_later: bool = True
    places: int = 1
    own: tuple[str, ...] = ()


class ProcessInstrument(JobInstrument):
    """Passes on what it is told and asked.

    A driver whose process ends in a job leaves that to the instrument: the job is found by its token in the next
    process, if the instrument knows it, and is uncertain otherwise.
    """

    facts: ClassVar[DriverFacts]

    def __init__(self, prefix: str = "", *, name: str, clock: Clock, driver: QuestionLine, **more: Any) -> None:
        super().__init__(prefix, name=name, clock=clock, **more)
        self._driver, self._limits = driver, self.facts.limits
        driver.on_state, driver.on_loss = self._show, self._lost

    @classmethod
    def of(cls, facts: DriverFacts) -> type[ProcessInstrument]:
        """Return the class of the instruments that have these settings."""
        found = {
            key: Component(Quantity, value="" if key in facts.limits.choices else 0.0, unit=facts.units.get(key, ""))
            for key in facts.settings
        }
        made: type[ProcessInstrument] = create_device_from_components(cls.__name__, base_class=cls, **found)
        made.facts, made.answers_later = facts, facts.answers_later
        made.settings, made.texts, made.defaults = facts.settings, frozenset(facts.limits.choices), facts.defaults
        return made if facts.places == 1 else with_places(made, facts.places, facts.own)

    @property
    def limits(self) -> Limits:
        """What the settings may be, as it was read last: before each job, and when the instrument was made.

        So nobody waits for a driver that is being started again who only wants to know what may be asked for. What
        could not be read is asked for again.
        """
        if self._limits.unreadable:
            self._limits = self._driver.call("limits")
        return self._limits

    def with_defaults(self, recipe: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return a value for every setting, held against limits that are read now; see ``JobInstrument``."""
        self._limits = self._driver.call("limits")
        return super().with_defaults(recipe)

    @property
    def hints(self) -> dict[str, Any]:
        """Return which fields of an event are worth showing."""
        found: dict[str, Any] = self._driver.call("hints")
        return found

    def unit_of(self, setting: str) -> str:
        """Return the unit of a numeric setting; see ``JobInstrument.unit_of``."""
        super().unit_of(setting)
        return self.facts.units.get(setting, "1")

    def check_units(self) -> dict[str, str]:
        """Return signal to the unit that it states; see ``JobInstrument.check_units``."""
        found: dict[str, str] = self._driver.call("check_units")
        return found

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float | None:
        """Return how long a job takes [s]; see ``JobInstrument.job_duration``."""
        found: float | None = self._driver.call("job_duration", dict(recipe))
        return found

    def has_job(self, token: str) -> bool:
        """Return whether the instrument knows a job."""
        return bool(self._driver.call("has_job", token))

    def never_began(self, token: str) -> bool:
        """Return whether the instrument can rule out that a job was ever begun."""
        return bool(self._driver.call("never_began", token))

    def has_finished(self, token: str) -> bool:
        """Return whether the instrument says that a job is over."""
        return bool(self._driver.call("has_finished", token))

    def is_at(self, token: str) -> bool:
        """Return whether the instrument is at a job now."""
        return bool(self._driver.call("is_at", token))

    def remember_in(self, folder: Path) -> None:
        """Keep what is remembered of jobs below a folder; see ``JobInstrument.remember_in``."""
        self._driver.always("remember_in", folder)

    def documents(self, token: str) -> list[tuple[str, dict[str, Any]]]:
        """Return name and body of each Bluesky document that the instrument itself has of a job."""
        found: list[tuple[str, dict[str, Any]]] = self._driver.call("documents", token)
        return found

    def check_ready(self) -> None:
        """Check that a job may start; see ``JobInstrument.check_ready``."""
        self._driver.call("check_ready")

    def start(self, token: str) -> None:
        """Start the job that the settings describe, or attach to it, in the driver's process."""
        job = {**{key: getattr(self, key).get() for key in HEADER}, **told_values(self)}
        self.token.put(token)
        self.state.put("busy")
        try:
            told = self._driver.call("start", token, job, dict(self._driver.context.start))
        except BaseException:
            self.state.put("idle")
            raise
        for key, value in told.items():  # of a job that was begun before, what it was told then
            getattr(self, key).put(value)

    def stop(self, *, success: bool = False) -> None:
        """Stop waiting, here and in the driver's process."""
        super().stop(success=success)
        if self._driver.is_open:
            try:
                self._driver.call("stop", success)
            except LineLostError as error:
                self._let_go(str(error))

    def halt(self, reason: str) -> None:
        """End the job under way; see ``JobInstrument.halt``."""
        self._driver.call("halt", reason)

    def progress(self) -> str:
        """Return the instrument's state, and which process serves it; answers at once."""
        state, where = str(self.state.get()), self._driver.where
        return "running" + (where and f" ({where})") if state == "busy" else state

    def verify(self, job: Job) -> None:
        """Have the driver's process prove that a job was done; see ``JobInstrument.verify``."""
        told = {key: getattr(job, key) for key in (*HEADER, "trial", "token", "timeout", "members")}
        self._driver.call("verify", {**told, "recipe": dict(job.recipe)})

    def read(self) -> dict[str, Any]:
        """Return the job, its settings and readings.

        Raises:
            UnknownJobError: the instrument is at another job meanwhile.
        """
        found: dict[str, Any] = self._driver.call("read", self.token.get())
        return found

    def describe(self) -> dict[str, Any]:
        """Return the data keys of ``read``."""
        found: dict[str, Any] = self._driver.call("describe")
        return found

    def ask(self, name: str, *values: Any) -> Any:
        """Return what whoever serves the instrument answers to a question of its own.

        Raises:
            ConnectionError: nobody answers.
        """
        return self._driver.call(name, *values)

    def close(self) -> None:
        """End the line to the instrument."""
        self._driver.close()

    def _show(self, token: str, state: str, message: str) -> None:
        """Show what the driver's process says of the job that is waited for."""
        if token != self.token.get():
            return
        if state == DRIVER_FAILED:
            if self._waiting is not None:
                self._waiting[0].end(StepError(message))
            return
        self.message.put(message)
        self.state.put(state)

    def _lost(self, error: LineLostError) -> None:
        """Let whoever waits for the job attach to it again, or give it up."""
        if self._waiting is not None:
            self._waiting[0].end(error)
        self._let_go(str(error))

    def _let_go(self, why: str) -> None:
        """Take note that the next process is at no job, until it is told to attach to one."""
        self.message.put(why)
        self.token.put("")
        self.state.put("idle")
