"""Distances between rows, split by what they are about: each view of the material, and the parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from surrogates.models.encoder import Encoder


@dataclass(frozen=True)
class Distances:
    """What a kernel needs of n rows against m others.

    Attributes:
        views: squared distances, batch x n x m, one for each view.
        left, right: columns of the parameters, batch x n x p and batch x m x p.
        same: whether both rows are of one material, batch x n x m; zeros without a pool.
    """

    views: tuple[Tensor, ...]
    left: Tensor
    right: Tensor
    same: Tensor

    def along(self, lengths: Tensor, columns: list[int] | None = None) -> Tensor:
        """Return the squared distances, batch x n x m, along some parameters, k, each in units of its length, k."""
        left, right = (side if columns is None else side[..., columns] for side in (self.left, self.right))
        return squared_distances(lifted(left / lengths), lifted(right / lengths)).to(self.same.dtype)

    def between(self, rows: Tensor, others: Tensor) -> Distances:
        """Return the distances between some of n rows and some of m others, by their places."""
        views = tuple(view[rows][:, others] for view in self.views)
        return Distances(views, self.left[rows], self.right[others], self.same[rows][:, others])


def distances(
    encoder: Encoder, rows: Tensor, others: Tensor, views: tuple[str, ...], dtype: torch.dtype = torch.float64
) -> Distances:
    """Return the distances between rows, batch x n x d, and others, batch x m x d, by the views of those names."""
    left, right = rows[..., : encoder.parameter_columns], others[..., : encoder.parameter_columns]
    if encoder.materials is None:
        batch = torch.broadcast_shapes(rows.shape[:-2], others.shape[:-2])
        return Distances((), left, right, torch.zeros((), dtype=dtype).expand(*batch, rows.shape[-2], others.shape[-2]))
    at, to = rows[..., -1].long(), others[..., -1].long()
    points = encoder.materials.single if dtype == torch.float32 else encoder.materials.double
    found = tuple(squared_distances(points[name][at], points[name][to]) for name in views)
    return Distances(found, left, right, (at.unsqueeze(-1) == to.unsqueeze(-2)).to(dtype))


def lifted(points: Tensor) -> Tensor:
    """Return points, ... x n x e, with their squared norms and ones as further columns, ... x n x (e + 2)."""
    norms = points.square().sum(dim=-1, keepdim=True)
    return torch.cat([points, norms, torch.ones_like(norms)], dim=-1)


def squared_distances(left: Tensor, right: Tensor) -> Tensor:
    """Return the squared Euclidean distances, batch x n x m, of lifted points, batch x n x e and batch x m x e.

    One product of matrices gives them, as the norms are columns of these: one and a half times as fast as ``cdist``.
    """
    points, norms, ones = right.split([right.shape[-1] - 2, 1, 1], dim=-1)
    return (left @ torch.cat([-2.0 * points, ones, norms], dim=-1).mT).clamp_min_(0.0)
