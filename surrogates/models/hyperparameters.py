"""The hyper-parameters of a metric's Gaussian process: maximum a posteriori, by derivatives in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from torch import Tensor

from surrogates.models.distances import Distances, Pairs
from surrogates.models.kernel import derivatives
from surrogates.models.kernel_spec import OFFSET, KernelSpec

SLOPE = (0.5, 0.5)
"""Prior mean and standard deviation of a prior's slope, or of a share, in standardised units."""
_ROUNDS = 40
_CLOSE = 1e-5  # relative gain of log likelihood at which fitting ends
_BOUNDS = (-12.0, 8.0)  # of logarithms
_NOISY = math.log(0.1)  # variance of noise, in standardised units, with which fitting begins a second time
_IMPOSSIBLE = 1e10


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
        if self.amplitude is not None:
            return SLOPE[0] * self.amplitude
        return torch.zeros_like(self.targets) if self.prior is None else SLOPE[0] * self.prior


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
        mean, spread = self.leave_one_out()
        density = -0.5 * (spread.log() + (self.residual - mean).square() / spread + math.log(2.0 * math.pi))
        return float(density.mean())


def factorise(covariance: Tensor, data: Data) -> Factor:
    """Factorise a covariance without noise, n x n.

    Raises:
        torch.linalg.LinAlgError: it is not positive definite even with the noise.
    """
    everything = torch.arange(len(data.targets))
    whole = _complete(covariance, data, everything, everything)
    whole.diagonal().add_(data.noise)
    root = torch.linalg.cholesky(whole)
    inverse = torch.cholesky_inverse(root)
    residual = data.targets - data.mean()
    return Factor(root, inverse, inverse @ residual, residual)


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
    whole = _complete(covariance, data, torch.arange(m, n), torch.arange(n))
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


def _complete(covariance: Tensor, data: Data, rows: Tensor, others: Tensor) -> Tensor:
    """Return the covariance of some observations with others with what constant and prior add."""
    whole = covariance + data.constant
    if data.prior is not None:
        whole = whole.addr(data.prior[rows], data.prior[others], alpha=SLOPE[1] ** 2)
    if data.amplitude is not None:
        whole = whole * torch.outer(data.amplitude[rows], data.amplitude[others])
    return whole


def fit(shape: KernelSpec, data: Data, start: Tensor | None = None) -> Tensor:
    """Return the logarithms of the hyper-parameters that are most probable a posteriori.

    Args:
        shape: which there are.
        data: what they are fitted to.
        start: where to begin; by default, where they are expected to be. A wary model also begins with much noise:
            what differs may be noise or structure, and between these two explanations lies a ridge.
    """
    mean, sd = shape.beliefs()
    packed = _Packed.of(data)

    def objective(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        logs = torch.from_numpy(point)
        value, slope = _loss(shape, packed, logs)
        distance = (logs - mean) / sd
        return value + 0.5 * float(distance.square().sum()), (slope + distance / sd).numpy()

    starts = [mean if start is None else start]
    if start is None and shape.wary:
        starts.append(torch.cat([mean[:-1], torch.tensor([_NOISY], dtype=torch.float64)]))
    options = {"maxiter": _ROUNDS, "ftol": _CLOSE}
    how: dict[str, Any] = {"jac": True, "method": "L-BFGS-B", "bounds": [_BOUNDS] * len(mean), "options": options}
    found = [minimize(objective, at.numpy(), **how) for at in starts]
    return torch.from_numpy(np.asarray(min(found, key=lambda each: float(each.fun)).x))


@dataclass(frozen=True)
class _Packed:
    """Observations with each pair listed once, as a covariance is symmetric: there are m = n (n + 1) / 2 pairs.

    Attributes:
        parts: distances of the pairs.
        entries: where in a flat n x n matrix the pairs are, m.
        pairs: which pair is where in a flat n x n matrix, n * n.
        times: how often each pair is there, m.
    """

    data: Data
    parts: Pairs
    entries: Tensor
    pairs: Tensor
    times: Tensor

    @classmethod
    def of(cls, data: Data) -> _Packed:
        """Return the observations of some data."""
        n = len(data.targets)
        row, column = torch.tril_indices(n, n)
        entries, pairs = row * n + column, torch.empty(n * n, dtype=torch.long)
        pairs[entries] = pairs[column * n + row] = torch.arange(len(entries))
        times = torch.where(row == column, 1.0, 2.0).double()
        return cls(data, data.parts.listed(row, column), entries, pairs, times)

    def matrix(self, values: Tensor) -> Tensor:
        """Return the symmetric matrix, n x n, that has these values, m."""
        return values.index_select(0, self.pairs).view(len(self.data.targets), -1)


def _loss(shape: KernelSpec, packed: _Packed, logs: Tensor) -> tuple[float, Tensor]:
    """Return the negative log marginal likelihood and its derivatives (ibid., equation 5.9)."""
    data = packed.data
    covariance, slopes = derivatives(shape, logs, packed.parts)
    try:
        factor = factorise(packed.matrix(covariance), data.noisier(shape.excess(logs)))
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # torch's stubs leave it out
        return _IMPOSSIBLE, torch.zeros_like(logs)
    weight = factor.inverse - torch.outer(factor.weights, factor.weights)
    noise = shape.excess(logs) * weight.diagonal().sum()
    if data.amplitude is not None:
        weight = weight * torch.outer(data.amplitude, data.amplitude)
    listed = weight.take(packed.entries).mul_(packed.times)
    gradient = torch.stack([*(torch.dot(listed, slope) for slope in slopes), *([] if shape.views else [noise])])
    return -factor.log_likelihood, 0.5 * gradient
