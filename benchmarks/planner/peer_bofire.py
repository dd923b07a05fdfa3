"""BoFire: its defaults for one objective or for two, on the rows or in the box."""

from __future__ import annotations

import pandas as pd
from bofire.data_models.domain.api import Domain, Inputs, Outputs
from bofire.data_models.features.api import CategoricalInput, ContinuousInput, ContinuousOutput
from bofire.data_models.objectives.api import MaximizeObjective, MaximizeSigmoidObjective, MinimizeObjective
from bofire.data_models.strategies.api import MoboStrategy, SoboStrategy
from bofire.strategies.api import map as built

from benchmarks.planner.space import Choice, Left, Numbers, Parameter, Readings, Real, Task

_STEEPNESS = 100.0  # of the sigmoid that BoFire wants for a bound


class BofireEngine:
    """Suggests by BoFire's SoboStrategy, or MoboStrategy for two objectives, with their defaults.

    BoFire's inputs make a product, not a list of rows; of a list, the row with the largest acquisition value is taken.
    """

    def __init__(self, task: Task, seed: int) -> None:
        self._task = task
        self._left = None if task.rows is None else Left(task, seed)
        domain = Domain(inputs=Inputs(features=[_input(p) for p in task.parameters]), outputs=_outputs(task))
        kind = SoboStrategy if len(task.signs) == 1 else MoboStrategy
        self._strategy = built(kind(domain=domain, seed=seed))

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Add experiments; BoFire takes no uncertainties."""
        values = {key: readings.values[:, i] for i, key in enumerate(_keys(self._task))}
        valid = {f"valid_{key}": 1 for key in values}
        self._strategy.tell(_frame(self._task, points).assign(**values, **valid))
        if self._left is not None:
            self._left.take(points)

    def suggest(self, pending: Numbers) -> Numbers:
        """Return BoFire's point, or its favourite row."""
        self._strategy.reset_candidates()
        if len(pending):
            self._strategy.set_candidates(_frame(self._task, pending))
        if self._left is None:
            asked = self._strategy.ask(1).iloc[0]
            return self._task.point({p.name: asked[p.name] for p in self._task.parameters})
        places = self._left.places
        wanted = self._strategy.calc_acquisition(_frame(self._task, self._left.rows[places]))
        return self._left.taken(int(places[wanted.argmax()]))


def _input(parameter: Parameter) -> ContinuousInput | CategoricalInput:
    match parameter:
        case Real(name=name, low=low, high=high):
            return ContinuousInput(key=name, bounds=(low, high))
        case Choice(name=name, levels=levels):
            return CategoricalInput(key=name, categories=list(levels))


def _outputs(task: Task) -> Outputs:
    goals = [MaximizeObjective() if sign > 0 else MinimizeObjective() for sign in task.signs]
    bounds = [MaximizeSigmoidObjective(tp=0.0, steepness=_STEEPNESS) for _ in range(task.slacks)]
    pairs = zip(_keys(task), [*goals, *bounds], strict=True)
    return Outputs(features=[ContinuousOutput(key=key, objective=objective) for key, objective in pairs])


def _keys(task: Task) -> list[str]:
    return [f"outcome{i}" for i in range(len(task.signs) + task.slacks)]


def _frame(task: Task, points: Numbers) -> pd.DataFrame:
    return pd.DataFrame([task.named(point) for point in points])
