"""Optuna in the box of the parameters; where there are rows, each suggestion is sent to the nearest that is left."""

from __future__ import annotations

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import BaseSampler, GPSampler, TPESampler
from optuna.trial import Trial, TrialState

from benchmarks.planner.space import Choice, Left, Numbers, Parameter, Readings, Real, Task


def tpe(task: Task, seed: int) -> OptunaEngine:
    """Return an engine with the tree-structured Parzen estimator."""
    return OptunaEngine(task, seed, TPESampler(seed=seed))


def gp(task: Task, seed: int) -> OptunaEngine:
    """Return an engine with the Gaussian process."""
    return OptunaEngine(task, seed, GPSampler(seed=seed, deterministic_objective=not task.noisy))


class OptunaEngine:
    """Suggests by an Optuna study; points that Optuna suggested in stead of rows count as failed."""

    def __init__(self, task: Task, seed: int, sampler: BaseSampler) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._task = task
        self._left = None if task.rows is None else Left(task, seed)
        self._space = {p.name: _distribution(p) for p in task.parameters}
        self._study = optuna.create_study(
            directions=["maximize" if sign > 0 else "minimize" for sign in task.signs], sampler=sampler
        )
        self._open: dict[bytes, Trial] = {}

    def tell(self, points: Numbers, readings: Readings) -> None:
        """End the trials of points that Optuna knows, and enqueue the others; it takes no uncertainties."""
        count = len(self._task.signs)
        for point, values in zip(points, readings.values.tolist(), strict=True):
            trial = self._open.pop(point.tobytes(), None) or self._begun(point)
            for place, slack in enumerate(values[count:]):
                trial.set_constraint(f"slack{place}", -slack)
            self._study.tell(trial, values[:count])
        if self._left is not None:
            self._left.take(points)

    def suggest(self, pending: Numbers) -> Numbers:  # noqa: ARG002  # what is pending runs in the study
        """Return Optuna's point, or the row nearest to it."""
        trial = self._study.ask(self._space)
        point = self._task.point(trial.params)
        if self._left is not None:
            self._study.tell(trial, state=TrialState.FAIL)
            point = self._left.nearest(point)
            trial = self._begun(point)
        self._open[point.tobytes()] = trial
        return point

    def _begun(self, point: Numbers) -> Trial:
        """Return a trial at a point of ours."""
        self._study.enqueue_trial(self._task.named(point))
        return self._study.ask(self._space)


def _distribution(parameter: Parameter) -> BaseDistribution:
    match parameter:
        case Real(low=low, high=high):
            return FloatDistribution(low, high)
        case Choice(levels=levels):
            return CategoricalDistribution(levels)
