"""BayBE on the rows as a discrete space, or on the box as a continuous one."""

from __future__ import annotations

import numpy as np
import pandas as pd
from baybe import Campaign
from baybe.objectives import ParetoObjective
from baybe.parameters import CategoricalParameter, NumericalContinuousParameter, NumericalDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.settings import Settings
from baybe.targets import NumericalTarget

from benchmarks.errors import UnfitError
from benchmarks.planner.space import Choice, Left, Numbers, Readings, Real, Task

_Parameters = list[CategoricalParameter | NumericalContinuousParameter | NumericalDiscreteParameter]


class BaybeEngine:
    """Suggests by a BayBE campaign with its defaults, each row at most once.

    Raises:
        UnfitError: the task has outcome constraints.
    """

    def __init__(self, task: Task, seed: int) -> None:
        if task.slacks:
            raise UnfitError("BayBE has no outcome constraints")
        Settings(random_seed=seed).activate()
        self._task = task
        self._left = None if task.rows is None else Left(task, seed)
        self._targets = [NumericalTarget(f"outcome{i}", minimize=sign < 0) for i, sign in enumerate(task.signs)]
        objective = self._targets[0].to_objective() if len(task.signs) == 1 else ParetoObjective(self._targets)
        self._campaign = Campaign(
            _space(task, self._left), objective, allow_recommending_already_measured=task.rows is None
        )

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Add measurements; BayBE takes no uncertainties."""
        values = {target.name: readings.values[:, i] for i, target in enumerate(self._targets)}
        self._campaign.add_measurements(_frame(self._task, points).assign(**values))
        if self._left is not None:
            self._left.take(points)

    def suggest(self, pending: Numbers) -> Numbers:
        """Return BayBE's point."""
        open_ = _frame(self._task, pending) if len(pending) else None
        named = self._campaign.recommend(1, pending_experiments=open_).iloc[0].to_dict()
        point = self._task.point({str(name): value for name, value in named.items()})
        return point if self._left is None else self._left.nearest(point)


def _space(task: Task, left: Left | None) -> SearchSpace:
    if left is None:
        return SearchSpace.from_product(_parameters(task))
    order = left.places  # ties are broken by it
    return SearchSpace.from_dataframe(_frame(task, left.rows[order]), _parameters(task))


def _parameters(task: Task) -> _Parameters:
    return [_parameter(task, place) for place in range(len(task.parameters))]


def _parameter(
    task: Task, place: int
) -> CategoricalParameter | NumericalContinuousParameter | NumericalDiscreteParameter:
    match task.parameters[place]:
        case Choice(name=name, levels=levels):
            return CategoricalParameter(name, levels)
        case Real(name=name, low=low, high=high) if task.rows is None:
            return NumericalContinuousParameter(name, (low, high))
        case Real(name=name):
            assert task.rows is not None
            return NumericalDiscreteParameter(name, np.unique(task.rows[:, place]).tolist())


def _frame(task: Task, points: Numbers) -> pd.DataFrame:
    return pd.DataFrame([task.named(point) for point in points])
