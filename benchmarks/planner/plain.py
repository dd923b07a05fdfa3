"""Plain BoTorch by hand: a SingleTaskGP on the unit box, and an acquisition function for each kind of task."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from botorch.acquisition.analytic import LogExpectedImprovement
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.multi_objective.logei import qLogNoisyExpectedHypervolumeImprovement
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf, optimize_acqf_mixed
from botorch.utils.multi_objective.hypervolume import infer_reference_point
from botorch.utils.multi_objective.pareto import is_non_dominated
from gpytorch.mlls import ExactMarginalLogLikelihood
from torch import Tensor

from benchmarks.planner.space import Left, Numbers, Readings, Task

_CHUNK = 5000  # rows scored at once
_RESTARTS, _RAW = 8, 256


def told(task: Task, seed: int) -> PlainEngine:
    """Return an engine that takes the uncertainties that it gets."""
    return PlainEngine(task, seed, takes_sds=True)


class PlainEngine:
    """Suggests by LogEI (Ament et al. 2023, NeurIPS 36).

    By its noisy form with noise, constraints or points under way, and by its form for hypervolumes with two objectives.

    Args:
        takes_sds: whether uncertainties that replicates tell are used; else one noise is learnt for all points.
    """

    def __init__(self, task: Task, seed: int, takes_sds: bool = False) -> None:
        torch.manual_seed(seed)
        self._task, self._takes_sds = task, takes_sds
        self._left = None if task.rows is None else Left(task, seed)
        self._points = torch.empty(0, sum(p.width for p in task.parameters), dtype=torch.double)
        self._values = torch.empty(0, len(task.signs) + task.slacks, dtype=torch.double)
        self._sds = self._values.clone()

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Learn readings; every objective is turned so that large is good."""
        turned = np.column_stack([self._task.merits(readings.values), readings.values[:, len(self._task.signs) :]])
        self._points = torch.cat([self._points, torch.from_numpy(self._task.unit(points))])
        self._values = torch.cat([self._values, torch.from_numpy(turned)])
        self._sds = torch.cat([self._sds, torch.from_numpy(readings.sds)])
        if self._left is not None:
            self._left.take(points)

    def suggest(self, pending: Numbers) -> Numbers:
        """Return the point of the largest acquisition value."""
        acquisition = self._acquisition(self._fitted(), torch.from_numpy(self._task.unit(pending)))
        if self._left is None:
            return self._best_of_box(acquisition)
        places = self._left.places
        with torch.no_grad():
            units = torch.from_numpy(self._left.units[places])
            wanted = torch.cat([acquisition(chunk[:, None]) for chunk in torch.split(units, _CHUNK)])
        return self._left.taken(int(places[int(wanted.argmax())]))

    def _fitted(self) -> SingleTaskGP:
        noise = self._sds.square().clamp_min(1e-8) if self._takes_sds and self._sds.isfinite().all() else None
        model = SingleTaskGP(self._points, self._values, noise)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        return model

    def _acquisition(self, model: SingleTaskGP, pending: Tensor) -> Any:
        count, under_way = len(self._task.signs), pending if len(pending) else None
        if count > 1:
            return self._for_two(model, under_way)
        if not (self._task.slacks or self._task.noisy or under_way is not None):
            return LogExpectedImprovement(model, self._values[:, 0].max())
        return qLogNoisyExpectedImprovement(
            model,
            self._points,
            objective=GenericMCObjective(lambda values, X=None: values[..., 0]),  # noqa: ARG005, N803  # BoTorch passes X by name
            constraints=[lambda values, i=i: -values[..., i] for i in range(1, 1 + self._task.slacks)] or None,
            X_pending=under_way,
            prune_baseline=True,
        )

    def _for_two(self, model: SingleTaskGP, under_way: Tensor | None) -> Any:
        count = len(self._task.signs)
        found = self._values[:, :count]
        return qLogNoisyExpectedHypervolumeImprovement(
            model,
            infer_reference_point(found[is_non_dominated(found)]),
            self._points,
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(count))),
            constraints=[lambda values, i=i: -values[..., i] for i in range(count, count + self._task.slacks)] or None,
            X_pending=under_way,
            prune_baseline=True,
        )

    def _best_of_box(self, acquisition: Any) -> Numbers:
        width = self._points.shape[1]
        bounds = torch.stack([torch.zeros(width), torch.ones(width)]).double()
        options = {"q": 1, "num_restarts": _RESTARTS, "raw_samples": _RAW}
        fixed = self._levels()
        if fixed:
            found, _ = optimize_acqf_mixed(acquisition, bounds, fixed_features_list=fixed, **options)
        else:
            found, _ = optimize_acqf(acquisition, bounds, **options)
        return self._from_unit(found[0].detach().numpy())

    def _levels(self) -> list[dict[int, float]]:
        """Return the columns of each combination of levels; none without categories."""
        combined: list[dict[int, float]] = [{}]
        for first, levels in self._columns():
            one_hot = [{first + i: float(i == level) for i in range(levels)} for level in range(levels)]
            combined = [{**known, **more} for known in combined for more in one_hot]
        return combined if combined != [{}] else []

    def _columns(self) -> list[tuple[int, int]]:
        """Return first column and number of levels of each category."""
        widths = [p.width for p in self._task.parameters]
        starts = np.cumsum([0, *widths[:-1]])
        return [(int(starts[place]), widths[place]) for place, _ in self._task.categories]

    def _from_unit(self, unit: Numbers) -> Numbers:
        """Return the point, d, at a place in the unit box, e."""
        parts = np.split(unit, np.cumsum([p.width for p in self._task.parameters])[:-1])
        return np.array([p.at(part) for p, part in zip(self._task.parameters, parts, strict=True)])
