"""A metric's model of the user's own: a BoTorch model that a dotted path names, fitted, checked and asked like ours."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from botorch.exceptions.errors import ModelFittingError
from botorch.exceptions.warnings import BotorchWarning
from botorch.fit import fit_gpytorch_mll
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior, Posterior
from botorch.posteriors.fully_bayesian import GaussianMixturePosterior
from botorch.sampling.get_sampler import get_sampler
from botorch.utils.sampling import manual_seed
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.models import ExactGP
from torch import Tensor

from campaigns.errors import CampaignError, Problem, called
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from surrogates.models.base import MetricModel
from surrogates.models.encoder import Encoder
from surrogates.models.exact_inference import mean_log_density
from surrogates.models.observations import Observations

_SEED = 0  # not tuned: any fixed number, so that the same measurements give the same model
_TOGETHER = 512  # not tuned: rows whose posterior is asked for at once; their covariance stays small
_ROUNDING = 1e-6  # not tuned: share of the variance of the measurements by which rounding may bring one below zero
_NOISELESS = 1e-9  # not tuned: share of a variance that is rounding rather than noise
_SAMPLES = 512  # not tuned: of a posterior that is no Gaussian, for its covariance to a twentieth
_WHAT_NOW = "then go on with 'athanor run'"


@dataclass(frozen=True)
class ModelPath:
    """Where a campaign file names a model.

    Attributes:
        path: package.module:name of a BoTorch model class, or of a function that returns a model.
        where: key path in the campaign file, for errors.
    """

    path: str
    where: str

    def refuse(self, call: str, message: str) -> CampaignError:
        """Return an error that names the key, the path, what was called, and what to do."""
        return CampaignError([Problem(self.where, f"{self.path}{call} {message}; correct it, {_WHAT_NOW}")])

    def called(self, call: str, function: Callable[..., Any], *values: Any, **settings: Any) -> Any:
        """Return what a function of the user's returns.

        Raises:
            CampaignError: it raises something.
        """
        try:
            return called(function, f"{self.path}{call}", self.where, *values, **settings)
        except CampaignError as error:
            problems = [replace(problem, message=f"{problem.message}, {_WHAT_NOW}") for problem in error.problems]
            raise CampaignError(problems) from error


class CustomModel(MetricModel):
    """A BoTorch model of the user's own; where its posterior is no Gaussian, mean and covariance of that are used.

    Args:
        inner: with one output.
        named: what it is called in the campaign file.
        encoder: layout of rows.
        seen: the measurements that it is fitted to.

    Attributes:
        inflation: factor by which its predictions were found to be too sure of themselves.
        converged: whether its fit did.
    """

    def __init__(self, inner: Model, named: ModelPath, encoder: Encoder, seen: Observations) -> None:
        super().__init__()
        self.inner, self._named, self._encoder = inner, named, encoder
        self._count, self._stated = len(seen.values), float(seen.sds.square().median())
        self._least = -_ROUNDING * float(seen.values.var(correction=0))
        self.inflation, self._evidence, self.converged = 1.0, -math.inf, True

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the others, of standardised values; -inf where none is known."""
        return self._evidence

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        found = [self._marginal(part) for part in rows.split(_TOGETHER)]
        mean, variance = map(torch.cat, zip(*found, strict=True))
        return mean, self.inflation * variance.sqrt()

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together."""
        call, posterior = self._ask(rows)
        mean, covariance = self._named.called(call, _moments, posterior)
        self._check(call, "covariance", covariance, (*rows.shape[:-1], rows.shape[-2]))
        self._check_moments(call, mean, covariance.diagonal(dim1=-2, dim2=-1), rows.shape[:-1])
        return _with_gradient(mean, rows), self.inflation**2 * covariance

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        parts = [(len(part), self.joint(torch.cat([part, others]))[1]) for part in rows.split(_TOGETHER)]
        return torch.cat([covariance[:count, count:] for count, covariance in parts])

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows, by the model if it knows any."""
        stated = torch.full((len(rows),), self._stated, dtype=torch.float64)
        try:
            asked = [(part, *self._ask(part, observation_noise=True)) for part in rows.split(_TOGETHER)]
        except CampaignError:  # many models have no noise, and say so
            return stated
        noisy = torch.cat([self._pointwise(*each)[1] for each in asked])
        found = noisy - (self.marginals(rows)[1] / self.inflation).square()
        return found.clamp_min(0.0) if bool((found > _NOISELESS * noisy).any()) else stated

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps."""
        path = self._named.path
        evidence = {} if math.isinf(self.evidence) else {"choice": path, "loo": {path: self.evidence}}
        fit = {} if self.converged else {"fit": "did not converge; hyper-parameters are those that it began with"}
        return {"kind": "custom", "model": path, "observations": self._count, **evidence, **fit}

    def calibrated(self, seen: Observations, inflation: float) -> CustomModel:
        """Return the model with its evidence by leave-one-out, if GPyTorch has that, and with wider intervals."""
        found = self.noted(inflation=inflation)
        if isinstance(self.inner, GPyTorchModel) and isinstance(self.inner, ExactGP) and len(seen.values) > 1:
            found._evidence = _leave_one_out(self.inner, seen)
        return found

    def rehearse(self, rows: Tensor, gradient: bool) -> None:
        """Ask the model for all that a campaign will ask it for.

        Args:
            rows: n x d, an even number of at least four.
            gradient: whether the campaign follows gradients.

        Raises:
            CampaignError: what it answers cannot be used.
        """
        self.marginals(rows)
        self.noise(rows)
        self.joint(rows.reshape(2, -1, rows.shape[-1]))
        call, (_, covariance) = _call(rows), self.joint(rows)
        least = float(torch.linalg.eigvalsh(covariance).min()) / self.inflation**2
        if least < len(rows) * self._least or not torch.allclose(covariance, covariance.mT):
            raise self._named.refuse(
                call, f"gave a covariance that is none: its least eigenvalue is {least:.3g}; needed: zero or more"
            )
        if gradient:
            asked = rows.clone().requires_grad_()
            mean, covariance = self.joint(asked)
            slopes = torch.autograd.grad(mean.sum() + covariance.sum(), asked)[0]
            self._check(f"{call}, its gradient by X,", "gradient", slopes, rows.shape)

    def _marginal(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        mean, variance = self._pointwise(rows, *self._ask(rows))
        return _with_gradient(mean, rows), variance

    def _pointwise(self, rows: Tensor, call: str, posterior: Posterior) -> tuple[Tensor, Tensor]:
        """Return mean and variance, n and n, of a posterior of n rows."""
        mean, variance = self._named.called(call, _by_point, posterior)
        for what, found in (("mean", mean), ("variance", variance)):
            self._check(call, what, found, (*rows.shape[:-1], 1))
        self._check_moments(call, mean.squeeze(-1), variance.squeeze(-1), rows.shape[:-1])
        return mean.squeeze(-1), variance.squeeze(-1).clamp_min(0.0)

    def _ask(self, rows: Tensor, **how: Any) -> tuple[str, Posterior]:
        """Return what was called, in words, and the posterior of rows."""
        inputs = model_inputs(self._encoder, rows)
        call = _call(inputs, **how)
        found = self._named.called(call, self.inner.posterior, inputs, **how)
        if not isinstance(found, Posterior):
            raise self._named.refuse(call, f"gave a {type(found).__name__}; needed: a botorch.posteriors.Posterior")
        return call, found

    def _check_moments(self, call: str, mean: Tensor, variance: Tensor, shape: Sequence[int]) -> None:
        """Check the moments of rows one by one.

        Raises:
            CampaignError: one has another shape or is no finite number, or a variance is negative.
        """
        self._check(call, "mean", mean, shape)
        self._check(call, "variance", variance, shape)
        if variance.numel() and float(least := variance.detach().min()) < self._least:
            raise self._named.refuse(call, f"gave a variance of {float(least):.3g}; needed: zero or more")

    def _check(self, call: str, what: str, found: Tensor, shape: Sequence[int]) -> None:
        """Check numbers.

        Raises:
            CampaignError: they have another shape, or are no finite numbers.
        """
        if tuple(found.shape) != tuple(shape):
            raise self._named.refuse(call, f"gave a {what} of {_size(found.shape)}; needed: {_size(shape)}")
        if not bool((finite := torch.isfinite(found)).all()):
            count = int((~finite).sum())
            raise self._named.refuse(
                call, f"gave a {what} of which {count} of {found.numel()} are not finite; needed: finite numbers"
            )


def fit_custom_model(named: ModelPath, encoder: Encoder, seen: Observations, inflation: float = 1.0) -> CustomModel:
    """Return a model of the user's own that is fitted to measurements.

    It is called with train_X, n x d (``model_inputs``), train_Y, n x 1, and train_Yvar, n x 1, in the metric's unit. A
    model of GPyTorch that comes back in training mode, as its initialiser leaves it, is fitted with
    ``fit_gpytorch_mll``; any other is used as it is.

    Args:
        named: where the campaign file names it.
        encoder: layout of rows.
        seen: at least one measurement, in the order in which they came.
        inflation: factor by which its predictions were found to be too sure of themselves.

    Raises:
        CampaignError: it cannot be loaded, raises something, is no model with one output, or predicts nothing finite.
    """
    make = load_object(named.path, named.where, Use.MODEL)
    data = model_inputs(encoder, seen.rows), seen.values.unsqueeze(-1), seen.sds.square().unsqueeze(-1)
    x, y, variances = (_size(each.shape) for each in data)
    call = f"(train_X of {x}, train_Y of {y}, train_Yvar of {variances})"
    with warnings.catch_warnings(), manual_seed(_SEED):
        warnings.simplefilter("ignore", BotorchWarning)
        inner = named.called(call, make, *data)
        if not isinstance(inner, Model):
            raise named.refuse(call, f"gave a {type(inner).__name__}; needed: a botorch.models.model.Model")
        if (count := named.called(".num_outputs", lambda: inner.num_outputs)) != 1:
            raise named.refuse(call, f"gave a model with {count} outputs; needed: one, the metric")
        converged = _fit(inner, named)
        found = CustomModel(inner.eval().requires_grad_(False), named, encoder, seen).noted(converged=converged)
        found.marginals(seen.rows)
        return found.calibrated(seen, inflation)


def _fit(inner: Model, named: ModelPath) -> bool:
    """Fit a model of GPyTorch in training mode; return whether it, or any other model, is what it was meant to be.

    A run at night does not end because an optimiser did not converge: the hyper-parameters stay where they began.
    """
    if inner.training and isinstance(inner, GPyTorchModel) and isinstance(inner, ExactGP):
        likelihood = ExactMarginalLogLikelihood(inner.likelihood, inner)

        def fitted() -> bool:
            try:
                fit_gpytorch_mll(likelihood)
            except ModelFittingError:
                return False
            return True

        return named.called(", fitted by fit_gpytorch_mll,", fitted)
    return True


def model_inputs(encoder: Encoder, rows: Tensor) -> Tensor:
    """Return what a model of the user's own sees of rows, b x q x d: the parameters, then the material's first view.

    A place in the pool tells nothing by itself; the view is that of the first of ``surrogate.features``.
    """
    if encoder.materials is None:
        return rows
    view = torch.from_numpy(next(iter(encoder.materials.views.values())))
    return torch.cat([rows[..., : encoder.parameter_columns], view[torch.from_numpy(encoder.places(rows))]], dim=-1)


def _with_gradient(mean: Tensor, rows: Tensor) -> Tensor:
    """Return a mean that has a gradient along rows, if these ask for one: zero where the model is not of torch."""
    return mean + 0.0 * rows.sum(dim=-1) if rows.requires_grad and not mean.requires_grad else mean


def _call(inputs: Tensor, **how: Any) -> str:
    """Return in words that a posterior was asked for."""
    further = "".join(f", {name}={value}" for name, value in how.items())
    return f", posterior(X of {_size(inputs.shape)}{further})"


def _size(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape))


def _by_point(posterior: Posterior) -> tuple[Tensor, Tensor]:
    """Return mean and variance, b x q x 1, of a posterior; of samples where it tells neither."""
    try:
        return posterior.mean, posterior.variance
    except NotImplementedError:
        drawn = _samples(posterior)
        return drawn.mean(dim=0), drawn.var(dim=0)


def _moments(posterior: Posterior) -> tuple[Tensor, Tensor]:
    """Return mean, b x q, and covariance, b x q x q, of a posterior; correlations by samples unless it is Gaussian."""
    if isinstance(posterior, GPyTorchPosterior):
        mean, covariance = posterior.distribution.mean, posterior.distribution.covariance_matrix
        if not isinstance(posterior, GaussianMixturePosterior):
            return mean, covariance
        deviations = mean - mean.mean(dim=-2, keepdim=True)  # the members stand before the last dimension
        return mean.mean(dim=-2), covariance.mean(dim=-3) + deviations.mT @ deviations / mean.shape[-2]
    mean, variance = (each.squeeze(-1) for each in _by_point(posterior))
    drawn = _samples(posterior).squeeze(-1).movedim(0, -2)
    deviations = drawn - drawn.mean(dim=-2, keepdim=True)
    correlated = torch.nn.functional.normalize(deviations, dim=-2) * variance.clamp_min(0.0).sqrt().unsqueeze(-2)
    return mean, correlated.mT @ correlated


def _samples(posterior: Posterior) -> Tensor:
    """Return samples, s x b x q x 1, the same ones each time."""
    drawn: Tensor = get_sampler(posterior, torch.Size([_SAMPLES]), seed=_SEED)(posterior)
    return drawn


def _leave_one_out(inner: GPyTorchModel, seen: Observations) -> float:
    """Return the mean log density of each measurement by the others, of standardised values; -inf if it has none."""
    from botorch.cross_validation import loo_cv  # only a campaign with a model of its own needs it

    scale = float(seen.values.std(correction=0)) or 1.0
    try:
        posterior = loo_cv(inner).posterior
        found = mean_log_density(
            seen.values / scale, posterior.mean.flatten() / scale, posterior.variance.flatten() / scale**2
        )
    except Exception:  # noqa: BLE001 - whatever a model of somebody else's does: the log has no evidence then
        return -math.inf
    return found if math.isfinite(found) else -math.inf
