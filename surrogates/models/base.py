"""What every model of a metric can say, and the same model as if what is under way had given what is expected."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

_BELIEVED = 1e-4  # variance of an expectation that is taken for a measurement, as a share of the uncertainty there
_LEAST = 1e-9  # variance that rounding may leave, as a share of the largest


class MetricModel(Protocol):
    """A metric's posterior, in the metric's unit and before its floor."""

    @property
    def evidence(self) -> float:
        """The mean log density of each measurement by the others, of standardised values."""
        ...

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        ...

    def joint(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean, n, and covariance, n x n, of n rows together."""
        ...

    def cross(self, rows: Tensor, others: Tensor) -> Tensor:
        """Return the covariance, n x q, of n rows with a few others."""
        ...

    def describe(self) -> Mapping[str, Any]:
        """Return what the log keeps."""
        ...


@dataclass(frozen=True)
class Fantasized:
    """A model as if what it expects had been measured at some rows: only uncertainty shrinks.

    Attributes:
        base: the model.
        pending: q x d, at least one row.
    """

    base: MetricModel
    pending: Tensor

    def marginals(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation, n and n, of n rows one by one."""
        mean, sd = self.base.marginals(rows)
        cross = self.base.cross(rows, self.pending).double()
        learnt = torch.linalg.solve_triangular(self._root, cross.mT, upper=False)
        variance = sd.square() - learnt.square().sum(dim=0)
        return mean, variance.clamp_min(_LEAST * float(sd.max()) ** 2).sqrt()

    @cached_property
    def _root(self) -> Tensor:
        """The Cholesky factor of the covariance of what is under way."""
        own = self.base.cross(self.pending, self.pending).double()
        own.diagonal().add_(_BELIEVED * float(own.diagonal().mean()) + _LEAST)
        return torch.linalg.cholesky(own)
