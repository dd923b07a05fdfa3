"""The samples of a campaign: what became of each, worked out from the jobs that had it and from the journal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from campaigns.decisions import (
    AnswerStep,
    DescribeSample,
    DiscardTrial,
    LoseSample,
    MoveSample,
    SampleChange,
    SplitSample,
)
from campaigns.lab.laboratory import StepConfig
from campaigns.lab.sample_steps import SampleConfig, mass_of
from campaigns.units import convert, same_dimension
from campaigns.values import TrialState
from loop.core.journal import Amendment
from loop.core.records import SampleUse, StepRecord, TrialRecord

MASS, BARCODE = "mass", "barcode"
"""What a manual step asks for that is the sample's from then on."""
_NOTHING = SampleConfig()
_WENT_WELL = (TrialState.ACQUIRED, TrialState.COMPLETED)


@dataclass(frozen=True, slots=True)
class SampleEvent:
    """Something that happened to a sample.

    Attributes:
        wall: when, in seconds since the epoch.
        by: step and station, or person and reason.
    """

    wall: float
    text: str
    by: str


@dataclass(frozen=True, slots=True)
class SampleRecord:
    """A sample, or a part of one.

    Attributes:
        id: number of its trial; with ``-2`` for a second one of the same trial, and with ``.1`` for a part.
        parent: id of what it was split from; None where it was made.
        mass: in mg; None where nobody has said.
        position: where it lies; None where nobody has said.
        gone: lost, consumed or split; empty while it is there.
        history: in order.
    """

    id: str
    trial: int
    parent: str | None = None
    mass: float | None = None
    position: str | None = None
    barcode: str = ""
    gone: str = ""
    under_way: bool = False
    reserved: str | None = None
    history: tuple[SampleEvent, ...] = field(default=())

    def with_event(self, event: SampleEvent, **changes: object) -> SampleRecord:
        """Return it after something has happened to it."""
        return replace(self, history=(*self.history, event), **changes)  # type: ignore[arg-type]


