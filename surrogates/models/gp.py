"""The posterior of one metric: an exact Gaussian process on the views of the material and the process parameters."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from botorch.exceptions.warnings import InputDataWarning
from botorch.models import SingleTaskGP
from gpytorch.kernels import Kernel
from gpytorch.means import Mean
from torch import Tensor

from surrogates.models.base import MetricModel
from surrogates.models.distances import distances
from surrogates.models.encoder import Encoder
from surrogates.models.hyperparameters import SLOPE, Data, Factor
from surrogates.models.kernel import covariance, variance
from surrogates.models.kernel_spec import KernelSpec
from surrogates.models.replicates import replicates

_EXACT = 400_000  # pairs of rows up to which a pool is scored in double precision
_LARGE = 512  # rows
_FULLY = 8192  # rows of which more than mean and variance is remembered
_CHUNK = 200_000  # pairs of rows worked on at once: they stay in a core's cache
_LEAST = 1e-9  # variance that rounding may leave, in standardised units


class PriorMean(Protocol):
    """What is known of a metric beforehand; what is equal says the same.

    Attributes:
        factor: whether the metric is a share of it, so that the uncertainty grows with it, rather than lies about it.
    """

    @property
    def factor(self) -> bool: ...

    def known(self, encoder: Encoder, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the standardised prior, or the amplitude, batch x n, of rows, batch x n x d; None for the other."""
        ...

    def __hash__(self) -> int: ...


