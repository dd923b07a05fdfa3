"""A model of a metric in the metric's unit, where what is fitted is its logit between limits, or has no floor.

The posterior is no Gaussian any more: BoTorch's ``TransformedPosterior``, which samples of the model's posterior go
through.
"""

from __future__ import annotations

from botorch.acquisition.objective import PosteriorTransform, ScalarizedPosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.posteriors import Posterior
from botorch.posteriors.transformed import TransformedPosterior
from torch import Tensor

from surrogates.models.base import MetricModel, SingleOutputModel
from surrogates.models.logit_transform import Floor, LogitTransform


class TransformedModel(SingleOutputModel):
    """A model of a metric in the metric's unit, which lies between limits or not beneath a floor.

    Args:
        base: of the metric, or of its logit.
        transform: from samples of that to the metric.
    """

    def __init__(self, base: MetricModel, transform: LogitTransform | Floor) -> None:
        super().__init__()
        self.base, self.transform = base, transform

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """Return the posterior of q rows together, b x q x d or q x d, in the metric's unit; see ``MetricModel``.

        Args:
            X: rows.
            output_indices: the metric is output 0.
            observation_noise: whether to add the noise of one measurement, or its variances, b x q x 1, in the metric's
                unit squared, to first order about the median.
            posterior_transform: a ``ScalarizedPosteriorTransform``: others need a Gaussian.

        Raises:
            UnsupportedError: another output than the first, or another transform, is asked for.
        """
        if isinstance(observation_noise, Tensor):
            median = self.transform.values(self.base.posterior(X).mean)
            observation_noise = self.transform.sds(median, observation_noise.sqrt()).square()
        inner = self.base.posterior(X, output_indices, observation_noise)
        found = TransformedPosterior(inner, self.transform.values, self._mean, self._variance)
        return found if posterior_transform is None else _scalarized(found, posterior_transform)

    def _mean(self, mean: Tensor, variance: Tensor) -> Tensor:
        return self.transform.moments(mean, variance.sqrt())[0]

    def _variance(self, mean: Tensor, variance: Tensor) -> Tensor:
        return self.transform.moments(mean, variance.sqrt())[1]


def _scalarized(posterior: TransformedPosterior, transform: PosteriorTransform) -> TransformedPosterior:
    """Return the posterior of a metric times a weight, plus an offset.

    Raises:
        UnsupportedError: the transform is another one.
    """
    if not isinstance(transform, ScalarizedPosteriorTransform):
        raise UnsupportedError(
            f"the posterior between limits or above a floor is no Gaussian, so that {type(transform).__name__} cannot "
            "transform it; use ScalarizedPosteriorTransform, or an MCAcquisitionObjective of the samples"
        )

    def scaled(values: Tensor) -> Tensor:
        return transform.evaluate(values).unsqueeze(-1)

    return TransformedPosterior(
        posterior,
        scaled,
        lambda mean, _: scaled(mean),
        lambda _, variance: variance * transform.weights.square(),
    )
