"""The posterior of one metric: an exact Gaussian process on material and process parameters.

The kernel is a sum of one on the material, one on the parameters and their product, so that what is learnt of a
material carries over its conditions and the reverse (Swersky, Snoek & Adams 2013, NeurIPS 26; Duvenaud 2014, PhD
thesis, Cambridge, chapter 2).
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Any

import torch
from botorch.exceptions.warnings import InputDataWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel
from gpytorch.means import Mean
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior, LogNormalPrior, NormalPrior
from gpytorch.priors import Prior as Density
from torch import Tensor

from surrogates.posterior.encoder import Encoder


@dataclass(frozen=True)
class Prior:
    """What is known of a metric beforehand.

    Attributes:
        number: name of the known number of the material.
        factor: whether the metric is a share of it, so that the uncertainty grows with it, rather than lies about it.
    """

    number: str
    factor: bool = False


@dataclass(frozen=True)
class Observations:
    """What was measured of one metric.

    Attributes:
        rows: n x d, see Encoder.
        values: n, in the metric's unit.
        sds: n, standard uncertainties in the same unit.
    """

    rows: Tensor
    values: Tensor
    sds: Tensor


class RegressedPrior(Mean):
    """A prior mean ``offset + slope * prior``, both learnt; a useless prior gets a slope near zero.

    Args:
        column: column of the row that holds the prior.
        centre, spread: mean and standard deviation of the prior over the pool.
    """

    def __init__(self, column: int, centre: float, spread: float) -> None:
        super().__init__()
        self._column, self._centre, self._spread = column, centre, spread
        self.register_parameter("offset", torch.nn.Parameter(torch.zeros(())))
        self.register_parameter("slope", torch.nn.Parameter(torch.full((), 0.5)))
        self.register_prior("slope_prior", NormalPrior(0.5, 0.5), "slope")

    def forward(self, rows: Tensor) -> Tensor:
        """Return the prior mean, batch x n, of rows, batch x n x d."""
        return self.offset + self.slope * (rows[..., self._column] - self._centre) / self._spread


class OneMean(Mean):
    """A learnt constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_parameter("offset", torch.nn.Parameter(torch.zeros(())))

    def forward(self, rows: Tensor) -> Tensor:
        """Return the constant, batch x n, for rows, batch x n x d."""
        return self.offset.expand(rows.shape[:-1])


