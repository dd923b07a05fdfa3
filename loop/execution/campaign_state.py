"""What a session knows of its campaign: the current version, the journal, and the trials, each as the store has it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from campaigns.campaign import Campaign
from campaigns.lab.laboratory import StepConfig
from loop.core.campaign_version import campaign_version
from loop.core.journal import Amendment
from loop.core.records import StepRecord, TrialRecord
from loop.core.station_modes import HeldStation, StationOrder, held_stations
from loop.storage.lab_files.station_ledger import station_ledger
from loop.storage.store import Store


class CampaignState:
    """The campaign of a store, held in memory: the one place that all of a session reads.

    Args:
        campaign: of the file.
        store: the only memory.

    Attributes:
        file_campaign: of the file.
        store: the only memory; who writes to it has the state read again what has changed.
        journal: the amendments, as they were read last.
        on_read: called with each trial that has changed in the store.
        version: the current version of the campaign.
    """

    def __init__(self, campaign: Campaign, store: Store) -> None:
        self.file_campaign, self.store = campaign, store
        self.journal = store.amendments()
        self._stations = station_ledger(campaign.rules)
        self.version = campaign_version(campaign, self.journal)
        self._trials = {trial.number: trial for trial in store.trials()}
        self.on_read: Callable[[TrialRecord], None] = lambda _: None

    @property
    def campaign(self) -> Campaign:
        """The current campaign version."""
        return self.version.campaign

    @property
    def trials(self) -> list[TrialRecord]:
        """All trials, in the order of their numbers."""
        return [self._trials[number] for number in sorted(self._trials)]

    @property
    def open(self) -> list[TrialRecord]:
        """The trials that have not ended, in the order of their numbers."""
        return [trial for trial in self.trials if not trial.state.ended]

    def __getitem__(self, number: int) -> TrialRecord:
        return self._trials[number]

    def read_journal(self) -> list[Amendment]:
        """Read the journal again; return it."""
        journal = self.store.amendments()
        if journal != self.journal:
            self.journal, self.version = journal, campaign_version(self.file_campaign, journal)
        return self.journal

    @property
    def is_behind(self) -> bool:
        """Whether somebody has written into the journal since it was read, or about stations for all campaigns."""
        if self._stations is not None and self._stations.is_behind:
            return True
        return self.store.latest_amendment() > max((one.number for one in self.journal), default=0)

    @property
    def held(self) -> Mapping[str, HeldStation]:
        """The stations that people keep from beginning jobs, in this campaign or in another one on the lab file."""
        return held_stations(self.journal, () if self._stations is None else self._stations.orders)

    def share(self, order: StationOrder) -> None:
        """Let an order hold for all campaigns on the lab file, if there is one."""
        if self._stations is not None:
            self._stations.add(order)

    def read_trials(self) -> None:
        """Read all trials from the store again, as their scores may have changed."""
        self._trials = {trial.number: trial for trial in self.store.trials()}

    def read_trial(self, number: int) -> TrialRecord:
        """Read a trial from the store again."""
        return self.put(self.store.trial(number))

    def read_step(self, number: int, token: str) -> StepRecord:
        """Read from the store how a job stands."""
        return next(s for s in self.read_trial(number).steps if s.token == token)

    def put(self, trial: TrialRecord) -> TrialRecord:
        """Hold a trial as the store has just returned it."""
        self._trials[trial.number] = trial
        self.on_read(trial)
        return trial

    def set_outlier(self, number: int, reason: str) -> None:
        """Take note of why a trial is a suspected outlier, as it was stored; empty if it is none."""
        self._trials[number] = replace(self._trials[number], outlier=reason)

    def sharing(self, job: str) -> list[TrialRecord]:
        """Return the trials that an open job is of, as its instrument knows it: one, or those of a load."""
        return [trial for trial in self.open if any(s.open and s.job == job for s in trial.steps)]

    def next_step(self, trial: TrialRecord) -> StepConfig | None:
        """Return the first step that a trial has not gone through; None when all are done."""
        done = {record.name for record in trial.done}
        return next((step for step in self.campaign.workflow_of(trial.fidelity) if step.name not in done), None)

    def is_analysed(self, trial: TrialRecord, record: StepRecord) -> bool:
        """Return whether all metrics of a step's analysis are in the store."""
        return all(trial.metric_key(name) in trial.metrics for name in self.campaign.step(record.name).gives)
