"""The health of each metric's model: how good its predictions were decides what it may use from then on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from campaigns.spaces.space import SpaceConfig
from campaigns.surrogate import view_names
from loop.core.records import TrialRecord
from loop.diagnostics.calibration import metric_pairs
from loop.diagnostics.model_health import HealthChange, HealthState, MetricHealth, changes, health
from loop.diagnostics.prediction_history import REACH
from loop.planning.fitting import ModelRestrictions, needed, observations, regression_problem
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from surrogates.models.encoder import Encoder
from surrogates.models.outliers import detect_outliers

_MOST = 3.0
"""Largest factor on standard deviations, not tuned: beyond, a model would choose by its uncertainty alone."""


class HealthMonitor:
    """The health of every metric's model after the completed trials, a pure function of these.

    A measurement that is an outlier when it comes does not count against a model, whatever is found later.

    Args:
        problem: layout of rows, whatever priors are adopted later.
    """

    def __init__(self, problem: OptimizationProblem) -> None:
        self._problem, self._campaign = problem, problem.campaign
        self._trials: list[TrialRecord] = []
        self._outlying: dict[str, frozenset[int]] = dict.fromkeys(self._campaign.measured, frozenset())
        self._health: Mapping[str, MetricHealth] = self._judged()

    @property
    def trials(self) -> Sequence[TrialRecord]:
        """The trials that there is anything to learn from, in the order in which they ended."""
        return self._trials

    @property
    def numbers(self) -> tuple[int, ...]:
        """The numbers of the trials that there is anything to learn from, in the order in which they ended."""
        return tuple(trial.number for trial in self._trials)

    def amend(self, space: SpaceConfig) -> None:
        """Judge all trials anew in another layout of rows, as if it had always been theirs."""
        encoder = Encoder(space, self._problem.encoder.materials)
        self._problem = replace(self._problem, encoder=encoder)
        trials, self._trials = self._trials, []
        self._outlying = dict.fromkeys(self._campaign.measured, frozenset())
        self.recall(trials)

    def forget(self) -> None:
        """Forget all trials."""
        self._trials, self._outlying = [], dict.fromkeys(self._campaign.measured, frozenset())

    def learn(self, trial: TrialRecord) -> list[tuple[str, HealthChange]]:
        """Judge the models after one more completed trial; return what changed, by metric."""
        self._take(trial)
        before, self._health = self._health, self._judged()
        return changes(before, self._health)

    def recall(self, trials: Sequence[TrialRecord]) -> None:
        """Judge the models after many completed trials, given in the order in which they were completed."""
        for trial in trials:
            self._take(trial)
        self._health = self._judged()

    def outliers_among(self, metric: str, trials: Sequence[TrialRecord]) -> frozenset[int]:
        """Return the numbers of those completed trials whose measurement of a metric the others contradict.

        Args:
            metric: a measured one.
            trials: in the order in which they were completed; nothing else is asked.
        """
        config = self._campaign.measured[metric]
        names = needed(metric, config)
        history = TrainingData(
            [t.candidate for t in trials], {n: [t.metrics.get(n) for t in trials] for n in names}, (), frozenset()
        )
        places = history.places_with(*names)
        if not places or config.model is not None:  # a model of the user's own has no outliers
            return frozenset()
        seen = observations(config, metric, history, self._problem.encoder.encode(history.done))
        task = replace(regression_problem(self._problem, metric, config), views=view_names(self._campaign.surrogate)[0])
        return frozenset(trials[places[place]].number for place in detect_outliers(task, seen).outliers)

    def restrictions(self) -> dict[str, ModelRestrictions]:
        """Return what each metric's model may use."""
        return {name: self._restricted(found) for name, found in self._health.items()}

    def describe(self, metric: str) -> dict[str, Any]:
        """Return the health of a metric's model, to be kept with a proposal."""
        return self._health[metric].describe()

    def _take(self, trial: TrialRecord) -> None:
        """Add a trial; what was predicted about right needs no second look."""
        self._trials.append(trial)
        for metric in self._campaign.measured:
            missed = any(abs(pair.deviation) > REACH for pair in metric_pairs([trial], metric))
            if missed and trial.number in self.outliers_among(metric, self._trials):
                self._outlying[metric] |= {trial.number}

    def _restricted(self, found: MetricHealth) -> ModelRestrictions:
        named, simple = view_names(self._campaign.surrogate)
        return ModelRestrictions(
            min(found.sd_factor, _MOST), named, simple if found.state is HealthState.FALLBACK else None
        )

    def _judged(self) -> Mapping[str, MetricHealth]:
        droppable = self._campaign.space.pool is not None
        return health(self._campaign.surrogate.health, self._trials, self._outlying, droppable)
