"""BayBE on the pool as a discrete parameter with descriptors of the compositions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import pandas as pd
from baybe import Campaign
from baybe.objectives import DesirabilityObjective
from baybe.objectives.base import Objective
from baybe.parameters import CustomDiscreteParameter
from baybe.searchspace import SearchSpace
from baybe.settings import Settings
from baybe.targets import NumericalTarget
from baybe.transformations import CustomTransformation
from numpy.typing import NDArray

from benchmarks.errors import UnfitError
from benchmarks.pools.crystals import View
from benchmarks.pools.features import components, standardised, unit_distance
from benchmarks.pools.tasks import Extreme, Score, Setting, Task, term_value

_COMPONENTS = 40
_MATERIAL = "material"
_APART = 1e-6  # BayBE wants every row to differ; equal compositions do not


class BaybeEngine:
    """Suggests by a BayBE campaign with its defaults.

    Raises:
        UnfitError: the pool's compositions do not vary.
    """

    def __init__(self, setting: Setting, seed: int) -> None:
        Settings(random_seed=seed).activate()
        generator = np.random.default_rng(seed)
        points = unit_distance(components(standardised(setting.pool.views[View.COMPOSITION]), _COMPONENTS))
        if points.shape[1] == 0:
            raise UnfitError("the compositions do not vary")
        order = generator.permutation(len(points))
        apart = points[order] + _APART * generator.standard_normal(points.shape)
        frame = pd.DataFrame(apart, index=[str(row) for row in order]).add_prefix("pc")
        parameter = CustomDiscreteParameter(name=_MATERIAL, data=frame, decorrelate=False)
        self._campaign = Campaign(
            SearchSpace.from_product([parameter]),
            _objective(setting.task),
            allow_recommending_already_measured=False,
        )

    def tell(self, rows: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> None:
        """Add measurements."""
        self._campaign.add_measurements(pd.DataFrame({_MATERIAL: [str(row) for row in rows], **values}))

    def suggest(self, q: int) -> list[int]:
        """Return BayBE's batch."""
        return [int(name) for name in self._campaign.recommend(q)[_MATERIAL]]


def _objective(task: Task) -> Objective:
    """Return one target for an extreme, and the mean of the terms' desirabilities for a score."""
    match task.merit:
        case Extreme(column, sign):
            return NumericalTarget(column, minimize=sign < 0).to_objective()
        case Score(terms):
            targets = [NumericalTarget(t.column, CustomTransformation(partial(term_value, t))) for t in terms]
            return DesirabilityObjective(targets, scalarizer="MEAN", require_normalization=False)
