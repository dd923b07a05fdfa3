"""Exact inference from standardised observations: the factorised covariance, and what it tells of them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.distributions import Normal

from surrogates.models.distances import Distances
from surrogates.models.kernel_spec import OFFSET
from surrogates.models.means import SLOPE, expected


@dataclass(frozen=True)
class Data:
    """Standardised observations.

    Attributes:
        parts: distances between the n rows.
        targets: n.
        noise: n variances.
        prior: n standardised values of a prior about which the metric lies, or None.
        amplitude: n values, about one, of a prior of which the metric is a share, or None.
        constant: prior variance of the constant.
    """

    parts: Distances
    targets: Tensor
    noise: Tensor
    prior: Tensor | None = None
    amplitude: Tensor | None = None
    constant: float = OFFSET

    def noisier(self, variance: float) -> Data:
        """Return the observations with more noise."""
        return replace(self, noise=self.noise + variance) if variance else self

    def only(self, kept: Tensor) -> Data:
        """Return some of the observations, by their places."""
        prior, amplitude = (None if each is None else each[kept] for each in (self.prior, self.amplitude))
        parts = self.parts.between(kept, kept)
        return Data(parts, self.targets[kept], self.noise[kept], prior, amplitude, self.constant)

    def mean(self) -> Tensor:
        """Return the prior mean, n."""
        found = expected(self.prior, self.amplitude)
        return torch.zeros_like(self.targets) if found is None else found

    def complete(self, covariance: Tensor, first: int = 0) -> Tensor:
        """Return the covariance, m x n, of the last m of the observations with all, with what constant and prior add.

        Args:
            covariance: without them, m x n.
            first: which observation is the first of the m.
        """
        whole = covariance + self.constant
        if self.prior is not None:
            whole = whole.addr(self.prior[first:], self.prior, alpha=SLOPE[1] ** 2)
        return whole if self.amplitude is None else whole * torch.outer(self.amplitude[first:], self.amplitude)


@dataclass(frozen=True)
class Factor:
    """The covariance of the observations, factorised (Rasmussen & Williams 2006, algorithm 2.1).

    Attributes:
        root: lower Cholesky factor, n x n.
        inverse: n x n.
        weights: inverse times residual, n.
        residual: targets minus prior mean, n.
    """

    root: Tensor
    inverse: Tensor
    weights: Tensor
    residual: Tensor

    @classmethod
    def of(cls, whole: Tensor, residual: Tensor) -> Factor:
        """Factorise a covariance with noise, n x n.

        Raises:
            torch.linalg.LinAlgError: it is not positive definite.
        """
        root = torch.linalg.cholesky(whole)
        inverse = torch.cholesky_inverse(root)
        return cls(root, inverse, inverse @ residual, residual)

    @property
    def log_likelihood(self) -> float:
        """The log marginal likelihood (ibid., equation 5.8)."""
        n = len(self.residual)
        fit = -0.5 * torch.dot(self.residual, self.weights) - self.root.diagonal().log().sum()
        return float(fit) - 0.5 * n * math.log(2.0 * math.pi)

    def leave_one_out(self) -> tuple[Tensor, Tensor]:
        """Return each residual's mean and variance by the others, n and n (ibid., equation 5.12)."""
        spread = 1.0 / self.inverse.diagonal()
        return self.residual - self.weights * spread, spread

    @property
    def evidence(self) -> float:
        """The mean log density of each observation by the others (ibid., equation 5.11, over n)."""
        return mean_log_density(self.residual, *self.leave_one_out())


def mean_log_density(values: Tensor, mean: Tensor, variance: Tensor) -> float:
    """Return the mean log density of n values that are normally distributed with means, n, and variances, n."""
    return float(Normal(mean, variance.sqrt(), validate_args=False).log_prob(values).mean())


def factorise(covariance: Tensor, data: Data) -> Factor:
    """Factorise a covariance without noise, n x n.

    Raises:
        torch.linalg.LinAlgError: it is not positive definite even with the noise.
    """
    whole = data.complete(covariance)
    whole.diagonal().add_(data.noise)
    return Factor.of(whole, data.targets - data.mean())


def extend(factor: Factor, covariance: Tensor, data: Data) -> Factor:
    """Factorise the covariance of n observations of which the first m are factorised already, in O(n^2 (n - m)).

    Args:
        factor: of the first m, at the same noise and prior.
        covariance: of the others with all of them, without noise, (n - m) x n.
        data: all of them.

    Raises:
        torch.linalg.LinAlgError: the covariance is not positive definite even with the noise.
    """
    n, m = len(data.targets), len(factor.residual)
    whole = data.complete(covariance, m)
    whole[:, m:].diagonal().add_(data.noise[m:])
    solved = torch.linalg.solve_triangular(factor.root, whole[:, :m].mT, upper=False)
    corner = torch.linalg.cholesky(whole[:, m:] - solved.mT @ solved)
    rest, pulled = torch.cholesky_inverse(corner), factor.inverse @ whole[:, :m].mT
    spread = pulled @ rest
    root, inverse = torch.zeros(n, n, dtype=torch.float64), torch.empty(n, n, dtype=torch.float64)
    root[:m, :m], root[m:, :m], root[m:, m:] = factor.root, solved.mT, corner
    torch.addmm(factor.inverse, spread, pulled.mT, out=inverse[:m, :m])
    inverse[:m, m:], inverse[m:, :m], inverse[m:, m:] = -spread, -spread.mT, rest
    residual = data.targets - data.mean()
    return Factor(root, inverse, inverse @ residual, residual)
