"""The trials of a session, as the store has them, and what each of them waits for."""

from __future__ import annotations

from dataclasses import replace

from campaigns.campaign import Campaign
from campaigns.laboratory import StepConfig
from campaigns.values import TrialState
from loop.core.records import StepRecord, TrialRecord, told
from loop.storage.store import Store


class TrialCache:
    """The trials of a store, held in memory.

    Args:
        campaign: says which steps a trial goes through.
        store: the only memory.
    """

    def __init__(self, campaign: Campaign, store: Store) -> None:
        self._campaign, self._store = campaign, store
        self._trials = {trial.number: trial for trial in store.trials()}

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials, in the order of their numbers."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def open(self) -> list[TrialRecord]:
        """The trials without a verdict, in the order of their numbers."""
        return [trial for trial in self.trials if not trial.state.ended]

    def __getitem__(self, number: int) -> TrialRecord:
        return self._trials[number]

    def refresh(self, number: int) -> TrialRecord:
        """Read a trial from the store again."""
        self._trials[number] = self._store.trial(number)
        return self._trials[number]

    def reread(self) -> None:
        """Read all trials from the store again, as their scores may have changed."""
        self._trials = {trial.number: trial for trial in self._store.trials()}

    def note_outlier(self, number: int, reason: str) -> None:
        """Take note of why a trial's measurements are not believed; empty if they are."""
        self._trials[number] = replace(self._trials[number], outlier=reason)

    def step(self, number: int, token: str) -> StepRecord:
        """Read from the store how a job stands."""
        return next(s for s in self.refresh(number).steps if s.token == token)

    def next_step(self, trial: TrialRecord) -> StepConfig | None:
        """Return the first step that a trial has not gone through; None when all are done."""
        done = {record.name for record in trial.steps if record.state is TrialState.ACQUIRED}
        return next((step for step in self._campaign.workflow_of(trial.fidelity) if step.name not in done), None)

    def measured(self, trial: TrialRecord, record: StepRecord) -> bool:
        """Return whether the step's analysis is in the store."""
        return all(told(trial, name) in trial.metrics for name in self._campaign.step(record.name).gives)
