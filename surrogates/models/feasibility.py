"""How likely a candidate can be made and measured at all, learnt from trials that failed.

A Gaussian process behind a logistic function, by Laplace's approximation (Rasmussen & Williams 2006, algorithms 3.1 and
3.2; the probability by MacKay 1992, Neural Comput. 4, 720). Its mean lies towards success, and part of its variance is
each trial's own, so that a single failure, such as a power cut, condemns nothing but its own place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from surrogates.models.distances import distances
from surrogates.models.encoder import Encoder
from surrogates.models.kernel import covariance, variance
from surrogates.models.kernel_spec import KernelSpec

_SUCCESS = 2.2  # log odds of success before any trial: nine in ten
_OWN = 1.0  # variance of the log odds that is each trial's own
_LENGTHS = (0.15, 0.3, 0.6)  # of the unit cube's diagonal, or of the distance between two materials
_SPREADS = (1.0, 4.0, 16.0, 64.0)  # variances of the log odds over the space
_MOST = 400  # trials that are learnt from
_STEPS = 50
_HALVINGS = 8
_CLOSE = 1e-8


@dataclass(frozen=True)
class Feasibility:
    """What the failures say of other candidates.

    Attributes:
        encoder: layout of rows.
        length: over which failures carry.
        spread: variance of the log odds over the space.
        rows: n x d, what was tried.
        weights: derivative of the log likelihood at the mode, n.
        root: Cholesky factor of I + W^1/2 K W^1/2, n x n.
        curvature: square roots of the negative second derivatives, W^1/2, n.
        evidence: log marginal likelihood of the outcomes.
    """

    encoder: Encoder
    length: float
    spread: float
    rows: Tensor
    weights: Tensor
    root: Tensor
    curvature: Tensor
    evidence: float

    def probability(self, rows: Tensor) -> Tensor:
        """Return the probability of success, n, of n rows."""
        cross = self._kernel.between(rows, self.rows)
        mean = _SUCCESS + cross @ self.weights
        known = torch.linalg.solve_triangular(self.root, self.curvature.unsqueeze(-1) * cross.mT, upper=False)
        left = (self.spread - known.square().sum(dim=0)).clamp_min(0.0)
        return torch.sigmoid(mean / (1.0 + math.pi / 8.0 * left).sqrt())

    def describe(self) -> Mapping[str, float]:
        """Return what the log keeps."""
        return {
            "length": self.length,
            "spread": self.spread,
            "trials": float(len(self.rows)),
            "evidence": self.evidence,
        }

    @cached_property
    def _kernel(self) -> _Kernel:
        return _Kernel(self.encoder, self.length, self.spread)


@dataclass(frozen=True)
class _Kernel:
    """Covariance of the log odds between candidates."""

    encoder: Encoder
    length: float
    spread: float

    def between(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x m."""
        parts = distances(self.encoder, rows, others, self._shape.views)
        return covariance(self._shape, self._logs, parts) * (self.spread / variance(self._shape, self._logs))

    @cached_property
    def _shape(self) -> KernelSpec:
        views = () if self.encoder.materials is None else tuple(self.encoder.materials.views)[:1]
        return KernelSpec(views, self.encoder.parameter_columns, self.encoder.levels)

    @cached_property
    def _logs(self) -> Tensor:
        diagonal = math.sqrt(max(self.encoder.parameter_columns, 1))
        lengths = {f"length.{i}": self.length * diagonal for i in range(self.encoder.parameter_columns)}
        lengths |= {f"length.{view}": self.length for view in self._shape.views}
        values = [lengths.get(name, 1e-6 if name in ("nugget", "noise") else 1.0) for name in self._shape.names]
        return torch.tensor(values, dtype=torch.float64).log()


def feasibility(encoder: Encoder, made: Tensor, failed: Tensor) -> Feasibility | None:
    """Return what failures teach, or None where nothing has failed.

    Args:
        encoder: layout of rows.
        made: n x d rows of the trials that went well.
        failed: m x d rows of the trials that failed.
    """
    if not len(failed):
        return None
    made = made[torch.linspace(0, len(made) - 1, min(len(made), _MOST)).round().long()] if len(made) else made
    rows = torch.cat([made, failed[-_MOST:]])
    signs = torch.cat([torch.ones(len(made)), -torch.ones(len(rows) - len(made))]).double()
    tried = [_laplace(_Kernel(encoder, *each), rows, signs) for each in product(_LENGTHS, _SPREADS)]
    return max(tried, key=lambda each: each.evidence)


def _laplace(kernel: _Kernel, rows: Tensor, signs: Tensor) -> Feasibility:
    """Return the approximation about the mode of the log odds, found by Newton's method (ibid., algorithm 3.1)."""
    prior = kernel.between(rows, rows)
    prior.diagonal().add_(_OWN)
    weights = torch.zeros_like(signs)
    height = _height(prior, weights, signs)
    for _ in range(_STEPS):
        better = _climbed(prior, weights, signs)
        before, height = height, _height(prior, better, signs)
        if height - before < _CLOSE:
            break
        weights = better
    curvature, root = _curved(prior, prior @ weights)
    evidence = _height(prior, weights, signs) - float(root.diagonal().log().sum())
    return Feasibility(kernel.encoder, kernel.length, kernel.spread, rows, weights, root, curvature, evidence)


def _climbed(prior: Tensor, weights: Tensor, signs: Tensor) -> Tensor:
    """Return the weights after one step of Newton's method, shortened until it climbs."""
    log_odds = prior @ weights
    curvature, root = _curved(prior, log_odds)
    slope = (signs + 1.0) / 2.0 - torch.sigmoid(_SUCCESS + log_odds)
    target = curvature.square() * log_odds + slope
    inner = torch.cholesky_solve((curvature * (prior @ target)).unsqueeze(-1), root).squeeze(-1)
    step, height = target - curvature * inner - weights, _height(prior, weights, signs)
    for _ in range(_HALVINGS):
        if _height(prior, weights + step, signs) > height:
            break
        step = 0.5 * step
    return weights + step


def _height(prior: Tensor, weights: Tensor, signs: Tensor) -> float:
    """Return the log posterior of the log odds, but for a constant (ibid., equation 3.12)."""
    log_odds = prior @ weights
    likelihood = torch.nn.functional.logsigmoid(signs * (_SUCCESS + log_odds)).sum()
    return float(likelihood - 0.5 * weights @ log_odds)


def _curved(prior: Tensor, log_odds: Tensor) -> tuple[Tensor, Tensor]:
    """Return W^1/2, n, and the Cholesky factor of I + W^1/2 K W^1/2, n x n."""
    chance = torch.sigmoid(_SUCCESS + log_odds)
    curvature = (chance * (1.0 - chance)).sqrt()
    inner = curvature.unsqueeze(-1) * prior * curvature
    inner.diagonal().add_(1.0)
    return curvature, torch.linalg.cholesky(inner)
