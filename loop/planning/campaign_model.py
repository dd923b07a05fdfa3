"""All metrics of a campaign as one BoTorch model.

The outputs are what the models of the measured metrics predict (a metric itself, its logit between limits, or its ratio
to the metric that it is proportional to), and then the computed metrics of the pool, so
that constraints on samples see them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.models.gpytorch import GPyTorchModel
from botorch.posteriors import GPyTorchPosterior
from gpytorch.distributions import MultitaskMultivariateNormal
from linear_operator.operators import BlockDiagLinearOperator, DenseLinearOperator
from torch import Tensor

from loop.planning.mc_objective import OptimizationProblem, OutputLayout
from surrogates.models.base import MetricModel, shared_rows

_JITTER = 1e-8  # of the mean variance: the smallest that BoTorch adds to a Cholesky factor that fails without
_EXACT = 1e-12  # not tuned: variance of a computed number, as a share of its square; none, but for a Cholesky factor
_LEAST = 1e-30  # not tuned: of that square


class CampaignModel(GPyTorchModel):
    """The joint posterior of all metrics of a campaign; its outputs are independent.

    Args:
        problem: objective and layout of the rows.
        models: measured metric to its model.
    """

    def __init__(self, problem: OptimizationProblem, models: Mapping[str, MetricModel]) -> None:
        super().__init__()
        self.models, self.layout = dict(models), OutputLayout(problem, tuple(models))

    @property
    def num_outputs(self) -> int:
        """The number of outputs, m."""
        return len(self.models) + len(self._computed)

    @property
    def batch_shape(self) -> torch.Size:
        """The shape of batches of models: none."""
        return torch.Size()

    def posterior(
        self,
        X: Tensor,  # noqa: N803 - BoTorch's name
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Any:
        """Return the joint posterior of all outputs at rows, b x q x d or q x d."""
        if output_indices is not None or observation_noise is not False:
            raise NotImplementedError("all outputs are predicted together, and without the noise of a measurement")
        constant = shared_rows(X)  # the baseline: candidates beside it are all that there is a gradient along
        moments = [_moments(model, X, constant) for model in self.models.values()]
        moments += [(number, _exact_covariance(number)) for number in self._numbers(X)]
        means, covariances = zip(*moments, strict=True)
        covariance = BlockDiagLinearOperator(DenseLinearOperator(torch.stack(covariances, dim=-3)))
        distribution = MultitaskMultivariateNormal(torch.stack(means, dim=-1), covariance, interleaved=False)
        found = GPyTorchPosterior(distribution)
        return found if posterior_transform is None else posterior_transform(found)

    def pointwise(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n x m each, of n rows one by one."""
        moments = [model.marginals(rows) for model in self.models.values()]
        moments += [(number, torch.zeros_like(number)) for number in self._numbers(rows)]
        mean, sd = (torch.stack(each, dim=-1) for each in zip(*moments, strict=True))
        return mean, sd

    @property
    def _computed(self) -> tuple[str, ...]:
        return tuple(self.layout.problem.campaign.computed)

    def _numbers(self, rows: Tensor) -> Iterator[Tensor]:
        """Yield the computed metrics of rows, ... x d."""
        return (self.layout.problem.encoder.number(name, rows) for name in self._computed)


def _exact_covariance(number: Tensor) -> Tensor:
    """Return the covariance, ... x q x q, of computed metrics, ... x q."""
    return (
        _EXACT
        * number.square().mean().clamp_min(_LEAST)
        * torch.eye(number.shape[-1]).double().expand(*number.shape, number.shape[-1])
    )


def _moments(model: MetricModel, rows: Tensor, constant: int) -> tuple[Tensor, Tensor]:
    """Return mean, b x q, and covariance, b x q x q, of rows, b x q x d, of which the first ones are constant."""
    mean, covariance = model.moments(rows, constant)
    if rows.shape[-2] == 1:
        return mean, covariance
    jitter = _JITTER * covariance.diagonal(dim1=-2, dim2=-1).detach().mean()
    return mean, covariance + jitter * torch.eye(rows.shape[-2], dtype=torch.float64)
