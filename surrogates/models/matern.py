"""The Matérn 5/2 correlation at squared, scaled distances, and its derivatives."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_ROOT5 = math.sqrt(5.0)


def add_matern(total: Tensor, scaled: Tensor, scale: float) -> None:
    """Add the Matérn 5/2 covariance at five times squared, scaled distances (Rasmussen & Williams 2006, eq. 4.17).

    Every operation is in place: for a large pool, going over memory takes as long as the arithmetic.
    """
    root = scaled.sqrt()
    polynomial = scaled.mul_(1.0 / 3.0).add_(root).add_(1.0)
    total.addcmul_(polynomial, root.neg_().exp_(), value=scale)


def matern_slope(squared: Tensor) -> tuple[Tensor, Tensor]:
    """Return the correlation, and its derivative by the logarithm of the length scale."""
    root = squared.sqrt().mul_(_ROOT5)
    decay = torch.exp(-root)
    slope = (root + 1.0).mul_(squared).mul_(5.0 / 3.0).mul_(decay)
    return root.add_(1.0).add_(squared, alpha=5.0 / 3.0).mul_(decay), slope


def decay(squared: Tensor, smooth: bool = False) -> tuple[Tensor, Tensor]:
    """Return the correlation at squared distances, and minus twice its derivative by these."""
    if smooth:
        found = torch.exp(-0.5 * squared)
        return found, found
    root = squared.sqrt().mul_(_ROOT5)
    fading = torch.exp(-root)
    return (1.0 + root + squared * (5.0 / 3.0)).mul_(fading), (root + 1.0).mul_(fading).mul_(5.0 / 3.0)
