"""The probability that a candidate can be made and measured at all, fitted to trials that failed.

A Gaussian process classifier with a logistic likelihood, by Laplace's approximation (Rasmussen & Williams 2006,
algorithms 3.1 and 3.2; the probability by MacKay 1992, Neural Comput. 4, 720), which GPyTorch does not have: its
classifiers are variational. The mean lies towards success, and a part of the variance is each trial's own, so that a
single failure, such as a power cut, condemns nothing but its own place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import torch
from torch import Tensor
from torch.nn import Module
from torch.nn.functional import logsigmoid

from surrogates.models.distances import distances
from surrogates.models.encoder import Encoder
from surrogates.models.kernel import MetricKernel
from surrogates.models.kernel_spec import KernelSpec

_SUCCESS = 2.2  # not tuned: log odds of success before any trial, nine in ten
_OWN = 1.0  # not tuned: variance of the log odds that is each trial's own, so that one failure leaves them even
_LENGTHS = (0.15, 0.3, 0.6)  # not tuned: of the unit cube's diagonal, or of the distance between two materials
_SPREADS = (1.0, 4.0, 16.0, 64.0)  # not tuned: variances of the log odds over the space, up to certainty
_MOST = 400  # not tuned: trials of either kind that it is fitted to, so that a fit takes less than a second
_STEPS = 50  # not tuned: of Newton's method at most; it takes about ten
_HALVINGS = 8  # not tuned: of a step that does not climb
_CONVERGED = 1e-8  # not tuned: rise of the log posterior below which a step is the last


class Feasibility(Module):
    """The probability of success; a ``prior_module`` of BoTorch's ``PriorGuidedAcquisitionFunction``.

    Args:
        kernel: covariance of the log odds.
        rows: n x d, what was tried.
        mode: the log odds that are the most probable.
    """

    def __init__(self, kernel: _Kernel, rows: Tensor, mode: _Mode) -> None:
        super().__init__()
        self._kernel, self.rows, self._mode = kernel, rows, mode

    @property
    def evidence(self) -> float:
        """The log marginal likelihood of the outcomes."""
        return self._mode.evidence

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch's name
        """Return the probability of success, b x q, of rows, b x q x d; b may be missing."""
        cross = self._kernel.between(X, self.rows)
        mean = _SUCCESS + cross @ self._mode.weights
        root = self._mode.root.mT
        explained = torch.linalg.solve_triangular(root, cross * self._mode.curvature, upper=True, left=False)
        variance = (self._kernel.spread - explained.square().sum(dim=-1)).clamp_min(0.0)
        return torch.sigmoid(mean / (1.0 + math.pi / 8.0 * variance).sqrt())

    def describe(self) -> Mapping[str, float]:
        """Return what the log keeps."""
        return {
            "length": self._kernel.length,
            "spread": self._kernel.spread,
            "trials": float(len(self.rows)),
            "evidence": self.evidence,
        }


@dataclass(frozen=True)
class _Mode:
    """The mode of the log odds, and the Gaussian about it.

    Attributes:
        weights: derivative of the log likelihood, n.
        root: Cholesky factor of I + W^1/2 K W^1/2, n x n.
        curvature: square roots of the negative second derivatives, W^1/2, n.
        evidence: log marginal likelihood of the outcomes.
    """

    weights: Tensor
    root: Tensor
    curvature: Tensor
    evidence: float


@dataclass(frozen=True)
class _Kernel:
    """Covariance of the log odds between candidates."""

    encoder: Encoder
    length: float
    spread: float

    def between(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x m."""
        parts = distances(self.encoder, rows, others, self._shape.views)
        kernel = self._kernel
        return kernel.at(parts) * (self.spread / kernel.variance)

    @cached_property
    def _shape(self) -> KernelSpec:
        views = () if self.encoder.materials is None else tuple(self.encoder.materials.views)[:1]
        return KernelSpec(views, self.encoder.parameter_columns, self.encoder.levels)

    @cached_property
    def _kernel(self) -> MetricKernel:
        diagonal = math.sqrt(max(self.encoder.parameter_columns, 1))
        lengths = {f"length.{i}": self.length * diagonal for i in range(self.encoder.parameter_columns)}
        lengths |= {f"length.{view}": self.length for view in self._shape.views}
        values = [lengths.get(name, 1e-6 if name in ("nugget", "noise") else 1.0) for name in self._shape.names]
        logs = torch.tensor(values, dtype=torch.float64).log()
        return MetricKernel(self.encoder, self._shape, logs)


