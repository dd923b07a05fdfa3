"""A person as an instrument: a job is what somebody is to do, and it ends with what that person answers."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ophyd import Component
from ophyd.device import create_device_from_components

from campaigns.lab.manual_steps import AskConfig
from campaigns.lab.setpoints import SetpointConfig
from campaigns.values import Scalar
from instruments.clock import Clock
from instruments.job_instrument import SAMPLE_FAILED, JobInstrument, Quantity
from instruments.job_memory import JobMemory
from instruments.limits import Limits

BUSY = "busy"


@dataclass(frozen=True, slots=True)
class ManualAnswer:
    """What a person says of a job.

    Attributes:
        number: of the line in the journal.
        outcome: done, failed, or that the sample is to blame.
        readings: what was asked, in its unit.
        message: why it failed.
    """

    number: int
    state: str
    readings: Mapping[str, Scalar] = field(default_factory=dict)
    message: str = ""


@dataclass(frozen=True, slots=True)
class ManualStep:
    """What is known of a step that a person does.

    Attributes:
        asks: name to what is entered.
        simulated: how long it takes in a simulated lab [s]; None where a person answers.
    """

    asks: Mapping[str, AskConfig] = field(default_factory=dict)
    simulated: float | None = None

    @property
    def simulated_readings(self) -> dict[str, Scalar]:
        """What is read in a simulated lab."""
        return {name: ask.read(ask.simulated) for name, ask in self.asks.items() if ask.simulated is not None}


class ManualInstrument(JobInstrument):
    """A person. What is asked of one, and what was answered, lies on disk, so that a kill changes nothing.

    Args:
        setpoints: what a recipe may say.
        steps: step to what is asked when it is done.
        memory: of the jobs.

    Attributes:
        when_late: what to do about a job over its time.
    """

    when_late = "nobody has said what became of it; an answer still counts"

    def __init__(
        self,
        prefix: str = "",
        *,
        name: str,
        clock: Clock,
        setpoints: Mapping[str, SetpointConfig],
        steps: Mapping[str, ManualStep],
        memory: JobMemory,
        **more: Any,
    ) -> None:
        super().__init__(prefix, name=name, clock=clock, **more)
        self._setpoints, self._steps, self._memory = setpoints, steps, memory
        self._record: dict[str, Any] = {}
        self._told: tuple[str, ...] = ()
        self._early: dict[str, ManualAnswer] = {}
        self._lock = threading.RLock()

    @classmethod
    def of(cls, setpoints: Mapping[str, SetpointConfig]) -> type[ManualInstrument]:
        """Return the class of the instruments that have these settings."""
        found = {key: Component(Quantity, **_signal(one)) for key, one in setpoints.items()}
        made: type[ManualInstrument] = create_device_from_components(cls.__name__, base_class=cls, **found)
        made.settings = tuple(setpoints)
        made.texts = frozenset(key for key, one in setpoints.items() if one.choices)
        return made

    def with_defaults(self, recipe: Mapping[str, Scalar]) -> dict[str, Scalar]:
        """Return the recipe: what it leaves out is not said to the person.

        Raises:
            LimitError: a setting is unknown, or outside its limits.
        """
        self.limits.check(recipe)
        self._told = tuple(recipe)
        return dict(recipe)

    @property
    def limits(self) -> Limits:
        """What the settings may be."""
        ranges = {key: one.limits for key, one in self._setpoints.items() if one.limits is not None}
        return Limits(self.name, ranges, {k: one.choices for k, one in self._setpoints.items() if one.choices})

    def has_job(self, token: str) -> bool:
        """Return whether somebody was asked to do a job."""
        return self._memory.find(token) is not None

    def never_began(self, token: str) -> bool:
        """Return whether nobody was ever asked to do a job."""
        return not self.has_job(token)

    def has_finished(self, token: str) -> bool:
        """Return whether somebody has answered."""
        return self._ended(token) is not None

    def is_at(self, token: str) -> bool:
        """Return whether an answer is waited for."""
        return self.has_job(token) and not self.has_finished(token)

    def progress(self) -> str:
        """Return that an answer is waited for; answers at once."""
        return "waits for a person" if self.state.get() == BUSY else str(self.state.get())

    def check_ready(self) -> None:
        """Check that somebody may be asked: at any time, as an answer to what was asked and given up before counts."""

    def simulated(self, step: str) -> bool:
        """Return whether a step is simulated, so that nobody is asked."""
        return self._steps[step].simulated is not None

    def start(self, token: str) -> None:
        """Ask for the job that the settings describe, unless it was asked for before; take up what was answered."""
        with self._lock:
            if not self.has_job(token):
                told = {key: getattr(self, key).get() for key in self._told}
                self._memory.begin(token, told, step=self.step.get(), since=self.clock.now())
                if (early := self._early.pop(token, None)) is not None:
                    self.answer(token, early)
            self.token.put(token)
            if (ended := self._ended(token)) is not None:
                self._show(ended)
                return
            self._record = self._memory.find(token) or {}
            self.state.put(BUSY)
        if (ends := self._simulated_end(self._record)) is not None:
            self.clock.call_at(ends, lambda: self._end_simulated(token), self.name)

    def answer(self, token: str, answer: ManualAnswer) -> bool | None:
        """Take a person's answer; return whether it counts, as nobody has answered otherwise before.

        None is returned of a job that has not quite begun: it is answered as soon as it has, if this process lives.
        """
        with self._lock:
            record = self._memory.find(token)
            if record is None:
                self._early.setdefault(token, answer)
                return None
            if self._ended(token) is not None:
                return self.took(token, answer.number)
            ended = {
                **record,
                "state": answer.state,
                "message": answer.message,
                "readings": dict(answer.readings),
                "answer": answer.number,
            }
            self._memory.end(token, ended)
            if self.token.get() == token and self.state.get() == BUSY:
                self._show(ended)
        return True

    def took(self, token: str, number: int) -> bool:
        """Return whether a job has ended with the answer of a number."""
        return bool((self._memory.ended(token) or {}).get("answer") == number)

    def read(self) -> dict[str, Any]:
        """Return what the job was, and what was answered."""
        found = {key: one for key, one in super().read().items() if self._is_told(key)}
        stamp = self.token.timestamp
        answered = self._record.get("readings", {})
        return found | {f"{self.name}_{key}": {"value": value, "timestamp": stamp} for key, value in answered.items()}

    def describe(self) -> dict[str, Any]:
        """Return the data keys of what is read."""
        found = {key: one for key, one in super().describe().items() if self._is_told(key)}
        return found | {f"{self.name}_{key}": self._data_key(key) for key in self._record.get("readings", {})}

    @property
    def hints(self) -> dict[str, Any]:
        """Return the settings that the job has, and what was answered."""
        fields = [key for key in super().hints["fields"] if self._is_told(key)]
        return {"fields": [*fields, *(f"{self.name}_{key}" for key in self._record.get("readings", {}))]}

    def _is_told(self, key: str) -> bool:
        """Return whether a signal is no setting that the job's recipe leaves out."""
        setting = key.removeprefix(f"{self.name}_")
        return setting not in self.settings or setting in self._record.get("recipe", {})

    def _data_key(self, name: str) -> dict[str, Any]:
        ask = self._steps[self._record["step"]].asks[name]
        number = ask.unit is not None
        key: dict[str, Any] = {"source": f"person:{self.name}", "dtype": "number" if number else "string", "shape": []}
        return key | ({"units": ask.unit} if number else {})

    def _show(self, record: Mapping[str, Any]) -> None:
        """Show how a job has ended: its settings and readings first, its state last."""
        self._record = dict(record)
        for key, value in record.get("recipe", {}).items():
            getattr(self, key).put(value)
        self.message.put(record.get("message", ""))
        self.state.put(record["state"])

    def _ended(self, token: str) -> dict[str, Any] | None:
        """Return how a job has ended; None while it has not. What is simulated ends by its time alone."""
        record = self._memory.find(token) or {}
        ends = self._simulated_end(record)
        if ends is None:
            return self._memory.ended(token)
        readings = self._steps[record["step"]].simulated_readings
        return {**record, "state": "done", "readings": readings} if self.clock.now() >= ends else None

    def _simulated_end(self, record: Mapping[str, Any]) -> float | None:
        """Return when a job is done in a simulated lab, in seconds of lab time; None where a person answers."""
        step = self._steps.get(record.get("step", ""), ManualStep())
        return None if step.simulated is None or "since" not in record else float(record["since"]) + step.simulated

    def _end_simulated(self, token: str) -> None:
        if self.token.get() == token and (ended := self._ended(token)) is not None:
            self._show(ended)


OUTCOMES: Mapping[str, str] = {"done": "done", "failed": "fault", "spoilt": SAMPLE_FAILED}
"""What a person says became of a step, to the state of the instrument."""


def _signal(config: SetpointConfig) -> dict[str, Any]:
    if config.choices:
        return {"value": "", "choices": config.choices}
    return {"value": 0.0, "unit": config.unit or "", "limits": config.limits or (0.0, 0.0)}
