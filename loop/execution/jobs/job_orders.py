"""What a station is asked to do: the attempts at a step, of one trial or of a load, and the job that they make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from campaigns.campaign import Campaign
from campaigns.lab.laboratory import StepConfig
from campaigns.values import Scalar, TrialState
from instruments.clock import Clock
from instruments.job import NO_TRIAL, Job, LoadMember
from instruments.job_instrument import JobInstrument
from loop.core.records import StepRecord, TrialRecord
from loop.execution.laboratory.lab_setup import recipe
from loop.execution.run_documents import RunDocuments
from loop.storage.artefacts import LOST
from loop.storage.store import Store
from loop.validation.limit_checks import RecordedLimits, constant

Program = tuple[str, tuple[tuple[str, Scalar], ...]]
"""What all samples of a load have in common: the load that they are in already (empty if none), and the settings."""


class JobOrders:
    """Makes the jobs of a campaign.

    Args:
        campaign: workflow and stations.
        store: knows earlier attempts.
        instruments: of all stations.
        documents: numbers the runs.
        clock: the lab's clock.
    """

    def __init__(
        self,
        campaign: Campaign,
        store: Store,
        instruments: Mapping[str, JobInstrument],
        documents: RunDocuments,
        clock: Clock,
    ) -> None:
        self._campaign, self._store, self._instruments = campaign, store, instruments
        self._documents, self._clock = documents, clock
        self._known: dict[str, RecordedLimits] = {}

    def takes_loads(self, station: str) -> bool:
        """Return whether the jobs of a station are loads, of one sample or of several."""
        return station in self._instruments and self._instruments[station].place_count > 1

    def capacity(self, station: str) -> int:
        """Return how many samples one job of a station takes."""
        return self._campaign.stations[station].capacity

    def shared_parameters(self, step: StepConfig, station: str) -> list[str]:
        """Return the parameters that are the same for all samples of a load."""
        own = self._instruments[station].own_settings
        told = {key: value for key, value in step.recipe.items() if key not in own}
        return [value[1:] for value in told.values() if isinstance(value, str) and value.startswith("$")]

    def program(self, trial: TrialRecord, step: StepConfig, station: str) -> Program:
        """Return what a trial's sample has in common with those that can be in one load with it."""
        load = next((s.load for s in trial.steps if s.name == step.name and s.open), "")
        load = load or self._lost_load(trial, step)[0]
        own = self._instruments[station].own_settings
        told = recipe(self._campaign, step, trial.candidate, self._stated(station))
        return load, tuple(sorted((key, value) for key, value in told.items() if key not in own))

    def attempts(self, trials: Sequence[TrialRecord], step: StepConfig, station: str) -> list[StepRecord]:
        """Return the attempts at a step that are open, or new ones; at a station of several places, as one load."""
        found = [self._open(trial, step) or self._next(trial, step, station) for trial in trials]
        if not self.takes_loads(station):
            return found
        load = next((one.load for one in found if one.load), f"{found[0].token}-load")
        taken = {one.place for one in found}
        free = (place for place in range(1, self.capacity(station) + 1) if place not in taken)
        return [replace(one, load=load, place=one.place or next(free)) for one in found]

    def _open(self, trial: TrialRecord, step: StepConfig) -> StepRecord | None:
        return next((s for s in trial.steps if s.name == step.name and s.open), None)

    def _next(self, trial: TrialRecord, step: StepConfig, station: str) -> StepRecord:
        """Return a new attempt at a step."""
        new = self.attempt(trial, (step.name, station, step.cost_of(trial.candidate.parameters)))
        load, place = self._lost_load(trial, step)
        return replace(new, load=load, place=place)

    def _lost_load(self, trial: TrialRecord, step: StepConfig) -> tuple[str, int]:
        """Return the load, and the place there, in which an instrument knows a step that the store does not."""
        return self._lost.get(f"{trial.number} {step.name}", ("", 0))

    @cached_property
    def _lost(self) -> Mapping[str, tuple[str, int]]:
        """Trial and step to such a load and place; nothing is lost while a session lasts."""
        kept = self._store.artefacts(LOST).items()
        return {name: (one.get("load", ""), one.get("place", 0)) for name, one in kept if not one["later"]}

    def attempt(self, trial: TrialRecord, step: tuple[str, str, float]) -> StepRecord:
        """Return a new attempt at a step, given its name, its station and its cost."""
        name, station, cost = step
        attempt = 1 + self._store.lost_attempts(trial.number, name) + sum(s.name == name for s in trial.steps)
        stamp = f"{round(trial.created * 1000) % 16**6:x}"  # another copy of the store has another trial of this number
        token = f"{self._store.campaign().created:.3f}-{trial.number}-{name}-{attempt}.{stamp}"
        return StepRecord(name, attempt, station, token, TrialState.CLAIMED, None, None, None, "", cost)

    def job(self, trials: Sequence[TrialRecord], step: StepConfig, records: Sequence[StepRecord]) -> Job:
        """Return the job of some attempts, each of the trial at its place."""
        trial, record = trials[0], records[0]
        told = self._told(trial, step, record.station)
        members: tuple[LoadMember, ...] = ()
        if record.load:
            pairs = sorted(zip(records, trials, strict=True), key=lambda pair: pair[0].place)
            members = tuple(self._member(one, of, step) for one, of in pairs)
            own = self._instruments[record.station].own_settings
            told = {key: value for key, value in told.items() if key not in own}
        return Job(
            trial=trial.number,
            step=step.name,
            attempt=record.attempt,
            token=record.job,
            sample=self._sample(trial, record),
            material=trial.candidate.material,
            recipe=told,
            timeout=step.timeout,
            adopt=record.state is TrialState.DISPATCHED,
            dispatch=lambda: self._store.mark(record.job, TrialState.DISPATCHED, self._clock.now()),
            start=self._documents.of_run(),
            members=members,
        )

    def standard(self, station: str, step: StepConfig, names: tuple[str, str]) -> Job:
        """Return the job in which a station measures its standard, given its token and the name of the sample."""
        stated, (token, sample) = self._stated(station), names
        told = {key: constant(value, key, stated) for key, value in step.recipe.items()}
        return Job(NO_TRIAL, step.name, 1, token, sample, None, told, step.timeout, start=self._documents.of_run())

    def _member(self, record: StepRecord, trial: TrialRecord, step: StepConfig) -> LoadMember:
        own = self._instruments[record.station].own_settings
        told = {key: value for key, value in self._told(trial, step, record.station).items() if key in own}
        whose = (trial.number, record.attempt, record.token, self._sample(trial, record), trial.candidate.material)
        return LoadMember(*whose, record.place, told)

    def _sample(self, trial: TrialRecord, record: StepRecord) -> str:
        """Return the id of the sample that an attempt has."""
        return self._store.sample_of(record.token) or str(trial.number)

    def _told(self, trial: TrialRecord, step: StepConfig, station: str) -> dict[str, Scalar]:
        return recipe(self._campaign, step, trial.candidate, self._stated(station))

    def _stated(self, station: str) -> RecordedLimits:
        """Return units and choices of a station's settings, asked once: its link may be slow when a job begins."""
        if station not in self._known:
            instrument = self._instruments[station]
            limits = instrument.limits
            self._known[station] = RecordedLimits(limits, {key: instrument.unit_of(key) for key in limits.ranges})
        return self._known[station]
