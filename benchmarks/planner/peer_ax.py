"""Ax in the box of the parameters; where there are rows, each suggestion is sent to the nearest that is left."""

from __future__ import annotations

import logging

from ax.api.client import Client
from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig
from ax.utils.common.logger import set_ax_logger_levels

from benchmarks.planner.space import Choice, Left, Numbers, Parameter, Readings, Real, Task


class AxEngine:
    """Suggests by Ax's Client with its defaults.

    Ax knows rows that were measured where they are; the points that it suggested in their stead count as failed, as it
    would wait for abandoned ones.
    """

    def __init__(self, task: Task, seed: int) -> None:
        set_ax_logger_levels(logging.ERROR)
        self._task = task
        self._left = None if task.rows is None else Left(task, seed)
        self._open: dict[bytes, int] = {}
        self._client = Client(random_seed=seed)
        self._client.configure_experiment([_parameter(p) for p in task.parameters])
        objectives = [f"{'' if sign > 0 else '-'}outcome{i}" for i, sign in enumerate(task.signs)]
        self._names = [f"outcome{i}" for i in range(len(task.signs) + task.slacks)]
        self._client.configure_optimization(
            objective=", ".join(objectives),
            outcome_constraints=[f"{name} >= 0" for name in self._names[len(task.signs) :]] or None,
        )

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Complete the trials of points that Ax knows, and attach the others."""
        for point, values, sds in zip(points, readings.values.tolist(), readings.sds.tolist(), strict=True):
            known = self._open.pop(point.tobytes(), None)
            index = self._client.attach_trial(self._task.named(point)) if known is None else known
            data = zip(self._names, values, sds, strict=True)
            self._client.complete_trial(index, {n: v if sd != sd else (v, sd) for n, v, sd in data})
        if self._left is not None:
            self._left.take(points)

    def suggest(self, pending: Numbers) -> Numbers:  # noqa: ARG002  # what is pending is open in Ax
        """Return Ax's point, or the row nearest to it."""
        ((index, named),) = self._client.get_next_trials(max_trials=1).items()
        point = self._task.point(dict(named))
        if self._left is not None:
            self._client.mark_trial_failed(index)
            point = self._left.nearest(point)
            index = self._client.attach_trial(self._task.named(point))
        self._open[point.tobytes()] = index
        return point


def _parameter(parameter: Parameter) -> RangeParameterConfig | ChoiceParameterConfig:
    match parameter:
        case Real(name=name, low=low, high=high):
            return RangeParameterConfig(name=name, parameter_type="float", bounds=(low, high))
        case Choice(name=name, levels=levels):
            return ChoiceParameterConfig(name=name, values=list(levels), parameter_type="str", is_ordered=False)
