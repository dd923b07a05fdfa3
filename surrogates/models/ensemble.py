"""Several models of one metric: which of them are believed, and what they say together.

No single model is best on every table of real measurements, so that models that explain the measurements about equally
well are believed in equal parts (Hoeting, Madigan, Raftery & Volinsky 1999, Stat. Sci. 14, 382).
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
_FEWEST = 8  # measurements before any other model is asked
Alternative = ExtraTrees | MetricGP


class Ensemble(MetricModel):
    """Models that are believed in equal parts; mean and covariance are those of their mixture.

    Args:
        members: name to model, at least two, the first of which knows the noise.
        weighed: name of each model that was asked to its evidence.
    """

    def __init__(self, members: Mapping[str, MetricModel], weighed: Mapping[str, float]) -> None:
        super().__init__()
        self.members, self.weighed = members, weighed

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
        means, spreads = map(torch.stack, zip(*(m.joint(rows) for m in self.members.values()), strict=True))
        apart = (means - means.mean(dim=0)).movedim(0, -1)
        return means.mean(dim=0), spreads.mean(dim=0) + apart @ apart.mT / len(means)

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        inside = torch.stack([m.cross(rows, others).double() for m in self.members.values()]).mean(dim=0)
        left, right = self._apart(rows), self._apart(others)
        return inside + left.mT @ right / len(left)

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows."""
        return next(iter(self.members.values())).noise(rows)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps: the account of the first member, and what each explains."""
        first = next(iter(self.members.values())).describe()
        return {**first, "members": list(self.members), "models": dict(self.weighed)}

    def _apart(self, rows: Tensor) -> Tensor:
        means = torch.stack([m.marginals(rows)[0] for m in self.members.values()])
        return means - means.mean(dim=0)


def alternative_models(
    task: RegressionProblem, lessons: tuple[SourceModel, ...], seen: Observations, memory: FitCache | None
) -> dict[str, Alternative]:
    """Return what else is made of the measurements; nothing where these are too few, or materials are chosen.

    Trees are at home where a small step along a number changes everything, and effects where what one level or value
    showed is to be expected of it beside others with which it was not tried. Neither knows anything of materials.

    Args:
        task: what there is to learn.
        lessons: what earlier campaigns teach of it.
        seen: its measurements.
        memory: of the effects alone; it is added to. Without one, they are not asked.
    """
    encoder = task.encoder
    if encoder.materials is not None or len(seen.values) < _FEWEST:
        return {}
    trees = fit_extra_trees(seen, encoder.parameter_columns)
    found: dict[str, Alternative] = {TREES: trees.noted(spread=trees.spread * task.inflation)}
    if memory is not None and len(encoder.space.all_parameters) > 1:
        found[EFFECTS] = fit_with_sources(replace(task, effects=True, plain=True), lessons, seen, memory)
    return found


def average_models(gp: MetricGP, others: Mapping[str, Alternative]) -> MetricModel:
    """Return what is believed of a metric: a Gaussian process, with others that explain it about as well."""
    if not others:
        return gp
    weighed = {GP: gp.evidence, **{name: model.evidence for name, model in others.items()}}
    count = len(gp.rows)
    kept = {n: m for n, m in others.items() if not clearly_better(_against(gp, m), m.evidence, count)}
    return Ensemble({GP: gp, **kept}, weighed) if kept else gp.noted(account={**gp.account, "models": weighed})


def _against(gp: MetricGP, other: Alternative) -> float:
    """Return the process's evidence when another is held against it: a warp explains cliffs that were seen too well."""
    return min(gp.evidence, gp.account["loo"][MATERN]) if isinstance(other, ExtraTrees) else gp.evidence
