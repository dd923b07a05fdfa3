"""Several models of one metric: which of them are averaged, and the average.

No single model is best on every table of real measurements, so that models that explain the measurements about equally
well are averaged in equal parts (Hoeting, Madigan, Raftery & Volinsky 1999, Stat. Sci. 14, 382).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from surrogates.models.base import MetricModel
from surrogates.models.extra_trees import ExtraTrees, fit_extra_trees
from surrogates.models.fit import FitCache
from surrogates.models.gp import MetricGP
from surrogates.models.model_selection import MATERN, clearly_better
from surrogates.models.observations import Observations
from surrogates.models.problem import RegressionProblem
from surrogates.models.transfer import SourceModel, fit_with_sources

GP, TREES, EFFECTS = "gp", "trees", "effects"
_FEWEST = 8  # not tuned: measurements before any other model is asked
Alternative = ExtraTrees | MetricGP


class Ensemble(MetricModel):
    """The average of models in equal parts: the Gaussian with mean and covariance of their mixture.

    Args:
        members: name to model, at least two, the first of which knows the noise.
        evidences: name of each model that was compared to its evidence.
    """

    def __init__(self, members: Mapping[str, MetricModel], evidences: Mapping[str, float]) -> None:
        super().__init__()
        self.members, self.evidences = members, evidences

    @property
    def evidence(self) -> float:
        """The highest of the members' evidences."""
        return max(model.evidence for model in self.members.values())

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        means, sds = map(torch.stack, zip(*(m.marginals(rows) for m in self.members.values()), strict=True))
        variance = (sds.square() + (means - means.mean(dim=0)).square()).mean(dim=0)
        return means.mean(dim=0), variance.sqrt()

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together."""
        means, covariances = map(torch.stack, zip(*(m.joint(rows) for m in self.members.values()), strict=True))
        deviations = (means - means.mean(dim=0)).movedim(0, -1)
        return means.mean(dim=0), covariances.mean(dim=0) + deviations @ deviations.mT / len(means)

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        within = torch.stack([m.cross(rows, others).double() for m in self.members.values()]).mean(dim=0)
        left, right = self._deviations(rows), self._deviations(others)
        return within + left.mT @ right / len(left)

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows."""
        return next(iter(self.members.values())).noise(rows)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps: the account of the first member, and the evidence of each."""
        first = next(iter(self.members.values())).describe()
        return {**first, "members": list(self.members), "models": dict(self.evidences)}

    def _deviations(self, rows: Tensor) -> Tensor:
        """Return by how much the mean of each member, k x n, lies off their average."""
        means = torch.stack([m.marginals(rows)[0] for m in self.members.values()])
        return means - means.mean(dim=0)


def alternative_models(
    task: RegressionProblem, sources: tuple[SourceModel, ...], seen: Observations, cache: FitCache | None
) -> dict[str, Alternative]:
    """Return other models of a metric; none where measurements are too few, or materials are chosen.

    Trees suit metrics with cliffs, and an additive kernel expects of a level beside others with which it was not tried
    what it did elsewhere. Neither has features of materials.

    Args:
        task: what there is to learn.
        sources: the metric's source models.
        seen: its measurements.
        cache: cache of the additive model, which is added to; None for no such model.
    """
    encoder = task.encoder
    if encoder.materials is not None or len(seen.values) < _FEWEST:
        return {}
    trees = fit_extra_trees(seen, encoder.parameter_columns)
    found: dict[str, Alternative] = {TREES: trees.noted(spread=trees.spread * task.inflation)}
    if cache is not None and len(encoder.space.all_parameters) > 1:
        found[EFFECTS] = fit_with_sources(replace(task, effects=True, plain=True), sources, seen, cache)
    return found


def average_models(gp: MetricGP, others: Mapping[str, Alternative]) -> MetricModel:
    """Return the average of a Gaussian process and the models than which it is not clearly better; or it alone."""
    if not others:
        return gp
    evidences = {GP: gp.evidence, **{name: model.evidence for name, model in others.items()}}
    count = len(gp.rows)
    kept = {n: m for n, m in others.items() if not clearly_better(_evidence_against(gp, m), m.evidence, count)}
    return Ensemble({GP: gp, **kept}, evidences) if kept else gp.noted(account={**gp.account, "models": evidences})


def _evidence_against(gp: MetricGP, other: Alternative) -> float:
    """Return the process's evidence in comparison with another model.

    Trees are compared with the plain Matérn kernel: a warp explains the cliffs that were measured too well.
    """
    return min(gp.evidence, gp.account["loo"][MATERN]) if isinstance(other, ExtraTrees) else gp.evidence
