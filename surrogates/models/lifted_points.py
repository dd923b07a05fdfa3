"""Squared distances of points by one product of matrices: their norms are two more columns of them."""

from __future__ import annotations

import torch
from torch import Tensor


def lifted(points: Tensor) -> Tensor:
    """Return points, ... x n x e, with their squared norms and ones as further columns, ... x n x (e + 2)."""
    norms = points.square().sum(dim=-1, keepdim=True)
    return torch.cat([points, norms, torch.ones_like(norms)], dim=-1)


def apart(left: Tensor, right: Tensor) -> Tensor:
    """Return the squared Euclidean distances, batch x n x m, of lifted points, batch x n x e and batch x m x e."""
    points, norms, ones = right.split([right.shape[-1] - 2, 1, 1], dim=-1)
    return (left @ torch.cat([-2.0 * points, ones, norms], dim=-1).mT).clamp_min_(0.0)
