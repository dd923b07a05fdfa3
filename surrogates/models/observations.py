"""What was measured of one metric."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Observations:
    """What was measured of one metric.

    Attributes:
        rows: n x d, see Encoder.
        values: n, in the metric's unit.
        sds: n, standard uncertainties in the same unit.
    """

    rows: Tensor
    values: Tensor
    sds: Tensor

    def only(self, kept: Tensor) -> Observations:
        """Return some of the measurements: those at these places, or where this is true."""
        return Observations(self.rows[kept], self.values[kept], self.sds[kept])
