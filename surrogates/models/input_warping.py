"""Parameters of whose range a part makes all the difference: it is stretched there, and pressed elsewhere.

Each stands in [0, 1] and becomes the distribution function of Kumaraswamy (1980, J. Hydrol. 46, 79), with exponents
that are learnt (Snoek, Swersky, Zemel & Adams 2014, ICML 31). Outside, where bounds were once wider, it stays as it is.
"""

from __future__ import annotations

import torch
from torch import Tensor

LOW, HIGH = "low", "high"
"""The exponents: below one, the first stretches the low end, and the second the high end."""
_EDGE = 1e-6  # distance from the ends at which logarithms are still finite


def warped(columns: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """Return columns, ... x p, warped by their exponents, p and p."""
    inside = columns.clamp(_EDGE, 1.0 - _EDGE)
    found = 1.0 - (1.0 - inside**low) ** high
    return torch.where((columns > 0.0) & (columns < 1.0), found, columns)


def slopes(columns: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Return the derivatives of the warped columns by the logarithm of either exponent, ... x p and ... x p."""
    inside = columns.clamp(_EDGE, 1.0 - _EDGE)
    power = inside**low
    rest = 1.0 - power
    within = (columns > 0.0) & (columns < 1.0)
    by_low = low * high * rest ** (high - 1.0) * power * inside.log()
    by_high = -high * rest**high * rest.log()
    return by_low.where(within, 0.0), by_high.where(within, 0.0)
