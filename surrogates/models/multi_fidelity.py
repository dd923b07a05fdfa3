"""A metric and a cheaper version of itself, of which more is measured all the time: an autoregressive model.

    high = offset + slope * E[low] + share * (low - E[low]) + difference

The first two terms and the difference are those of a metric that learns from a source (``transfer``), the cheap
measurements being the source; the third is the uncertainty of the cheap version, and so what a further cheap
measurement would change. It is the autoregressive model of Kennedy & O'Hagan (2000, Biometrika 87, 1), fitted level by
level (Le Gratiet & Garnier 2014, Int. J. Uncertain. Quantif. 4, 365); the two levels need not share their points.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from surrogates.models.base import MetricModel, in_parts
from surrogates.models.ensemble import Ensemble
from surrogates.models.exact_inference import Factor, factorise
from surrogates.models.gp import MetricGP
from surrogates.models.transfer import SourceModel

_LEAST = 1e-9  # not tuned: variance that rounding may leave, in standardised units


class AutoregressiveModel(MetricModel):
    """A metric's posterior with the uncertainty of the cheap version that is its prior mean.

    Args:
        name: of the cheap version.
        base: fitted with the mean of the cheap version as prior mean.
        low: the cheap version.
        share: how much the metric moves, in its standardised units, where the cheap version moves by one of its own.
    """

    def __init__(self, name: str, base: MetricGP, low: MetricGP, share: float) -> None:
        super().__init__()
        self.name, self.base, self.low, self.share = name, base, low, share

    @cached_property
    def factor(self) -> Factor:
        """The factorised covariance of the observations; ``factorise`` adds what constant and prior do."""
        rows, data = self.base.rows, self.base.data
        return factorise(self.base.covar_module.at(data.parts) + self._low_covariance(rows, rows), data)

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the others, of standardised values."""
        return self.factor.evidence

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        base = self.base
        means, variances = map(torch.cat, zip(*self._parts(rows), strict=True))
        return base.shift + base.scale * means, base.sd_unit * variances.clamp_min(_LEAST).sqrt()

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together."""
        base, cross = self.base, self._each(lambda flat: self._prior(flat, self.base.rows), rows)
        prior = base.covar_module.between(rows, rows) + self.share**2 * self.low.joint(rows)[1]
        explained = self._solved(cross)
        mean = base.mean_module(rows) + cross @ self.factor.weights
        return base.shift + base.scale * mean, base.sd_unit**2 * (prior - explained @ explained.mT)

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        explained = self._root(rows) @ self._root(others).mT
        return self.base.sd_unit**2 * (self._prior(rows, others) - explained)

    def low_fidelity_covariance(self, rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        """Return the moments by which cheap measurements at others would change the posterior.

        Returns:
            The covariance, n x q, of the metric at n rows with the cheap version at q others, and the variance, q, of
            a cheap measurement there, with its noise.
        """
        low, base = self.low, self.base
        at_rows, at_others = self._low_covariance(rows, others), self._low_covariance(base.rows, others)
        found = at_rows - self._root(rows) @ self._solved(at_others.mT).mT
        spread = low.marginals(others)[1].square() - self._solved(at_others.mT).square().sum(dim=1) * self._unit**2
        noise = low.scale**2 * float(low.data.noise.median())
        return base.sd_unit * self._unit * found, spread.clamp_min(0.0) + noise

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows."""
        return self.base.noise(rows)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps."""
        return {**self.base.describe(), "share": self.share}

    @property
    def _unit(self) -> float:
        """What one of the standardised units of its uncertainty is in the cheap version's unit."""
        return 1.0 / self.share if self.share else 0.0

    def _low_covariance(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the posterior covariance, n x q, of the cheap version, in standardised units."""
        return self.share**2 * self.low.cross(rows, others).double()

    def _prior(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, given the cheap measurements alone."""
        return self.base.covar_module.between(rows, others) + self._low_covariance(rows, others)

    def _root(self, rows: Tensor) -> Tensor:
        """Return the covariance of rows with the observations times their inverse Cholesky factor, n x m."""
        return self._solved(self._prior(rows, self.base.rows))

    def _solved(self, cross: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(self.factor.root.mT, cross, upper=True, left=False)

    def _parts(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        for part in in_parts(rows, len(self.base.rows) + len(self.low.rows)):
            cross = self._prior(part, self.base.rows)
            low_variance = self.share**2 * self.low.marginals(part)[1].square()
            prior = self.base.covar_module.diagonal(part) + low_variance
            yield (
                self.base.mean_module(part) + cross @ self.factor.weights,
                prior - self._solved(cross).square().sum(dim=1),
            )


def with_low_fidelity(model: MetricModel, cheap: dict[str, MetricGP]) -> MetricModel:
    """Return a model with the uncertainty of the cheap version that is its prior mean, if one is."""
    match model:
        case Ensemble():
            members = {name: with_low_fidelity(member, cheap) for name, member in model.members.items()}
            return Ensemble(members, model.evidences)
        case MetricGP(prior=SourceModel(name=name, scale=scale), account=account) if name in cheap:
            return AutoregressiveModel(name, model, cheap[name], account["sources"][name]["slope"] / scale)
        case _:
            return model


def low_fidelity_of(model: MetricModel) -> AutoregressiveModel | None:
    """Return the autoregressive model, itself or among the members of an average."""
    match model:
        case AutoregressiveModel():
            return model
        case Ensemble():
            return next((member for member in model.members.values() if isinstance(member, AutoregressiveModel)), None)
        case _:
            return None
