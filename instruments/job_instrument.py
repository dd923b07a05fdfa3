"""The base of all instruments that run one job at a time, and know it by its token.

The settings of a job are written one by one and read back; ``set(token)`` then starts it. A token that the instrument
knows already starts nothing: the status attaches to the job that runs or has run, as with an HTTP PUT.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ophyd import Component, Device, Kind, Signal
from ophyd.status import Status

from campaigns.errors import (
    BusyError,
    LabError,
    LimitError,
    PlanError,
    SampleError,
    StepError,
    UnknownJobError,
    raised_by,
)
from campaigns.values import Scalar
from instruments.clock import Clock
from instruments.guarded_clock import GuardedClock
from instruments.job import Job
from instruments.limits import Limits
from instruments.signal_units import stated_unit
from instruments.status import LabStatus

NO_MATERIAL = "-"
"""What an instrument is given in a campaign without materials: EPICS servers may refuse an empty text."""

SAMPLE_FAILED = "sample failed"
"""State of an instrument that is well, but cannot make or measure the sample: the candidate is to blame."""

PLAN_FAILED = "plan failed"
"""State of a station whose plan has failed by a mistake in it, before anything moved: no other attempt mends it."""


OF_SAMPLE = ("sample", "material", "attempt")
"""Signals that say which sample it is."""


class Quantity(Signal):
    """A soft signal that knows its unit and its limits, and is set at once.

    Args:
        unit: unit of the value; empty for text.
        limits: lowest and highest value that may be set; (0, 0) when there are none.
        choices: the values that a text may take.
    """

    def __init__(
        self, *, unit: str = "", limits: tuple[float, float] = (0, 0), choices: tuple[str, ...] = (), **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.unit = unit
        self.choices = choices
        self._limits = limits

    @property
    def limits(self) -> tuple[float, float]:
        """Lowest and highest value that may be set."""
        return self._limits

    def set(self, value: Any, **_: Any) -> Status:
        """Put the value and return a finished status."""
        self.put(value)
        status = Status(self)
        status.set_finished()
        return status

    def describe(self) -> dict[str, Any]:
        """Return the data key, with the unit."""
        description: dict[str, Any] = super().describe()
        if self.unit:
            description[self.name]["units"] = self.unit
        return description


def text(value: str = "", **kwargs: Any) -> Any:
    """Return a component that holds text."""
    return Component(Quantity, value=value, **kwargs)


@dataclass(frozen=True, slots=True)
class Readback:
    """Where it is read after a job whether a setting is what it was set to.

    Attributes:
        signal: name of the signal: the setting itself, or what measures where the device really is.
        tolerance: largest distance from the setting, in the setting's unit; 0 for that of single precision.
        dwell: how long it has to stay within that, in seconds of wall time.
        updates: whether the device updates it all the time, so that one whose time stamp stands still tells nothing.
    """

    signal: str
    tolerance: float = 0.0
    dwell: float = 0.0
    updates: bool = False


class JobInstrument(Device):
    """An instrument that runs one job at a time.

    Attributes:
        settings: names of the signals that make up a recipe.
        texts: those of the settings that are text.
        defaults: values of the settings that a recipe may leave out.
        interlocks: signal to the value that it must have before a job may start.
        readbacks: setting to where it is read after a job; by default the setting itself, at the device.
        remembers_jobs: whether it remembers its jobs by itself; else it is made with a
            ``job_memory``, in which it keeps them.
        answers_later: whether it can tell later what became of a job that was cut short, as it does jobs by itself.
        place_count: how many samples one job takes; above 1 each has a place, ``place1`` and so on.
        own: names of the signals, settings and readings, that each place has for itself.
        silence: what the link to the instrument says while that does not answer in a job; empty while it does.
        on_mistake: told what the driver raised when the clock called it.
    """

    settings: ClassVar[tuple[str, ...]] = ()
    texts: ClassVar[frozenset[str]] = frozenset()
    defaults: ClassVar[Mapping[str, Scalar]] = {}
    interlocks: ClassVar[Mapping[str, str]] = {}
    readbacks: ClassVar[Mapping[str, Readback]] = {}
    remembers_jobs: ClassVar[bool] = True
    answers_later: ClassVar[bool] = True
    place_count: ClassVar[int] = 1
    own: ClassVar[tuple[str, ...]] = ()

    sample = text()
    material = text()
    step = text()
    attempt = Component(Quantity, value=0)
    token = text()
    state = text("idle", kind=Kind.omitted)
    message = text(kind=Kind.omitted)

    def __init__(self, prefix: str = "", *, name: str, clock: Clock, **kwargs: Any) -> None:
        super().__init__(prefix, name=name, **kwargs)
        self.clock: Clock = GuardedClock(clock, self._driver_failed)
        self.silence = ""
        self.on_mistake: Callable[[StepError], None] = lambda _: None
        self._waiting: tuple[LabStatus, str] | None = None
        self._mistake: StepError | None = None
        for key in (*OF_SAMPLE, *self.own) if self.place_count > 1 else ():
            getattr(self, key).kind = Kind.omitted  # each place has its own
        self._attend()

    @property
    def begun(self) -> bool:
        """Whether the instrument was made by its base, too, so that it has its clock and its signals."""
        return "_mistake" in vars(self)

    @abstractmethod
    def has_job(self, token: str) -> bool:
        """Return whether a job of this token runs or has run."""

    @abstractmethod
    def start(self, token: str) -> None:
        """Start the job that the settings describe; attach to it when the token is known."""

    @abstractmethod
    def progress(self) -> str:
        """Return what the instrument does now, for people; answers at once."""

    @property
    def own_settings(self) -> tuple[str, ...]:
        """The settings that each place has for itself."""
        return tuple(key for key in self.settings if key in self.own)

    def place(self, number: int) -> Any:
        """Return a place, from 1 to the capacity."""
        return getattr(self, f"place{number}")

    @property
    def numbered_places(self) -> dict[int, Any]:
        """The places by their numbers, in order; empty at an instrument for one sample."""
        numbers = range(1, self.place_count + 1) if self.place_count > 1 else ()
        return {number: self.place(number) for number in numbers}

    @property
    def filled(self) -> dict[int, Any]:
        """The places in which a sample stands, by their numbers; empty at an instrument for one sample."""
        return {number: place for number, place in self.numbered_places.items() if place.sample.get()}

    @property
    def told(self) -> list[tuple[dict[str, Scalar], str]]:
        """What the instrument is set to now, and the material, of each sample that it has."""
        settings = {key: getattr(self, key).get() for key in self.settings}
        if self.place_count == 1:
            return [(settings, str(self.material.get()))]
        return [
            (settings | {key: getattr(place, key).get() for key in self.own_settings}, str(place.material.get()))
            for place in self.filled.values()
        ]

    @property
    def limits(self) -> Limits:
        """What the settings may be, read from the device now."""
        numbers = [key for key in self.settings if key not in self.texts]
        return Limits(
            self.name,
            {key: getattr(self, key).limits for key in numbers},
            {key: getattr(self, key).choices for key in self.texts},
        )

    def unit_of(self, setting: str) -> str:
        """Return the unit of a numeric setting.

        Raises:
            LimitError: there is no such setting.
        """
        if setting not in self.settings:
            raise LimitError(f"{self.name} has no setting {setting!r}; allowed: {', '.join(self.settings)}")
        return stated_unit(getattr(self, setting)) or "1"

    def check_units(self) -> dict[str, str]:
        """Return signal to the unit that it states, of those that state one.

        Raises:
            LimitError: a server states another unit than its driver was written for.
        """
        units = {name: stated_unit(getattr(self, name)) for name in self.component_names}
        return {name: unit for name, unit in units.items() if unit}

    def job_duration(self, recipe: Mapping[str, Scalar]) -> float | None:  # noqa: ARG002  for those that can tell
        """Return how long a job takes [s], by a complete recipe in the settings' units; None where nobody can tell."""
        return None

    @property
    def hints(self) -> dict[str, Any]:
        """Return which fields of an event are worth showing: signals of the kind ``hinted``, else numeric settings."""
        fields = super().hints["fields"]
        return {"fields": fields or [getattr(self, key).name for key in self.settings if key not in self.texts]}

    def documents(self, token: str) -> list[tuple[str, dict[str, Any]]]:  # noqa: ARG002  for those that run plans
        """Return name and body of each Bluesky document that the instrument itself has of a job, in order."""
        return []

    def remember_in(self, folder: Path) -> None:
        """Remember jobs from now on below a folder, beside a campaign's store; for those that do so on this disk.

        What other folders hold is still known.
        """

    def never_began(self, token: str) -> bool:  # noqa: ARG002  for those that can tell
        """Return whether the instrument can rule out that a job of this token was ever begun."""
        return False

    def has_finished(self, token: str) -> bool:
        """Return whether the instrument itself says that a job is over, well or badly."""
        return bool(self.token.get() == token and self.state.get() in ("done", "fault", SAMPLE_FAILED))

    def is_at(self, token: str) -> bool:
        """Return whether the instrument is at a job now."""
        return bool(self.token.get() == token and self.state.get() == "busy")

    def is_unattended(self, token: str) -> bool:
        """Return whether the instrument knows a job that its driver is not at, as that was started anew meanwhile."""
        driven = self.token.get() == token or self.state.get() == "busy"
        return self.answers_later and not driven and self.has_job(token)

    def with_defaults(self, recipe: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return a value for every setting, so that none is left over from an earlier job.

        Raises:
            LimitError: a setting is missing, unknown, outside its limits, or has limits that cannot be read.
        """
        full = {**self.defaults, **recipe}
        if missing := set(self.settings) - set(full):
            raise LimitError(f"{self.name}: no value for {', '.join(sorted(missing))}; add it to the step's recipe")
        self.limits.check(full)
        return full

    def check_ready(self) -> None:
        """Check that a job may start: the instrument is free, and its interlocks hold.

        Raises:
            BusyError: it is at another job.
            LabError: its interlocks do not hold.
        """
        if self.state.get() == "busy":
            raise BusyError(f"{self.name} is at job {self.token.get()!r}; wait until it has ended; nothing was moved")
        for key, wanted in self.interlocks.items():
            if (got := getattr(self, key).get()) != wanted:
                raise LabError(f"{self.name}: interlock: {key} is {got!r}; allowed: {wanted!r}; nothing was moved")

    def set(self, token: str, *, timeout: float) -> LabStatus:
        """Start the job ``token``, or attach to it when it is known already.

        Args:
            token: what the job is known by.
            timeout: longest time that the job may take from now, in seconds of lab time.
        """
        self._mistake = None
        self.start(token)
        status = LabStatus(self, self.clock, timeout)
        self._waiting = (status, token)
        if self._mistake is not None:
            status.end(self._mistake)
        self._settle(status, token)
        return status

    def stop(self, *, success: bool = False) -> None:  # noqa: ARG002  the RunEngine passes it
        """Stop waiting, and leave the instrument as it is: the RunEngine calls this after every plan, good or bad."""
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting[0].end(StepError(f"{self.name}: nobody waits for the job any more"))

    def halt(self, reason: str) -> None:
        """Give up the job under way for the sake of safety, if the device can be told to; answers at once.

        An instrument that can stop its program, or switch off its heater, does so here. What a lab file sets as the
        safe state has been set before.
        """

    def verify(self, job: Job) -> None:
        """Prove from readings what only this instrument can tell; that the job has ended as it was set is proven.

        Raises:
            StepError: the job did not do what its recipe says.
        """

    def _driver_failed(self, error: BaseException) -> None:
        """Fail the job under way with what the driver raised when the clock called it; the device is left as it is."""
        self._mistake = StepError(f"{self.name}: its driver raised {raised_by(error)}")
        if self._waiting is not None:
            self._waiting[0].end(self._mistake)
        self.on_mistake(self._mistake)

    def _attend(self) -> None:
        """See to it that a change of the state is followed."""
        self.state.subscribe(self._follow, run=False)

    def _follow(self, **_: Any) -> None:
        """Take note that the state has changed."""
        if self._waiting is not None:
            self._settle(*self._waiting)

    def _settle(self, status: LabStatus, token: str) -> None:
        """End the status when the job has ended, or the instrument is no longer at it."""
        state, at = self.state.get(), self.token.get()
        if at != token:
            status.end(UnknownJobError(f"{self.name} was at job {token!r} and is now at {at!r}; find out what it did"))
        elif state == "done":
            status.end()
        elif state != "busy":
            error = {SAMPLE_FAILED: SampleError, PLAN_FAILED: PlanError}.get(state, StepError)
            status.end(error(f"{self.name}: {state}: {self.message.get()}"))


def readings(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event's data by signal, without the name of the instrument in front."""
    return {key.removeprefix(f"{name}_"): value for key, value in data.items()}
