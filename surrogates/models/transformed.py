"""A model of a metric in the metric's unit, where what is fitted is its logit between limits, or has no floor.

The posterior is no Gaussian any more: BoTorch's ``TransformedPosterior``, which samples of the model's posterior go
through.
"""

from __future__ import annotations

import torch
from botorch.acquisition.objective import PosteriorTransform
from botorch.exceptions.errors import UnsupportedError
from botorch.models.model import Model
from botorch.posteriors import Posterior
from botorch.posteriors.transformed import TransformedPosterior
from torch import Tensor

from surrogates.models.base import MetricModel
from surrogates.models.logit_transform import Floor, LogitTransform


class TransformedModel(Model):
    """A model of a metric in the metric's unit, which lies between limits or not beneath a floor.

    Args:
        base: of the metric, or of its logit.
        transform: from samples of that to the metric.
    """

    def __init__(self, base: MetricModel, transform: LogitTransform | Floor) -> None:
        super().__init__()
        self.base, self.transform = base, transform

    @property
    def num_outputs(self) -> int:
        """One: the metric."""
        return 1

    @property
    def batch_shape(self) -> torch.Size:
        """Empty: there is one model."""
        return torch.Size()

    def posterior(
        self,
        X: Tensor,  # noqa: N803 - BoTorch's name
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: PosteriorTransform | None = None,
    ) -> Posterior:
        """Return the posterior of q rows together, b x q x d or q x d, in the metric's unit; see ``MetricModel``."""
        inner = self.base.posterior(X, output_indices, observation_noise)
        found = TransformedPosterior(inner, self.transform.values, self._mean, self._variance)
        return found if posterior_transform is None else posterior_transform(found)

    def subset_output(self, idcs: list[int]) -> TransformedModel:
        """Return the model of the metric.

        Raises:
            UnsupportedError: another output than the first is asked for.
        """
        self.base.subset_output(idcs)
        return self

    def condition_on_observations(self, X: Tensor, Y: Tensor, **_: object) -> Model:  # noqa: ARG002, N803
        """Refuse.

        Raises:
            UnsupportedError: always.
        """
        raise UnsupportedError("got new observations in the metric's unit; fit a model anew with all measurements")

    def _mean(self, mean: Tensor, variance: Tensor) -> Tensor:
        return self.transform.moments(mean, variance.sqrt())[0]

    def _variance(self, mean: Tensor, variance: Tensor) -> Tensor:
        return self.transform.moments(mean, variance.sqrt())[1]