class CandidateKernel(Kernel):
    """The sum of a kernel on the material, one on the parameters, and their product, each with a scale of its own.

    All are Matérn 5/2. The material has one length scale, of the order of the distance between two materials; each
    parameter has its own, with a prior that grows with their number (Hvarfner, Hellsten & Nardi 2024, ICML 41). Without
    materials only the kernel on the parameters is left. One flat kernel: nested ones take several times as long.

    Args:
        process: columns of the parameters.
        material: columns of the embedding; empty without materials.
    """

    def __init__(self, process: slice, material: slice) -> None:
        super().__init__()
        self._process, self._material = process, material
        dimensions = process.stop - process.start
        centre = 2.0**0.5 + 0.5 * math.log(dimensions)
        self._add("process_lengthscale", dimensions, (0.025, 1.0), LogNormalPrior(centre - 1.0, 1.0))
        self._add("process_scale", 1, (1e-4, 0.5), GammaPrior(2.0, 3.0))
        if material.stop > material.start:
            self._add("material_lengthscale", 1, (0.05, 1.0), LogNormalPrior(0.0, 0.75))
            self._add("material_scale", 1, (1e-4, 0.5), GammaPrior(2.0, 3.0))
            self._add("product_scale", 1, (1e-4, 0.5), GammaPrior(2.0, 3.0))

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Return the covariance of rows x1, batch x n x d, and x2, batch x m x d: batch x n x m, or its diagonal."""
        scales = [self._value(name) for name in ("process_scale", "material_scale", "product_scale")]
        process, material, product = scales
        if diag:
            return (process + material + product).expand(x1.shape[:-1])
        lengths = self._value("process_lengthscale")
        along = _matern(torch.cdist(x1[..., self._process] / lengths, x2[..., self._process] / lengths))
        if self._material.stop == self._material.start:
            return process * along
        distance = torch.cdist(x1[..., self._material], x2[..., self._material])
        across = _matern(distance / self._value("material_lengthscale"))
        return process * along + material * across + product * along * across

    def _add(self, name: str, size: int, bounds: tuple[float, float], prior: Density) -> None:
        """Register a positive hyper-parameter with (lower bound, initial value) and prior."""
        lowest, initial = bounds
        constraint = GreaterThan(lowest)
        raw = constraint.inverse_transform(torch.full((size,), initial, dtype=torch.float64))
        self.register_parameter(f"raw_{name}", torch.nn.Parameter(raw))
        self.register_constraint(f"raw_{name}", constraint)
        self.register_prior(f"{name}_prior", prior, lambda module: module._value(name))

    def _value(self, name: str) -> Tensor:
        raw = getattr(self, f"raw_{name}", None)
        if raw is None:
            return torch.zeros(1, dtype=torch.float64)
        return getattr(self, f"raw_{name}_constraint").transform(raw)


class AmplitudeKernel(Kernel):
    """A kernel whose standard deviation is proportional to a known number of the material.

    If y = number * share and the share is a Gaussian process, then y is one with this kernel.

    Args:
        base: kernel of the share.
        column: column of the row that holds the number.
        reference: the number at which the standard deviation is that of ``base``.
    """

    def __init__(self, base: Kernel, column: int, reference: float) -> None:
        super().__init__()
        self.base = base
        self._column, self._reference = column, reference

    def forward(self, x1: Tensor, x2: Tensor, diag: bool = False, **_: Any) -> Tensor:
        """Return the covariance of rows x1, batch x n x d, and x2, batch x m x d: batch x n x m, or its diagonal."""
        left, right = (x[..., self._column] / self._reference for x in (x1, x2))
        if diag:
            return left * right * self.base.forward(x1, x2, diag=True)
        return left.unsqueeze(-1) * self.base.forward(x1, x2) * right.unsqueeze(-2)


def _matern(distance: Tensor) -> Tensor:
    """Return the Matérn 5/2 correlation at a scaled distance (Rasmussen & Williams 2006, equation 4.17)."""
    root = math.sqrt(5.0) * distance
    return (1.0 + root + root.square() / 3.0) * torch.exp(-root)


def fit_gp(data: Observations, encoder: Encoder, prior: Prior | None) -> SingleTaskGP:
    """Fit a metric's Gaussian process by maximum a posteriori.

    Args:
        data: the measurements, with their uncertainties as fixed noise.
        encoder: layout of the rows.
        prior: what serves as prior mean, or None.

    Returns:
        A BoTorch model with one output, in the metric's unit.
    """
    spread = data.values.std()
    floor = 1.1e-3 * (spread if spread > 1e-8 else torch.ones_like(spread))  # below, Cholesky factors are unreliable
    with warnings.catch_warnings():
        # Rows hold known numbers in their own units beside the unit cube; kernels see only the scaled columns.
        warnings.simplefilter("ignore", InputDataWarning)
        model = SingleTaskGP(
            data.rows,
            data.values.unsqueeze(-1),
            data.sds.clamp_min(floor).square().unsqueeze(-1),
            covar_module=_kernel(encoder, prior),
            mean_module=_mean(encoder, prior),
            outcome_transform=Standardize(1),
        )
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def marginals(model: SingleTaskGP, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Return the posterior mean and standard deviation, n and n, of n rows one by one, in the metric's unit.

    Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, algorithm 2.1; a BoTorch posterior would form
    the covariance of the rows with each other.
    """
    model.eval()
    with torch.no_grad():
        seen = model.train_inputs[0]
        noise = model.likelihood.noise.expand(len(seen))
        factor = torch.linalg.cholesky(model.covar_module(seen).to_dense() + torch.diag(noise))
        cross = model.covar_module(rows, seen).to_dense()
        residual = (model.train_targets - model.mean_module(seen)).unsqueeze(-1)
        mean = model.mean_module(rows) + (cross @ torch.cholesky_solve(residual, factor)).squeeze(-1)
        explained = torch.linalg.solve_triangular(factor, cross.T, upper=False).square().sum(dim=0)
        variance = (model.covar_module(rows, diag=True) - explained).clamp_min(1e-12)
        scale, shift = model.outcome_transform.stdvs.squeeze(), model.outcome_transform.means.squeeze()
        return mean * scale + shift, variance.sqrt() * scale


def describe_gp(model: SingleTaskGP) -> dict[str, Any]:
    """Return the number of observations and the hyper-parameters, in standardised units."""
    parameters = {name: p.detach().flatten().tolist() for name, p in _constrained(model)}
    return {"kind": "gp", "observations": int(model.train_targets.shape[-1]), "hyper_parameters": parameters}


def _constrained(model: SingleTaskGP) -> list[tuple[str, Tensor]]:
    named = [
        (name.removeprefix("model.").replace("raw_", ""), p if constraint is None else constraint.transform(p))
        for name, p, constraint in model.named_parameters_and_constraints()
    ]
    return sorted(named, key=lambda pair: pair[0])


def _mean(encoder: Encoder, prior: Prior | None) -> Mean:
    if prior is None or encoder.materials is None:
        return OneMean()
    values = encoder.materials.numbers[prior.number]
    return RegressedPrior(encoder.column(prior.number), float(values.mean()), float(values.std()) or 1.0)


def _kernel(encoder: Encoder, prior: Prior | None) -> Kernel:
    first = encoder.parameter_columns
    kernel = CandidateKernel(slice(0, first), slice(first, first + encoder.embedding_columns))
    if prior is None or encoder.materials is None or not prior.factor:
        return kernel
    return AmplitudeKernel(kernel, encoder.column(prior.number), float(encoder.materials.numbers[prior.number].mean()))
