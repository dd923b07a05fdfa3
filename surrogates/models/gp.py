"""The posterior of one metric: an exact Gaussian process on the views of the material and the process parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import torch
from botorch.exceptions.errors import UnsupportedError
from botorch.models.gpytorch import GPyTorchModel
from botorch.models.model import FantasizeMixin
from botorch.models.transforms.outcome import OutcomeTransform
from botorch.posteriors import GPyTorchPosterior, Posterior
from botorch.sampling import MCSampler
from gpytorch.distributions import MultivariateNormal
from gpytorch.likelihoods import FixedNoiseGaussianLikelihood
from gpytorch.models import ExactGP
from torch import Tensor

from surrogates.models.base import MetricModel, in_parts
from surrogates.models.encoder import Encoder
from surrogates.models.exact_inference import Data, Factor, factorise
from surrogates.models.kernel import add_hyper_parameter, normal_priors
from surrogates.models.kernel_spec import NOISE
from surrogates.models.means import MetricMean, PriorMean
from surrogates.models.problem import FittedKernel
from surrogates.models.replicates import replicates

# Not tuned: sizes that bound time and memory.
_EXACT = 400_000  # pairs of rows up to which a pool is scored in double precision
_LARGE = 512  # rows of a pool, as against those of a few candidates
_FULLY = 8192  # rows of which more than mean and variance is cached
_LEAST = 1e-9  # not tuned: variance that rounding may leave, in standardised units
_QUIETEST = 1e-6  # variance of noise below which GPyTorch warns


class NoiseModel(Protocol):
    """What measurements have of noise beyond what they tell of, where it depends on what is measured."""

    def variance(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of one measurement of each of n rows, in the metric's unit squared."""
        ...


class MetricUnits(OutcomeTransform):
    """From standardised units to the metric's: value = shift + scale * target.

    Args:
        shift, scale: in the metric's unit.
        floor: the metric is the larger of this and the process; None without a floor.
        inflation: factor by which predictions were found to be too sure of themselves.
    """

    _is_linear = True  # tells BoTorch that posteriors stay Gaussian

    def __init__(
        self, shift: float = 0.0, scale: float = 1.0, floor: float | None = None, inflation: float = 1.0
    ) -> None:
        super().__init__()
        self.shift, self.scale, self.floor, self.inflation = shift, scale, floor, inflation

    def forward(
        self,
        Y: Tensor,
        Yvar: Tensor | None = None,
        X: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor | None]:
        """Return values and variances in standardised units."""
        return (Y - self.shift) / self.scale, None if Yvar is None else Yvar / self.scale**2

    def untransform(
        self,
        Y: Tensor,
        Yvar: Tensor | None = None,
        X: Tensor | None = None,  # noqa: ARG002
    ) -> tuple[Tensor, Tensor | None]:
        """Return values and variances in the metric's unit."""
        return self.shift + self.scale * Y, None if Yvar is None else Yvar * self.scale**2

    def untransform_posterior(self, posterior: Posterior, X: Tensor | None = None) -> GPyTorchPosterior:  # noqa: ARG002
        """Return a posterior in the metric's unit."""
        latent = posterior.distribution
        covariance = latent.lazy_covariance_matrix * (self.inflation * self.scale) ** 2
        return GPyTorchPosterior(MultivariateNormal(self.shift + self.scale * latent.mean, covariance))


