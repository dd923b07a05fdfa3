"""The technique that led among those measured before this planner was written: a floor for it to go beyond.

An equal mixture of a SingleTaskGP and of extremely randomised trees (Geurts, Ernst & Wehenkel 2006, Mach. Learn. 63,
3), whose best row by mean + one standard deviation is measured.
"""

from __future__ import annotations

import numpy as np
import torch
from sklearn.ensemble import ExtraTreesRegressor
from torch import Tensor

from benchmarks.errors import UnfitError
from benchmarks.planner.plain import PlainEngine
from benchmarks.planner.space import Numbers, Task

_TREES = 100


class MixtureEngine(PlainEngine):
    """Suggests the row of the largest mean + one standard deviation.

    Raises:
        UnfitError: there are no rows, or several objectives.
    """

    def __init__(self, task: Task, seed: int) -> None:
        if task.rows is None or len(task.signs) > 1 or task.slacks:
            raise UnfitError("rows are scored by one objective")
        super().__init__(task, seed)
        self._seed = seed

    def suggest(self, pending: Numbers) -> Numbers:
        """Return the best row that is left; pending points are ignored."""
        del pending
        assert self._left is not None
        places = self._left.places
        units = torch.from_numpy(self._left.units[places])
        means, variances = map(torch.stack, zip(self._by_process(units), self._by_trees(units), strict=True))
        sd = (variances + means.square()).mean(dim=0).sub_(means.mean(dim=0).square()).clamp_min(0.0).sqrt()
        return self._left.taken(int(places[int((means.mean(dim=0) + sd).argmax())]))

    def _by_process(self, units: Tensor) -> tuple[Tensor, Tensor]:
        model = self._fitted()
        with torch.no_grad():
            posterior = model.posterior(units)
            return posterior.mean[:, 0], posterior.variance[:, 0]

    def _by_trees(self, units: Tensor) -> tuple[Tensor, Tensor]:
        forest = ExtraTreesRegressor(_TREES, random_state=self._seed).fit(self._points, self._values[:, 0])
        said = torch.from_numpy(np.stack([tree.predict(units) for tree in forest.estimators_]))
        return said.mean(dim=0), said.var(dim=0, correction=0)
