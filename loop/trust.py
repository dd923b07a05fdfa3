"""How far each metric's model is trusted: what its predictions were worth decides what it may use from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.campaign import Campaign
from campaigns.surrogate import view_names
from loop.belief import Care
from loop.health import HealthChange, HealthState, MetricHealth, changes, health
from loop.records import TrialRecord

_MOST = 3.0
"""Largest factor on standard deviations: beyond, a model would choose by its ignorance alone."""


class Trust:
    """The health of every metric's model after the completed trials, a pure function of these."""

    def __init__(self, campaign: Campaign) -> None:
        self._campaign = campaign
        self._trials: list[TrialRecord] = []
        self._health: Mapping[str, MetricHealth] = self._judged()

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """The completed trials, in the order in which they were completed."""
        return self._trials

    @property
    def completed(self) -> tuple[int, ...]:
        """The numbers of the completed trials, in the order in which they were completed."""
        return tuple(trial.number for trial in self._trials)

    def learn(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:
        """Judge the models after one more completed trial; return what changed, by metric."""
        self._trials.append(trial)
        before, self._health = self._health, self._judged()
        return changes(before, self._health)

    def recall(self, trials: Sequence[TrialRecord]) -> None:
        """Judge the models after many completed trials, given in the order in which they were completed."""
        self._trials += trials
        self._health = self._judged()

    def care(self) -> dict[str, Care]:
        """Return what each metric's model must heed."""
        return {name: self._care(found) for name, found in self._health.items()}

    def describe(self, metric: str) -> dict[str, Any]:
        """Return the health of a metric's model, to be kept with a proposal."""
        return self._health[metric].describe()

    def _care(self, found: MetricHealth) -> Care:
        named, simple = view_names(self._campaign.surrogate)
        return Care(min(found.sd_factor, _MOST), named, simple if found.state is HealthState.SIMPLE else None)

    def _judged(self) -> Mapping[str, MetricHealth]:
        droppable = self._campaign.space.pool is not None
        return health(self._campaign.surrogate.health, self._trials, self._campaign.measured, droppable)
