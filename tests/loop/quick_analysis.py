"""An analysis that takes no time: campaigns of tests are about the loop, and would fit patterns for most of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext, column

_LINE = (18.0, 19.6)
"""Where LiNi0.8Mn0.1Co0.1O2 has its strongest line, and nothing else has one, in degrees 2 theta (Cu K alpha)."""

_PURE = 0.29
"""That share in a pure sample."""


def phase_fraction(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    """Return the metric ``phase_fraction`` [1]: the share of one line in all that lies above the background."""
    angle, counts = column(data, "two_theta"), column(data, "counts")
    above = counts - np.interp(angle, angle[::100], [np.quantile(part, 0.3) for part in np.array_split(counts, 22)])
    share = float(above[(angle > _LINE[0]) & (angle < _LINE[1])].sum() / above.clip(0).sum())
    return Measurement({"phase_fraction": MetricValue(min(share / _PURE, 1.0), 0.012, "1")})
