"""What every model of a metric is: a BoTorch model with one output, in the metric's unit and before its floor."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from copy import copy
from functools import cached_property
from typing import Any, NoReturn, Self

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior, Posterior
from botorch.sampling import MCSampler
from botorch.sampling.pathwise.posterior_samplers import DrawMatheronPaths
from botorch.sampling.pathwise.prior_samplers import DrawKernelFeaturePaths
from gpytorch.distributions import MultivariateNormal
from linear_operator import to_linear_operator
from torch import Tensor

# Not tuned: small beside any variance, and large beside rounding.
_EXPECTED = 1e-4  # variance of an expectation that stands for a measurement, as a share of the mean variance there
_LEAST = 1e-9  # variance that rounding may leave, as a share of the largest
_PAIRS = 200_000  # not tuned: pairs of rows worked on at once; they stay in a core's cache


class SingleOutputModel(Model):
    """A BoTorch model of one metric, which is fitted anew to all measurements as these become more."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Tell BoTorch that sample paths are not drawn from this class."""
        super().__init_subclass__(**kwargs)
        for drawn in (DrawMatheronPaths, DrawKernelFeaturePaths):
            drawn.register(cls)(_refuse_paths)

    @property
    def num_outputs(self) -> int:
        """One: the metric."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: there is one model."""
        return torch.Size()

    def subset_output(self, idcs: list[int]) -> Self:
        """Return the model of the metric.

        Raises:
            UnsupportedError: another output than the first is asked for.
        """
        if any(place not in (0, -1) for place in idcs):
            raise UnsupportedError(f"a model of one metric has output 0 alone, got outputs {list(idcs)}")
        return self

    def condition_on_observations(self, X: Tensor, Y: Tensor, **kwargs: Any) -> Model:  # noqa: ARG002
        """Refuse, unless a subclass can.

        Raises:
            UnsupportedError: always.
        """
        raise self._refusal()

    def fantasize(self, X: Tensor, sampler: MCSampler, **kwargs: Any) -> Model:  # noqa: ARG002
        """Refuse, unless a subclass can: the model would have to learn from samples.

        Raises:
            UnsupportedError: always.
        """
        raise self._refusal()

    def _apply(self, fn: Callable[[Tensor], Tensor], *args: Any, **kwargs: Any) -> Self:
        """Convert or move parameters, but not to another precision or device: measurements stay where they are.

        Raises:
            UnsupportedError: they would leave double precision or this device, as by ``float()`` or ``to``.
        """
        asked = fn(torch.zeros((), dtype=torch.float64))
        if asked.dtype != torch.float64 or asked.device.type != "cpu":
            raise UnsupportedError(
                f"{type(self).__name__} works in torch.float64 on the CPU alone, got {asked.dtype} on "
                f"{asked.device.type}; convert what its posterior gives instead"
            )
        found: Self = super()._apply(fn, *args, **kwargs)
        return found

    def _refusal(self) -> UnsupportedError:
        return UnsupportedError(
            f"{type(self).__name__} does not learn from single observations; fit it anew with them, or wrap it in "
            "Fantasized (before any transform) to have uncertainty shrink where measurements are pending"
        )


def _refuse_paths(model: Model, **_: Any) -> NoReturn:
    """Refuse to draw sample paths (``draw_matheron_paths``, ``PathwiseThompsonSampling``).

    BoTorch draws their prior from random Fourier features of a kernel; ours have none, as neither constants nor prior
    means, views of materials, warped inputs and averages with trees are stationary.

    Raises:
        UnsupportedError: always.
    """
    raise UnsupportedError(
        f"{type(model).__name__} has no random features to draw sample paths from (draw_matheron_paths, "
        "PathwiseThompsonSampling); draw samples of rows by posterior(X).rsample, and choose among candidates by "
        "botorch.generation.MaxPosteriorSampling"
    )


