"""The posterior of one metric: an exact Gaussian process on material and process parameters.

The kernel is a sum of one on the material, one on the parameters and their product, so that what is learnt of a
material carries over its conditions and the reverse (Swersky, Snoek & Adams 2013, NeurIPS 26; Duvenaud 2014, PhD
thesis, Cambridge, chapter 2).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import torch
from botorch.exceptions.warnings import InputDataWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.transforms.outcome import Standardize
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import Kernel, MaternKernel, ScaleKernel
from gpytorch.means import Mean
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import GammaPrior, LogNormalPrior, NormalPrior
from torch import Tensor

from surrogates.features import Encoder


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


def fit_gp(data: Observations, encoder: Encoder, prior: str | None) -> SingleTaskGP:
    """Fit a metric's Gaussian process by maximum a posteriori.

    Args:
        data: the measurements, with their uncertainties as fixed noise.
        encoder: layout of the rows.
        prior: name of the known number that serves as prior mean, or None.

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
            covar_module=_kernel(encoder),
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


def _mean(encoder: Encoder, prior: str | None) -> Mean:
    if prior is None or encoder.materials is None:
        return OneMean()
    values = encoder.materials.numbers[prior]
    return RegressedPrior(encoder.column(prior), float(values.mean()), float(values.std()) or 1.0)


def _kernel(encoder: Encoder) -> Kernel:
    parameters = list(range(encoder.parameter_columns))
    if encoder.materials is None:
        return _scaled(_process(parameters))
    embedding = list(range(len(parameters), len(parameters) + encoder.embedding_columns))
    return (
        _scaled(_material(embedding))
        + _scaled(_process(parameters))
        + _scaled(_material(embedding) * _process(parameters))
    )


def _material(columns: list[int]) -> Kernel:
    """Return a kernel with one length scale, of the order of the distance between two materials."""
    return MaternKernel(
        nu=2.5,
        active_dims=columns,
        lengthscale_prior=LogNormalPrior(0.0, 0.75),
        lengthscale_constraint=GreaterThan(0.05, initial_value=1.0),
    )


def _process(columns: list[int]) -> Kernel:
    """Return a kernel with one length scale per column, whose prior grows with their number.

    Hvarfner, Hellsten & Nardi 2024, ICML (Vanilla Bayesian optimization performs great in high dimensions).
    """
    centre = 2.0**0.5 + 0.5 * torch.tensor(float(len(columns))).log().item()
    return MaternKernel(
        nu=2.5,
        ard_num_dims=len(columns),
        active_dims=columns,
        lengthscale_prior=LogNormalPrior(centre - 1.0, 1.0),
        lengthscale_constraint=GreaterThan(0.025, initial_value=1.0),
    )


def _scaled(kernel: Kernel) -> Kernel:
    return ScaleKernel(
        kernel,
        outputscale_prior=GammaPrior(2.0, 3.0),
        outputscale_constraint=GreaterThan(1e-4, initial_value=0.5),
    )
