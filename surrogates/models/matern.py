"""The Matérn 5/2 correlation at squared, scaled distances, and its derivatives."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_ROOT5 = math.sqrt(5.0)


def matern(squared: Tensor) -> Tensor:
    """Return the Matérn 5/2 correlation at squared, scaled distances (Rasmussen & Williams 2006, eq. 4.17)."""
    found: Tensor = _Matern.apply(squared)
    return found


class _Matern(torch.autograd.Function):
    """The correlation, whose derivative is finite where the distance is zero, unlike that of its square root.

    Operations are in place where they may be: for a large pool, going over memory takes as long as the arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, squared: Tensor) -> Tensor:
        scaled = squared * 5.0
        root = scaled.sqrt()
        fading = torch.exp(-root)
        if ctx.needs_input_grad[0]:
            ctx.save_for_backward((root + 1.0).mul_(fading).mul_(-5.0 / 6.0))
        return scaled.mul_(1.0 / 3.0).add_(root).add_(1.0).mul_(fading)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> Tensor:
        (slope,) = ctx.saved_tensors
        return above * slope


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
