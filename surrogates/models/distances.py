"""Distances between rows, split by what they are about: each view of the material, and the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.models.encoder import Encoder
from surrogates.models.lifted_points import apart, lifted


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

    def along(self, lengths: Tensor) -> Tensor:
        """Return the squared distances, batch x n x m, along the parameters, p, each in units of its length."""
        return apart(lifted(self.left / lengths), lifted(self.right / lengths)).to(self.same.dtype)

    def between(self, rows: Tensor, others: Tensor) -> Distances:
        """Return the distances between some of n rows and some of m others, by their places."""
        views = tuple(view[rows][:, others] for view in self.views)
        return Distances(views, self.left[rows], self.right[others], self.same[rows][:, others])

    def listed(self, rows: Tensor, others: Tensor) -> Pairs:
        """Return the distances of m pairs, by the places, m and m, of their rows; there is no batch."""
        near, far = self.left[rows], self.right[others]
        parameters = tuple((near - far).square().to(self.same.dtype).unbind(dim=-1))
        views = tuple(view[rows, others] for view in self.views)
        return Pairs(views, parameters, self.same[rows, others], self.left, self.right, (rows, others))


@dataclass(frozen=True)
class Pairs:
    """What the derivatives of a kernel need of m pairs of rows.

    Attributes:
        views: squared distances, m, one for each view.
        parameters: squared differences, m, one for each column of the parameters.
        same: whether both rows are of one material, m; zeros without a pool.
        left, right: columns of the parameters of all rows, n x p and k x p.
        places: of each pair's rows among these, m and m.
    """

    views: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    same: Tensor
    left: Tensor
    right: Tensor
    places: tuple[Tensor, Tensor]

    def apart(self, left: Tensor, right: Tensor) -> Tensor:
        """Return the difference, m, of something that all rows have, n and k."""
        return left[self.places[0]] - right[self.places[1]]


def distances(
    encoder: Encoder, rows: Tensor, others: Tensor, views: tuple[str, ...], dtype: torch.dtype = torch.float64
) -> Distances:
    """Return the distances between rows, batch x n x d, and others, batch x m x d, by the views of those names."""
    left, right = rows[..., : encoder.parameter_columns], others[..., : encoder.parameter_columns]
    if encoder.materials is None:
        nothing = torch.zeros((), dtype=dtype).expand(*rows.shape[:-1], others.shape[-2])
        return Distances((), left, right, nothing)
    at, to = rows[..., -1].long(), others[..., -1].long()
    points = encoder.materials.single if dtype == torch.float32 else encoder.materials.double
    found = tuple(apart(points[name][at], points[name][to]) for name in views)
    return Distances(found, left, right, (at.unsqueeze(-1) == to.unsqueeze(-2)).to(dtype))
