"""Measurements of the same candidate: what they say of the noise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Replicates:
    """Rows that were measured several times.

    Attributes:
        rows: g x d, each once.
        counts: g, how often each was measured, at least twice.
        squares: g, sums of the squared deviations of their values from their mean.
    """

    rows: Tensor
    counts: Tensor
    squares: Tensor

    @property
    def freedom(self) -> Tensor:
        """The degrees of freedom of each variance, g."""
        return self.counts - 1.0

    @property
    def variances(self) -> Tensor:
        """The variance of one measurement, g, as each group tells it."""
        return self.squares / self.freedom

    @property
    def pooled(self) -> float | None:
        """The variance of one measurement, as all groups tell it; None without any."""
        return float(self.squares.sum() / self.freedom.sum()) if len(self.counts) else None


def replicates(rows: Tensor, values: Tensor) -> Replicates:
    """Return which rows, n x d, were measured several times, and how much their values, n, differ."""
    unique, group = torch.unique(rows, dim=0, return_inverse=True)
    counts = torch.bincount(group, minlength=len(unique)).double()
    total = torch.zeros(len(unique), dtype=torch.float64).index_add_(0, group, values)
    off = (values - (total / counts)[group]).square()
    squares = torch.zeros(len(unique), dtype=torch.float64).index_add_(0, group, off)
    several = counts > 1
    return Replicates(unique[several], counts[several], squares[several])
