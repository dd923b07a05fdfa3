"""Distances between rows, split by what they are about: each view of the material, and the parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from surrogates.posterior.encoder import Encoder


@dataclass(frozen=True)
class Distances:
    """What a kernel needs of n rows against m others.

    Attributes:
        views: squared distances, batch x n x m, one for each view.
        parameters: squared differences, batch x n x m, one for each column of the parameters.
        same: whether both rows are of one material, batch x n x m; zeros without a pool.
    """

    views: tuple[Tensor, ...]
    parameters: tuple[Tensor, ...]
    same: Tensor


def distances(
    encoder: Encoder, rows: Tensor, others: Tensor, views: tuple[str, ...], dtype: torch.dtype = torch.float64
) -> Distances:
    """Return the distances between rows, batch x n x d, and others, batch x m x d, by the views of those names."""
    parameters = tuple(
        (rows[..., i].unsqueeze(-1) - others[..., i].unsqueeze(-2)).square().to(dtype)
        for i in range(encoder.parameter_columns)
    )
    if encoder.materials is None:
        shape = (*rows.shape[:-1], others.shape[-2])
        return Distances((), parameters, torch.zeros(shape, dtype=dtype))
    at, to = rows[..., -1].long(), others[..., -1].long()
    single = dtype == torch.float32
    known = (encoder.materials.single[n] if single else torch.from_numpy(encoder.materials.views[n]) for n in views)
    found = tuple(squared(view[at], view[to]) for view in known)
    return Distances(found, parameters, (at.unsqueeze(-1) == to.unsqueeze(-2)).to(dtype))


def squared(left: Tensor, right: Tensor) -> Tensor:
    """Return the squared Euclidean distances, batch x n x m, of points, batch x n x e and batch x m x e.

    The norms are two more columns of the points, so that one product of matrices does it all.
    """
    near, far = (points.square().sum(dim=-1, keepdim=True) for points in (left, right))
    one, other = torch.ones_like(near), torch.ones_like(far)
    product = torch.cat([left, near, one], dim=-1) @ torch.cat([-2.0 * right, other, far], dim=-1).mT
    return product.clamp_min_(0.0)