class MetricModel(SingleOutputModel):
    """A metric's posterior.

    Subclasses give the moments of rows (``Encoder``) as ``marginals``, ``joint`` and ``cross``. ``posterior`` asks for
    no more of them than the shape of its rows needs.
    """

    @property
    @abstractmethod
    def evidence(self) -> float:
        """The mean log density of each measurement by the others, of standardised values."""

    @abstractmethod
    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one, n x d."""

    @abstractmethod
    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together, b x q x d; b may be missing."""

    @abstractmethod
    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows, n x d, with a few others, q x d."""

    @abstractmethod
    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows, n x d."""

    @abstractmethod
    def describe(self) -> Mapping[str, Any]:
        """Return what the log keeps."""

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """Return the posterior of q rows together, b x q x d or q x d.

        Rows one by one (b x 1 x d) are scored as a pool is. What the first rows are in all of a batch, as BoTorch's
        noisy acquisition functions have their baseline and pending candidates there, is worked out once.

        Args:
            X: rows; there is a gradient along the parameters, and none along the place of a material.
            output_indices: the metric is output 0.
            observation_noise: whether to add the noise of one measurement, or its variances, b x q x 1, in the metric's
                unit squared.
            posterior_transform: applied to the posterior.
        """
        self.subset_output(output_indices or [0])
        if self.training:
            self.eval()
        mean, covariance = self.moments(X, 0 if X.requires_grad else shared_rows(X))
        if isinstance(observation_noise, Tensor):
            covariance = covariance + torch.diag_embed(observation_noise.squeeze(-1).expand(mean.shape))
        elif observation_noise:
            covariance = covariance + torch.diag_embed(self._each(self.noise, X))
        found = GPyTorchPosterior(MultivariateNormal(mean, to_linear_operator(covariance)))
        return found if posterior_transform is None else posterior_transform(posterior=found, X=X)

    def noted(self, **notes: Any) -> Self:
        """Return the same model with other attributes; none of them may be one that predictions depend on."""
        found = copy(self)
        for name, note in notes.items():
            setattr(found, name, note)
        return found

    def moments(self, rows: Tensor, constant: int = 0) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of rows, b x q x d; b may be missing.

        Args:
            rows: in batches.
            constant: how many of the first rows are the same in all of a batch, and need no gradient: candidates
                beside a baseline cost no more than their number.
        """
        if not rows.numel():
            return rows.sum(dim=-1), rows.new_zeros(*rows.shape[:-1], rows.shape[-2])
        own = rows[..., constant:, :]
        mean, covariance = self._together(own)
        if not constant:
            return mean, covariance
        beside = rows.reshape(-1, *rows.shape[-2:])[0, :constant].detach()
        theirs, among = self.joint(beside)
        across = self._each(lambda flat: self.cross(flat, beside).double(), own)
        batch = rows.shape[:-2]
        upper = torch.cat([among.expand(*batch, constant, constant), across.mT], dim=-1)
        lower = torch.cat([across, covariance], dim=-1)
        return torch.cat([theirs.expand(*batch, constant), mean], dim=-1), torch.cat([upper, lower], dim=-2)

    def _together(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of rows, b x q x d, of which nothing is shared."""
        if rows.shape[-2] != 1:
            return self.joint(rows)
        mean, sd = self.marginals(rows.reshape(-1, rows.shape[-1]))
        return mean.reshape(rows.shape[:-1]), sd.square().reshape(*rows.shape[:-1], 1)

    @staticmethod
    def _each(function: Any, rows: Tensor) -> Tensor:
        """Return what a function of n x d rows gives for each of rows, b x q x d."""
        found = function(rows.reshape(-1, rows.shape[-1]))
        return found.reshape(*rows.shape[:-1], *found.shape[1:])


def in_parts(rows: Tensor, count: int) -> tuple[Tensor, ...]:
    """Return rows, n x d, in parts whose covariance with ``count`` others stays in a core's cache."""
    return rows.split(max(1, _PAIRS // count))


def shared_rows(rows: Tensor) -> int:
    """Return how many of the first of q rows, b x q x d, are the same in all of a batch; one at least is not."""
    if rows.dim() < 3 or not rows.numel():
        return 0
    flat = rows.reshape(-1, *rows.shape[-2:])
    same = (flat[:, :-1] == flat[:1, :-1]).all(dim=-1).all(dim=0)
    return int(same.long().cumprod(0).sum())


class Fantasized(MetricModel):
    """A model as if what it expects had been measured at some rows: only uncertainty shrinks.

    Args:
        base: the model.
        pending: q x d, at least one row.
    """

    def __init__(self, base: MetricModel, pending: Tensor) -> None:
        super().__init__()
        self.base, self.pending = base, pending.clone()  # what follows from it is cached

    @property
    def evidence(self) -> float:
        """The evidence of the model."""
        return self.base.evidence

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        mean, sd = self.base.marginals(rows)
        variance = sd.square() - self._explained(rows).square().sum(dim=-1)
        return mean, variance.clamp_min(_LEAST * float(sd.detach().max()) ** 2).sqrt()

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, b x q, and covariance, b x q x q, of q rows together."""
        mean, covariance = self.base.joint(rows)
        explained = self._each(self._explained, rows)
        return mean, covariance - explained @ explained.mT

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        return self.base.cross(rows, others).double() - self._explained(rows) @ self._explained(others).mT

    def noise(self, rows: Tensor) -> Tensor:
        """Return the variance, n, of the noise of one measurement of each of n rows."""
        return self.base.noise(rows)

    def describe(self) -> Mapping[str, Any]:
        """Return what the log keeps."""
        return self.base.describe()

    def _explained(self, rows: Tensor) -> Tensor:
        """Return the covariance of rows with what is pending times the inverse Cholesky factor of that, n x q."""
        cross = self.base.cross(rows, self.pending).double()
        return torch.linalg.solve_triangular(self._root.mT, cross, upper=True, left=False)

    @cached_property
    def _root(self) -> Tensor:
        """The Cholesky factor of the covariance of what is pending."""
        own = self.base.cross(self.pending, self.pending).double()
        own.diagonal().add_(_EXPECTED * float(own.diagonal().mean()) + _LEAST)
        return torch.linalg.cholesky(own)
