"""Ax on a box of principal components, each suggestion sent to the nearest row of the pool."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from ax.api.client import Client
from ax.api.configs import RangeParameterConfig
from ax.utils.common.logger import set_ax_logger_levels
from numpy.typing import NDArray

from benchmarks.errors import UnfitError
from benchmarks.pools.crystals import View
from benchmarks.pools.features import components, standardised
from benchmarks.pools.tasks import Extreme, Setting, merit_of

_DIMENSIONS = 10  # a box of 40 takes Ax minutes per batch, and holds almost no rows
_OBJECTIVE = "merit"


class AxEngine:
    """Suggests by Ax's Client with its defaults.

    Ax knows the rows that were measured where they are; the points that it suggested count as failed, as it would wait
    for abandoned ones.

    Raises:
        UnfitError: the pool's compositions do not vary.
    """

    def __init__(self, setting: Setting, seed: int) -> None:
        set_ax_logger_levels(logging.ERROR)
        self._setting = setting
        self._points = components(standardised(setting.pool.views[View.COMPOSITION]), _DIMENSIONS)
        if self._points.shape[1] == 0:
            raise UnfitError("the compositions do not vary")
        self._ties = np.random.default_rng(seed).permutation(len(self._points))
        self._known: set[int] = set()
        self._client = Client(random_seed=seed)
        low, high = self._points.min(axis=0), self._points.max(axis=0)
        self._names = [f"x{index}" for index in range(len(low))]
        bounds = zip(self._names, low.tolist(), high.tolist(), strict=True)
        self._client.configure_experiment(
            [RangeParameterConfig(name=n, parameter_type="float", bounds=(a, b)) for n, a, b in bounds]
        )
        self._client.configure_optimization(objective=_OBJECTIVE)

    def tell(self, rows: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> None:
        """Attach measured rows as trials; an extreme has a known noise, a score has not."""
        readings = torch.from_numpy(np.column_stack([values[q.column] for q in self._setting.task.quantities]))
        for row, merit in zip(rows, merit_of(self._setting.task, readings).tolist(), strict=True):
            point = dict(zip(self._names, self._points[row].tolist(), strict=True))
            self._client.complete_trial(self._client.attach_trial(point), {_OBJECTIVE: self._datum(merit)})
        self._known.update(rows)

    def suggest(self, q: int) -> list[int]:
        """Return the rows nearest to Ax's points."""
        chosen: list[int] = []
        for index, point in self._client.get_next_trials(max_trials=q).items():
            self._client.mark_trial_failed(index)
            chosen.append(self._nearest(np.array([float(point[name]) for name in self._names]), chosen))
        while len(chosen) < q:  # Ax may return fewer than it was asked for
            chosen.append(self._nearest(self._points.mean(axis=0), chosen))
        return chosen

    def _datum(self, merit: float) -> float | tuple[float, float]:
        match self._setting.task.merit:
            case Extreme():
                return merit, self._setting.task.quantities[0].sd
            case _:
                return merit

    def _nearest(self, point: NDArray[np.float64], taken: Sequence[int]) -> int:
        fresh = [row for row in self._ties if row not in self._known and row not in taken]
        spread = np.ptp(self._points, axis=0)
        distances = np.square((self._points[fresh] - point) / spread).sum(axis=1)
        return int(fresh[int(distances.argmin())])
