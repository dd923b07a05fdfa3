"""Metrics that lie between two limits, such as a share: what is learnt is the logit of their place between these.

Near a limit a share hardly changes, and in between it may go from nearly nothing to nearly all within a few degrees;
its logit does both at one pace (Aitchison & Shen 1980, Biometrika 67, 261).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from surrogates.models.observations import Observations

_MARGIN = 0.01  # of the range, beyond each limit: at the limit itself the logit would be infinite


@dataclass(frozen=True)
class LogitTransform:
    """The two values between which a metric lies, in its unit."""

    low: float
    high: float

    def logits(self, seen: Observations) -> Observations:
        """Return measurements as logits, with their uncertainties to first order."""
        whole = (1.0 + 2.0 * _MARGIN) * (self.high - self.low)
        place = (seen.values.clamp(self.low, self.high) - self.low) / whole + _MARGIN / (1.0 + 2.0 * _MARGIN)
        return replace(seen, values=torch.logit(place), sds=seen.sds / whole / (place * (1.0 - place)))

    def values(self, logits: Tensor) -> Tensor:
        """Return values between the limits, in the metric's unit, of logits."""
        place = (1.0 + 2.0 * _MARGIN) * torch.sigmoid(logits) - _MARGIN
        return self.low + (self.high - self.low) * place.clamp(0.0, 1.0)