class MetricGP(MetricModel, ExactGP, GPyTorchModel, FantasizeMixin):
    """An exact Gaussian process that is fitted to the measurements of a metric.

    It is a BoTorch model as ``SingleTaskGP`` is one: ``mean_module``, ``covar_module``, ``likelihood`` and
    ``outcome_transform`` say all, and fitting it anew by ``fit_gpytorch_mll`` is possible. What it says of rows follows
    from one factorised covariance.

    Args:
        fitted: kernel, hyper-parameters and standardised measurements.
        rows: n x d, where the metric was measured.
        units: of the metric.

    Attributes:
        account: how it came about, for the log: candidates and their evidence, slope of the prior, views.
        heteroscedastic: noise that depends on the row, a part of that of the data; None where one noise is as likely.
    """

    def __init__(self, fitted: FittedKernel, rows: Tensor, units: MetricUnits) -> None:
        ExactGP.__init__(self, rows, fitted.data.targets, _likelihood(fitted))
        self.rows, self._data, self._factor = rows, fitted.data, fitted.factor
        self.covar_module, self.mean_module = fitted.kernel, MetricMean(fitted.kernel.encoder, fitted.prior)
        self.outcome_transform = units
        self.account: Mapping[str, Any] = {}
        self.heteroscedastic: NoiseModel | None = None
        self._conditioned = False
        self.eval()
        self._outdated = False  # whether hyper-parameters may be others than those that were factorised with

    @property
    def batch_shape(self) -> torch.Size:
        """Empty; after ``condition_on_observations``, that of the values, so f for f fantasies."""
        return self.train_inputs[0].shape[:-2]

    @property
    def data(self) -> Data:
        """The standardised measurements that it was fitted to, with the noise that they do not tell of."""
        self._update()
        return self._data

    @property
    def factor(self) -> Factor:
        """The factorised covariance of the measurements.

        Raises:
            UnsupportedError: after ``condition_on_observations``, where it is that of the first measurements alone.
        """
        if self._conditioned:
            raise UnsupportedError(
                "a MetricGP with further measurements has its posterior alone: ask posterior(X) for mean, variance and "
                "covariance, or fit it anew with all measurements by fit_gp"
            )
        self._update()
        return self._factor

    @property
    def shift(self) -> float:
        """What is zero in standardised units, in the metric's unit."""
        return self.outcome_transform.shift

    @property
    def scale(self) -> float:
        """What is one in standardised units, in the metric's unit."""
        return self.outcome_transform.scale

    @property
    def floor(self) -> float | None:
        """The value below which the metric never falls; None without one."""
        return self.outcome_transform.floor

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the others, of standardised values."""
        return self.factor.evidence

    @property
    def prior(self) -> PriorMean | None:
        """What serves as prior mean; None without any."""
        return self.covar_module.prior

    @property
    def excess(self) -> float:
        """The variance of the noise that measurements do not tell of, in standardised units."""
        noise = self.likelihood.second_noise_covar
        return 0.0 if noise is None else float(noise.noise.detach())

    def forward(self, rows: Tensor) -> MultivariateNormal:
        """Return the prior of rows, b x q x d, in standardised units."""
        return MultivariateNormal(self.mean_module(rows), self.covar_module(rows))

    def moments(self, rows: Tensor, constant: int = 0) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of rows, b x q x d; see ``MetricModel``.

        After ``condition_on_observations``, GPyTorch gives them, as there may be many sets of measurements.
        """
        if not self._conditioned:
            return super().moments(rows, constant)
        found = GPyTorchModel.posterior(self, rows).distribution
        return found.mean, found.covariance_matrix

    def condition_on_observations(self, X: Tensor, Y: Tensor, noise: Tensor | None = None, **kwargs: Any) -> MetricGP:
        """Return the model with further measurements, at the same hyper-parameters; only its posterior may be asked.

        Args:
            X: rows, b x m x d.
            Y: values, f x b x m x 1, in the metric's unit.
            noise: their variances, of the shape of Y or b x m x 1, in the metric's unit squared; by default, those of
                one measurement. No variance is below that of the noise which measurements do not tell of.
            kwargs: passed on to GPyTorch.
        """
        if self.prediction_strategy is None:
            with torch.no_grad():
                self(self.rows[:1])  # fills what GPyTorch extends
        noise = self._each(self.noise, X).unsqueeze(-1) if noise is None else noise
        stated = (noise / self.scale**2 - self.excess).clamp_min(_QUIETEST)  # the likelihood adds the rest
        found: MetricGP = GPyTorchModel.condition_on_observations(self, X, Y, stated, **kwargs)
        found._conditioned = True
        found._cache.clear()
        return found

    def fantasize(
        self, X: Tensor, sampler: MCSampler, observation_noise: Tensor | None = None, **kwargs: Any
    ) -> MetricGP:
        """Return the model with samples of what may be measured at rows; see BoTorch's ``FantasizeMixin``.

        Args:
            X: rows, b x m x d.
            sampler: of f samples.
            observation_noise: variances of the measurements, b x m x 1, in the metric's unit squared; by default,
                those of one measurement.
            kwargs: passed on to ``condition_on_observations``.
        """
        noise = self._each(self.noise, X).unsqueeze(-1) if observation_noise is None else observation_noise
        found: MetricGP = FantasizeMixin.fantasize(self, X, sampler, noise, **kwargs)
        return found

    def load_state_dict(
        self,
        state_dict: Mapping[str, Any],
        strict: bool = True,
        keep_transforms: bool = True,  # noqa: ARG002 - a state has no units
        assign: bool = False,
    ) -> None:
        """Take hyper-parameters over; measurements and units are no part of a state."""
        GPyTorchModel.load_state_dict(self, state_dict, strict, keep_transforms=False, assign=assign)

    def set_train_data(self, *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        """Refuse: noise, censoring and standard units are those of the measurements that it was fitted to.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError(
            "a MetricGP keeps the measurements that it was fitted to; fit it anew with others by fit_gp, or add some "
            "by condition_on_observations"
        )

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one, in the metric's unit, before the floor."""
        if len(rows) <= _FULLY or rows.requires_grad:
            found = self.scored(rows)
            mean, variance = found.mean, found.variance
        else:
            mean, variance = map(torch.cat, zip(*(part[:2] for part in self._parts(rows)), strict=True))
        return self.shift + self.scale * mean, self.sd_unit * variance.sqrt()

    def scored(self, rows: Tensor) -> PointwisePosterior:
        """Return the posterior of n rows one by one in standardised units (Rasmussen & Williams 2006, algorithm 2.1).

        Large pools are scored in single precision. The latest many rows and the latest few are cached.
        """
        if rows.requires_grad:
            return PointwisePosterior(rows, *self._scored(rows, torch.float64))
        large = len(rows) >= _LARGE
        cached = self._cache[large].at(rows, self.covar_module.encoder) if large in self._cache else None
        if cached is None:  # a copy of the rows, as whoever asks may change them in place
            cached = PointwisePosterior(rows.clone(), *map(torch.cat, zip(*self._parts(rows), strict=True)))
        self._cache[large] = cached
        return cached

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others, in the metric's unit squared, before the floor."""
        scored = self.scored(rows)
        _, _, root = self._scored(others, scored.root.dtype)  # not cached, so that the pool's scores stay
        covariance = self.covar_module.between(rows, others, scored.root.dtype) - scored.root @ root.mT
        return self.sd_unit**2 * covariance

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together, in the metric's unit, before the floor."""
        cross = self.covar_module.between(rows, self.rows)
        mean = self.mean_module(rows) + cross @ self.factor.weights
        explained = torch.linalg.solve_triangular(self.factor.root, cross.mT, upper=False)
        spread = self.covar_module.between(rows, rows) - explained.mT @ explained
        return self.shift + self.scale * mean, self.sd_unit**2 * spread

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of one measurement of each of n rows, in the metric's unit squared.

        Candidates that were measured several times tell what measurements do not, and where; without any, the fitted
        noise does, which covers cliffs, too.
        """
        if self.heteroscedastic is not None:
            further = (self.data.noise - self.excess) * self.scale**2 - self.heteroscedastic.variance(self.rows)
            return self.heteroscedastic.variance(rows) + float(further.median().clamp_min(0.0))
        stated = float(self.data.noise.median()) - self.excess
        shown = replicates(self.rows, self.data.targets).pooled
        variance = stated + self.excess if shown is None else max(stated, shown)
        return torch.full((len(rows),), variance * self.scale**2, dtype=torch.float64)

    def describe(self) -> dict[str, Any]:
        """Return what the log keeps: kind, number of observations, hyper-parameters, and the account."""
        spec = self.covar_module.spec
        found = [*self.covar_module.logs.exp().tolist(), *([] if spec.views else [self.excess])]
        values = dict(zip(spec.names, found, strict=True))
        return {"kind": "gp", "observations": len(self.rows), "hyper_parameters": values, **self.account}

    @property
    def sd_unit(self) -> float:
        """What a standard deviation of one in standardised units is in the metric's unit."""
        return self.outcome_transform.inflation * self.scale

    def _clear_cache(self) -> None:
        """Forget what follows from the hyper-parameters; GPyTorch asks for it before these are fitted or loaded."""
        super()._clear_cache()
        self._cache.clear()
        self._outdated = True

    @torch.no_grad()
    def _update(self) -> None:
        """Work out anew what follows from the hyper-parameters, if these may have changed."""
        if self._outdated:
            noise = self.likelihood.noise
            first = noise.reshape(-1, noise.shape[-1])[0, : len(self.rows)]  # after these come further measurements
            self._data = replace(self._data, noise=first)
            if not self._conditioned:
                self._factor = factorise(self.covar_module.at(self._data.parts), self._data)
            self._outdated = False

    def _parts(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        dtype = torch.float64 if len(rows) * len(self.rows) <= _EXACT else torch.float32
        for part in in_parts(rows, len(self.rows)):
            yield self._scored(part, dtype)

    def _scored(self, rows: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor]:
        cross = self.covar_module.between(rows, self.rows, dtype)
        mean = self.mean_module(rows) + (cross @ self.factor.weights.to(dtype)).double()
        root = torch.linalg.solve_triangular(self.factor.root.to(dtype).mT, cross, upper=True, left=False)
        left = self.covar_module.diagonal(rows) - root.square().sum(dim=1).double()
        return mean, left.clamp_min(_LEAST), root

    @cached_property
    def _cache(self) -> dict[bool, PointwisePosterior]:
        return {}


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
        return PointwisePosterior(rows.clone(), self.mean[places], self.variance[places], self.root[places])


def _likelihood(fitted: FittedKernel) -> FixedNoiseGaussianLikelihood:
    """Return the noise of the measurements, and the noise that they do not tell of where there are no materials."""
    excess = fitted.excess
    stated = (fitted.data.noise - excess).clamp_min(_QUIETEST)
    found = FixedNoiseGaussianLikelihood(stated, learn_additional_noise=not fitted.spec.views)
    if not fitted.spec.views:
        further = found.second_noise_covar
        del further.raw_noise
        add_hyper_parameter(further, NOISE, fitted.logs[-1:], normal_priors(fitted.spec)[NOISE])
    return found