def feasibility(encoder: Encoder, made: Tensor, failed: Tensor) -> Feasibility | None:
    """Return the probability of success after some trials, or None where nothing has failed.

    Length and variance are those of a small grid that make the outcomes the most probable.

    Args:
        encoder: layout of rows.
        made: n x d, of the trials that went well.
        failed: m x d, of the trials that failed.
    """
    if not len(failed):
        return None
    made = made[torch.linspace(0, len(made) - 1, min(len(made), _MOST)).round().long()] if len(made) else made
    rows = torch.cat([made, failed[-_MOST:]])
    signs = torch.cat([torch.ones(len(made)), -torch.ones(len(rows) - len(made))]).double()
    kernels = [_Kernel(encoder, *each) for each in product(_LENGTHS, _SPREADS)]
    tried = [Feasibility(kernel, rows, _laplace(kernel, rows, signs)) for kernel in kernels]
    return max(tried, key=lambda each: each.evidence)


def _laplace(kernel: _Kernel, rows: Tensor, signs: Tensor) -> _Mode:
    """Return the approximation about the mode of the log odds, found by Newton's method (ibid., algorithm 3.1)."""
    prior = kernel.between(rows, rows)
    prior.diagonal().add_(_OWN)
    weights = torch.zeros_like(signs)
    height = _log_posterior(prior, weights, signs)
    for _ in range(_STEPS):
        better = _newton_step(prior, weights, signs)
        before, height = height, _log_posterior(prior, better, signs)
        if height - before < _CONVERGED:
            break
        weights = better
    curvature, root = _curvature_at(prior, prior @ weights)
    evidence = _log_posterior(prior, weights, signs) - float(root.diagonal().log().sum())
    return _Mode(weights, root, curvature, evidence)


def _newton_step(prior: Tensor, weights: Tensor, signs: Tensor) -> Tensor:
    """Return the weights after one step of Newton's method, shortened until it climbs."""
    log_odds = prior @ weights
    curvature, root = _curvature_at(prior, log_odds)
    slope = (signs + 1.0) / 2.0 - torch.sigmoid(_SUCCESS + log_odds)
    target = curvature.square() * log_odds + slope
    inner = torch.cholesky_solve((curvature * (prior @ target)).unsqueeze(-1), root).squeeze(-1)
    step, height = target - curvature * inner - weights, _log_posterior(prior, weights, signs)
    for _ in range(_HALVINGS):
        if _log_posterior(prior, weights + step, signs) > height:
            break
        step = 0.5 * step
    return weights + step


def _log_posterior(prior: Tensor, weights: Tensor, signs: Tensor) -> float:
    """Return the log posterior of the log odds, but for a constant (ibid., equation 3.12)."""
    log_odds = prior @ weights
    likelihood = logsigmoid(signs * (_SUCCESS + log_odds)).sum()
    return float(likelihood - 0.5 * weights @ log_odds)


def _curvature_at(prior: Tensor, log_odds: Tensor) -> tuple[Tensor, Tensor]:
    """Return W^1/2, n, and the Cholesky factor of I + W^1/2 K W^1/2, n x n."""
    probability = torch.sigmoid(_SUCCESS + log_odds)
    curvature = (probability * (1.0 - probability)).sqrt()
    inner = curvature.unsqueeze(-1) * prior * curvature
    inner.diagonal().add_(1.0)
    return curvature, torch.linalg.cholesky(inner)
