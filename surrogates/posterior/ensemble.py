"""Several models of one metric: which of them are believed, and what they say together.

No single model is best on every table of real measurements, so that models that explain the measurements about equally
well are believed in equal parts (Hoeting, Madigan, Raftery & Volinsky 1999, Stat. Sci. 14, 382).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from surrogates.posterior.forest import Forest, grow
from surrogates.posterior.gp import MetricGP
from surrogates.posterior.model import MetricModel
from surrogates.posterior.observations import Observations
from surrogates.posterior.task import Task
from surrogates.posterior.verdict import MATERN, clearly_better

GP, TREES = "gp", "trees"
_FEWEST = 8  # measurements before trees are asked


@dataclass(frozen=True)
class Ensemble:
    """Models that are believed in equal parts; mean and covariance are those of their mixture.

    Attributes:
        members: name to model, at least two.
        weighed: name of each model that was asked to its evidence.
    """

    members: Mapping[str, MetricModel]
    weighed: Mapping[str, float]

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
        """Return mean, n, and covariance, n x n, of n rows together."""
        means, spreads = map(torch.stack, zip(*(m.joint(rows) for m in self.members.values()), strict=True))
        apart = means - means.mean(dim=0)
        return means.mean(dim=0), spreads.mean(dim=0) + apart.mT @ apart / len(apart)

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        inside = torch.stack([m.cross(rows, others).double() for m in self.members.values()]).mean(dim=0)
        left, right = self._apart(rows), self._apart(others)
        return inside + left.mT @ right / len(left)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps: the account of the first member, and what each explains."""
        first = next(iter(self.members.values())).describe()
        return {**first, "members": list(self.members), "models": dict(self.weighed)}

    def _apart(self, rows: Tensor) -> Tensor:
        means = torch.stack([m.marginals(rows)[0] for m in self.members.values()])
        return means - means.mean(dim=0)


def second_opinion(task: Task, seen: Observations) -> Forest | None:
    """Return trees that learnt from the measurements, or None where these are too few, or materials are chosen.

    Trees see the parameters alone, and so have no say in a campaign that chooses materials.
    """
    if task.encoder.materials is not None or len(seen.values) < _FEWEST:
        return None
    trees = grow(seen, task.encoder.parameter_columns)
    return replace(trees, factor=trees.factor * task.inflation)


def weigh(gp: MetricGP, trees: Forest | None) -> MetricModel:
    """Return what is believed of a metric: a Gaussian process, with trees where these explain it about as well."""
    if trees is None:
        return gp
    weighed = {GP: gp.evidence, TREES: trees.evidence}
    plain = min(gp.evidence, gp.account["loo"][MATERN])  # a warp explains the cliffs that were seen too well
    if clearly_better(plain, trees.evidence, trees.count):
        return replace(gp, account={**gp.account, "models": weighed})
    return Ensemble({GP: gp, TREES: trees}, weighed)