class NoiseModel(Protocol):
    """What measurements have of noise beyond what they tell of, where it depends on what is measured."""

    def variance(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of one measurement of each of n rows, in the metric's unit squared."""
        ...


@dataclass(frozen=True)
class PoolPrior:
    """A known number of each material.

    Attributes:
        number: its name.
        factor: whether the metric is a share of it, so that the uncertainty grows with it, rather than lies about it.
    """

    number: str
    factor: bool = False

    def known(self, encoder: Encoder, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the standardised prior, or the amplitude, of rows; None where there is none."""
        if encoder.materials is None:
            return None, None
        everywhere = torch.from_numpy(encoder.materials.numbers[self.number])
        values = encoder.number(self.number, rows)
        if self.factor:
            return None, values / everywhere.mean()
        spread = everywhere.std(correction=0)
        return (values - everywhere.mean()) / (spread if spread > 0 else 1.0), None


@dataclass(frozen=True)
class GPPrior:
    """What a Gaussian process is made of: its mean and covariance as functions of rows, in standardised units.

    Attributes:
        logs: logarithms of the hyper-parameters of ``shape``.
        prior: what the metric lies about, or is a share of.
    """

    encoder: Encoder
    shape: KernelSpec
    logs: Tensor
    prior: PriorMean | None = None

    def mean(self, rows: Tensor) -> Tensor:
        """Return the prior mean, batch x n, of rows, batch x n x d."""
        prior, amplitude = self.known(rows)
        if amplitude is not None:
            return SLOPE[0] * amplitude
        return torch.zeros(rows.shape[:-1], dtype=torch.float64) if prior is None else SLOPE[0] * prior

    def covariance(self, rows: Tensor, others: Tensor, dtype: torch.dtype = torch.float64) -> Tensor:
        """Return the covariance, batch x n x m, of rows, batch x n x d, and others, batch x m x d."""
        parts = distances(self.encoder, rows, others, self.shape.views, dtype)
        found = covariance(self.shape, self.logs, parts).add_(self.shape.constant)
        (prior, amplitude), (prior_, amplitude_) = self.known(rows), self.known(others)
        if prior is not None and prior_ is not None:
            found = found.add_((SLOPE[1] ** 2 * prior.unsqueeze(-1) * prior_.unsqueeze(-2)).to(dtype))
        if amplitude is not None and amplitude_ is not None:
            found = found * (amplitude.unsqueeze(-1) * amplitude_.unsqueeze(-2)).to(dtype)
        return found

    def variance(self, rows: Tensor) -> Tensor:
        """Return the prior variance, batch x n, of rows, batch x n x d."""
        prior, amplitude = self.known(rows)
        known = variance(self.shape, self.logs) + self.shape.constant
        found = torch.full(rows.shape[:-1], known, dtype=torch.float64)
        if prior is not None:
            found += SLOPE[1] ** 2 * prior.square()
        return found if amplitude is None else found * amplitude.square()

    def known(self, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the standardised prior, or the amplitude, of rows; None where there is none."""
        return (None, None) if self.prior is None else self.prior.known(self.encoder, rows)


@dataclass(frozen=True)
class MetricUnits:
    """From standardised units to the metric's: value = shift + scale * target.

    Attributes:
        floor: the metric is the larger of this and the process; None without a floor.
        inflation: factor by which predictions were found to be too sure of themselves.
    """

    shift: float = 0.0
    scale: float = 1.0
    floor: float | None = None
    inflation: float = 1.0


class MetricGP(MetricModel):
    """An exact Gaussian process that has learnt from the measurements of a metric.

    Args:
        terms: mean and covariance.
        rows: n x d, where the metric was measured.
        data: standardised targets and noise at these rows.
        factor: the factorised covariance of the observations.
        units: of the metric.

    Attributes:
        account: how it came about, for the log: candidates and their evidence, slope of the prior, views.
        uneven: noise that depends on the row, and is a part of that of the data; None where one noise is as likely.
    """

    def __init__(self, terms: GPPrior, rows: Tensor, data: Data, factor: Factor, units: MetricUnits) -> None:
        super().__init__()
        self.terms, self.rows, self.data, self.factor = terms, rows, data, factor
        self.shift, self.scale, self.floor, self.inflation = units.shift, units.scale, units.floor, units.inflation
        self.account: Mapping[str, Any] = {}
        self.uneven: NoiseModel | None = None

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one, in the metric's unit, before the floor."""
        if len(rows) <= _FULLY or rows.requires_grad:
            found = self.scored(rows)
            mean, variance_ = found.mean, found.variance
        else:
            mean, variance_ = map(torch.cat, zip(*(part[:2] for part in self._parts(rows)), strict=True))
        return self.shift + self.scale * mean, self.inflation * self.scale * variance_.sqrt()

    def scored(self, rows: Tensor) -> PointwisePosterior:
        """Return the posterior of n rows one by one in standardised units (Rasmussen & Williams 2006, algorithm 2.1).

        Large pools are scored in single precision. The latest many rows and the latest few are remembered.
        """
        if rows.requires_grad:
            return PointwisePosterior(rows, *self._scored(rows, torch.float64))
        large = len(rows) >= _LARGE
        known = self._memory[large].at(rows, self.terms.encoder) if large in self._memory else None
        found = known or PointwisePosterior(rows, *map(torch.cat, zip(*self._parts(rows), strict=True)))
        self._memory[large] = found
        return found

    def _parts(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        dtype = torch.float64 if len(rows) * len(self.rows) <= _EXACT else torch.float32
        for part in rows.split(max(1, _CHUNK // len(self.rows))):
            yield self._scored(part, dtype)

    def _scored(self, rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        cross = self.terms.covariance(rows, self.rows, dtype)
        mean = self.terms.mean(rows) + (cross @ self.factor.weights.to(dtype)).double()
        root = torch.linalg.solve_triangular(self.factor.root.to(dtype).mT, cross, upper=True, left=False)
        left = self.terms.variance(rows) - root.square().sum(dim=1).double()
        return mean, left.clamp_min(_LEAST), root

    @cached_property
    def _memory(self) -> dict[bool, PointwisePosterior]:
        return {}

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the others, of standardised values."""
        return self.factor.evidence

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others, in the metric's unit squared, before the floor."""
        scored = self.scored(rows)
        _, _, root = self._scored(others, scored.root.dtype)  # not remembered, so that the pool's scores stay
        known = self.terms.covariance(rows, others, scored.root.dtype) - scored.root @ root.mT
        return (self.inflation * self.scale) ** 2 * known

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together, in the metric's unit, before the floor."""
        cross = self.terms.covariance(rows, self.rows)
        mean = self.terms.mean(rows) + cross @ self.factor.weights
        explained = torch.linalg.solve_triangular(self.factor.root, cross.mT, upper=False)
        spread = self.terms.covariance(rows, rows) - explained.mT @ explained
        return self.shift + self.scale * mean, (self.inflation * self.scale) ** 2 * spread

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of one measurement of each of n rows, in the metric's unit squared.

        Candidates that were measured several times tell what measurements do not, and where; without any, the fitted
        noise does, which covers cliffs, too.
        """
        excess = self.terms.shape.excess(self.terms.logs)
        if self.uneven is not None:
            known = (self.data.noise - excess) * self.scale**2 - self.uneven.variance(self.rows)
            return self.uneven.variance(rows) + float(known.median().clamp_min(0.0))
        told = float(self.data.noise.median()) - excess
        shown = replicates(self.rows, self.data.targets).pooled
        variance_ = told + excess if shown is None else max(told, shown)
        return torch.full((len(rows),), variance_ * self.scale**2, dtype=torch.float64)

    def model(self) -> SingleTaskGP:
        """Return the same process as a BoTorch model with one output, in the metric's unit, before the floor."""
        scale = self.inflation * self.scale
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", InputDataWarning)  # mean and kernel know the scale of the values
            return SingleTaskGP(
                self.rows,
                self.shift + self.scale * self.data.targets.unsqueeze(-1),
                scale**2 * self.data.noise.unsqueeze(-1),
                covar_module=_ScaledKernel(self.terms, scale),
                mean_module=_ScaledMean(self.terms, self.shift, self.scale),
                outcome_transform=None,
            ).eval()

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps: kind, number of observations, hyper-parameters, and the account."""
        values = dict(zip(self.terms.shape.names, self.terms.logs.exp().tolist(), strict=True))
        return {"kind": "gp", "observations": len(self.rows), "hyper_parameters": values, **self.account}


@dataclass(frozen=True)
class PointwisePosterior:
    """The posterior of n rows one by one, in standardised units.

    Attributes:
        rows: n x d.
        mean: n.
        variance: n.
        root: covariance with the observations times their inverse Cholesky factor, n x observations.
    """

    rows: Tensor
    mean: Tensor
    variance: Tensor
    root: Tensor

    def at(self, rows: Tensor, encoder: Encoder) -> PointwisePosterior | None:
        """Return the posterior of rows that are the same, or that stand at their materials' places here; else None."""
        if torch.equal(self.rows, rows):
            return self
        if encoder.materials is None or len(self.rows) != len(encoder.materials.ids):
            return None
        places = encoder.places(rows)
        if not torch.equal(self.rows[places], rows):
            return None
        return PointwisePosterior(rows, self.mean[places], self.variance[places], self.root[places])


class _ScaledMean(Mean):
    def __init__(self, terms: GPPrior, shift: float, scale: float) -> None:
        super().__init__()
        self._terms, self._shift, self._scale = terms, shift, scale

    def forward(self, rows: Tensor) -> Tensor:
        return self._shift + self._scale * self._terms.mean(rows)


class _ScaledKernel(Kernel):
    def __init__(self, terms: GPPrior, scale: float) -> None:
        super().__init__()
        self._terms, self._scale = terms, scale

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        found = self._terms.variance(x1) if diag else self._terms.covariance(x1, x2)
        return self._scale**2 * found
