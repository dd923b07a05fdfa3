"""What is known of a metric beforehand: it lies about a slope times a prior, or is a share of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from gpytorch.means import Mean
from torch import Tensor

from surrogates.models.encoder import Encoder

SLOPE = (0.5, 0.5)
"""Prior mean and standard deviation of a prior's slope, or of a share, in standardised units; not tuned: a prior that
says nothing and one that says all lie one standard deviation from it."""


class PriorMean(Protocol):
    """What is known of a metric beforehand; what is equal says the same.

    Attributes:
        factor: whether the metric is a share of it, so that the uncertainty grows with it, rather than lies about it.
    """

    @property
    def factor(self) -> bool: ...

    def values(self, encoder: Encoder, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the standardised prior, or the amplitude, batch x n, of rows, batch x n x d; None for the other."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True)
class PoolPrior:
    """A known number of each material.

    Attributes:
        number: its name.
        factor: whether the metric is a share of it, so that the uncertainty grows with it, rather than lies about it.
    """

    number: str
    factor: bool = False

    def values(self, encoder: Encoder, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:
        """Return the standardised prior, or the amplitude, of rows; None where there is none."""
        if encoder.materials is None:
            return None, None
        everywhere = torch.from_numpy(encoder.materials.numbers[self.number])
        numbers = encoder.number(self.number, rows)
        if self.factor:
            return None, numbers / everywhere.mean()
        spread = everywhere.std(correction=0)
        return (numbers - everywhere.mean()) / (spread if spread > 0 else 1.0), None


def prior_values(prior: PriorMean | None, encoder: Encoder, rows: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """Return the standardised prior, or the amplitude, batch x n, of rows, batch x n x d; None where there is none."""
    return (None, None) if prior is None else prior.values(encoder, rows)


def expected(prior: Tensor | None, amplitude: Tensor | None) -> Tensor | None:
    """Return what is expected where a prior or an amplitude is known; None where neither is."""
    values = prior if amplitude is None else amplitude
    return None if values is None else SLOPE[0] * values


class MetricMean(Mean):
    """The prior mean of a metric at rows (``Encoder``), in standardised units."""

    def __init__(self, encoder: Encoder, prior: PriorMean | None = None) -> None:
        super().__init__()
        self.encoder, self.prior = encoder, prior

    def forward(self, input: Tensor, **_: Any) -> Tensor:  # noqa: A002 - GPyTorch's name
        """Return the mean, batch x n, of rows, batch x n x d."""
        found = expected(*prior_values(self.prior, self.encoder, input))
        return torch.zeros(input.shape[:-1], dtype=torch.float64) if found is None else found
