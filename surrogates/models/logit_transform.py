"""Metrics that lie between two limits, such as a share, or not beneath a floor, such as a band gap.

Near a limit a share hardly changes, and in between it may go from nearly nothing to nearly all within a few degrees;
its logit does both at one pace (Aitchison & Shen 1980, Biometrika 67, 261), and is what is modelled.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import torch
from torch import Tensor

from surrogates.models.observations import Observations

_MARGIN = 0.01  # not tuned: of the range, beyond each limit, as at the limit itself the logit would be infinite
_NODES = 64  # not tuned: of the quadrature; means are exact to a thousandth of the range, however uncertain the logit


@dataclass(frozen=True)
class LogitTransform:
    """The two values between which a metric lies, in its unit."""

    low: float
    high: float

    def logits(self, seen: Observations) -> Observations:
        """Return measurements as logits, with their uncertainties to first order."""
        return replace(seen, values=torch.logit(self._places(seen.values)), sds=self.sds(seen.values, seen.sds))

    def sds(self, values: Tensor, sds: Tensor) -> Tensor:
        """Return standard uncertainties of values, in the metric's unit, as those of their logits, to first order."""
        place = self._places(values)
        return sds / self._whole / (place * (1.0 - place))

    def values(self, logits: Tensor) -> Tensor:
        """Return values between the limits, in the metric's unit, of logits."""
        place = (1.0 + 2.0 * _MARGIN) * torch.sigmoid(logits) - _MARGIN
        return self.low + (self.high - self.low) * place.clamp(0.0, 1.0)

    @property
    def _whole(self) -> float:
        return (1.0 + 2.0 * _MARGIN) * (self.high - self.low)

    def _places(self, values: Tensor) -> Tensor:
        """Return between 0 and 1 where values lie in the range with its margins."""
        return (values.clamp(self.low, self.high) - self.low) / self._whole + _MARGIN / (1.0 + 2.0 * _MARGIN)

    def moments(self, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance, in the metric's unit, of logits that are normally distributed.

        By Gauss and Hermite's quadrature (Abramowitz & Stegun 1964, 25.4.46).
        """
        nodes, weights = _quadrature()
        values = self.values(mean.unsqueeze(-1) + sd.unsqueeze(-1) * nodes)
        centre = (values * weights).sum(dim=-1)
        return centre, ((values - centre.unsqueeze(-1)).square() * weights).sum(dim=-1)


@dataclass(frozen=True)
class Floor:
    """The value beneath which a metric never lies, in its unit."""

    low: float

    def values(self, latent: Tensor) -> Tensor:
        """Return values that do not lie beneath the floor."""
        return latent.clamp_min(self.low)

    def sds(self, values: Tensor, sds: Tensor) -> Tensor:  # noqa: ARG002
        """Return standard uncertainties of values as those of what is modelled: they are the same."""
        return sds

    def moments(self, mean: Tensor, sd: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and variance of normally distributed values of which those beneath are raised to the floor.

        A rectified normal distribution (Tobin 1958, Econometrica 26, 24).
        """
        sd = sd.clamp_min(torch.finfo(sd.dtype).tiny)
        above = (mean - self.low) / sd
        share = torch.special.ndtr(above)
        density = torch.exp(-0.5 * above.square()) / math.sqrt(2.0 * math.pi)
        height = sd * (density + above * share)
        square = sd.square() * ((1.0 + above.square()) * share + above * density)
        return self.low + height, (square - height.square()).clamp_min(0.0)


@cache
def _quadrature() -> tuple[Tensor, Tensor]:
    """Return nodes and weights, k and k, by which functions of a standard normal number are averaged."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())