class SampleRegister:
    """All samples of a campaign, by their ids, in the order in which they came to be.

    Args:
        steps: name to step, of the campaign.
        trials: all of them.
        uses: which job had which sample.
        journal: what people have said.
    """

    def __init__(
        self,
        steps: Mapping[str, StepConfig],
        trials: Iterable[TrialRecord],
        uses: Sequence[SampleUse],
        journal: Sequence[Amendment],
    ) -> None:
        self._steps = steps
        self._jobs = {record.token: (trial, record) for trial in trials for record in trial.steps}
        self._answers = {
            one.change.token: one for one in journal if isinstance(one.change, AnswerStep) and not one.refused
        }
        self.by_id: dict[str, SampleRecord] = {}
        left = list(journal)
        for use in uses:
            while left and left[0].number <= use.journal:
                self._amended(left.pop(0))
            self._used(use)
        for one in left:
            self._amended(one)

    def of_trial(self, number: int) -> list[SampleRecord]:
        """Return the samples of a trial, parts after what they were split from."""
        return [one for one in self.by_id.values() if one.trial == number]

    def current(self, number: int) -> SampleRecord | None:
        """Return the sample with which a trial goes on; None where it has none (yet, or any more)."""
        return next((one for one in self.of_trial(number) if not one.gone), None)

    def find(self, name: str) -> SampleRecord | None:
        """Return the sample with an id or, where there is none, with a bar code; None where there is no such sample."""
        if name in self.by_id:
            return self.by_id[name]
        return next((one for one in reversed(self.by_id.values()) if one.barcode and one.barcode == name), None)

    def next_id(self, number: int) -> str:
        """Return the id of the next sample that is made for a trial."""
        made = sum(one.parent is None for one in self.of_trial(number))
        return str(number) if not made else f"{number}-{made + 1}"

    def at(self, position: str) -> list[SampleRecord]:
        """Return the samples that lie at a position, or are to lie there when a job has ended."""
        return [one for one in self.by_id.values() if not one.gone and position in (one.position, one.reserved)]

    def _used(self, use: SampleUse) -> None:
        trial, record = self._jobs.get(use.token, (None, None))
        if trial is None or record is None or record.state is TrialState.WITHDRAWN:
            return  # nothing was moved
        step = self._steps.get(record.name)
        by = f"{record.name} at {record.station}"
        known = self.by_id.get(use.sample) or SampleRecord(use.sample, trial.number)
        if not known.history:
            known = known.with_event(SampleEvent(use.wall, "made", by))
        sample = known if step is None else self._after(known, step, (trial, record), SampleEvent(use.wall, "", by))
        self.by_id[sample.id] = sample
        if sample.gone == "split" and step is not None and step.sample.splits:
            self._add_parts(sample, step.sample.splits, SampleEvent(use.wall, "", by))

    def _after(
        self, sample: SampleRecord, step: StepConfig, job: tuple[TrialRecord, StepRecord], event: SampleEvent
    ) -> SampleRecord:
        """Return a sample after a job, or while it is under way."""
        (trial, record), use = job, step.sample
        well = record.state in _WENT_WELL or any(one.name == record.name for one in trial.done)
        parameters = trial.candidate.parameters
        place = use.at if record.open or not well or use.moves_to is None else use.moves_to
        if use.makes is not None and well:
            sample = _weighed(sample, mass_of(use.makes, parameters) or 0.0, event)
        if place is not None and place != sample.position:
            sample = sample.with_event(replace(event, text=f"moved to {place}"), position=place)
        if use.consumes is not None:
            sample = _consumed(sample, mass_of(use.consumes, parameters), event, going_on=record.open)
        if well:
            sample = self._entered(sample, step, record, event)
        if use.splits is not None and well:
            sample = sample.with_event(replace(event, text=f"split into {use.splits}"), gone="split")
        return replace(sample, under_way=record.open, reserved=use.moves_to if record.open else None)

    def _entered(self, sample: SampleRecord, step: StepConfig, record: StepRecord, event: SampleEvent) -> SampleRecord:
        """Return a sample with mass and bar code as a person has entered them."""
        answer = self._answers.get(record.token)
        given = answer.change.readings if answer is not None and isinstance(answer.change, AnswerStep) else {}
        unit = step.asks[MASS].unit if MASS in step.asks else None
        weighed = MASS in given and unit is not None and same_dimension(unit, "mg")
        mass = convert(float(given[MASS]), unit or "mg", "mg") if weighed else None
        return _described(sample, mass, str(given[BARCODE]) if BARCODE in given else None, event)

    def _amended(self, one: Amendment) -> None:
        change = one.change
        if isinstance(change, DiscardTrial) and not one.refused:
            for each in self.of_trial(change.trial):
                self._amended(replace(one, change=LoseSample(sample=each.id)))
        if one.refused or not isinstance(change, SampleChange):
            return
        sample = self.by_id.get(change.sample)
        if sample is None or sample.gone:
            return
        event = SampleEvent(one.written, "", f"{one.author}: {one.reason}")
        match change:
            case MoveSample(position=position):
                self.by_id[sample.id] = sample.with_event(
                    replace(event, text=f"moved to {position}"), position=position
                )
            case DescribeSample(mass=mass, barcode=barcode):
                self.by_id[sample.id] = _described(sample, mass, barcode, event)
            case LoseSample():
                self.by_id[sample.id] = sample.with_event(replace(event, text="lost"), gone="lost")
            case SplitSample(parts=parts):
                self.by_id[sample.id] = sample.with_event(replace(event, text=f"split into {parts}"), gone="split")
                self._add_parts(sample, parts, event)

    def _add_parts(self, sample: SampleRecord, parts: int, event: SampleEvent) -> None:
        mass = None if sample.mass is None else sample.mass / parts
        made = replace(event, text=f"split from {sample.id}")
        for place in range(1, parts + 1):
            part = SampleRecord(f"{sample.id}.{place}", sample.trial, sample.id, mass, sample.position, history=(made,))
            self.by_id.setdefault(part.id, part)


def are_told_of(steps: Iterable[StepConfig], journal: Iterable[Amendment]) -> bool:
    """Return whether steps or people say what they do with samples; else, each trial has one, and that is all."""
    changed = any(isinstance(one.change, SampleChange) for one in journal)
    return changed or any(step.sample != _NOTHING for step in steps)


def _weighed(sample: SampleRecord, mass: float, event: SampleEvent) -> SampleRecord:
    return sample.with_event(replace(event, text=f"weighs {mass:g} mg"), mass=mass)


def _described(sample: SampleRecord, mass: float | None, barcode: str | None, event: SampleEvent) -> SampleRecord:
    """Return a sample with the mass in mg and the bar code that somebody has found; None is not told."""
    if barcode is not None:
        sample = sample.with_event(replace(event, text=f"bar code {barcode}"), barcode=barcode)
    return sample if mass is None else _weighed(sample, mass, event)


def _consumed(sample: SampleRecord, used: float | None, event: SampleEvent, *, going_on: bool) -> SampleRecord:
    """Return a sample of which some mass is used, all of it where that is None."""
    left = None if used is None or sample.mass is None else sample.mass - used
    everything = used is None or (left is not None and left <= 0)
    text = "consumed" if used is None else f"{used:g} mg consumed"
    gone = "consumed" if everything and not going_on else ""
    return sample.with_event(replace(event, text=text), mass=0.0 if everything else left, gone=gone)
