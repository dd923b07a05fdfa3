"""What a person enters for the metrics of a manual step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.lab.manual_steps import SD
from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext


def entered_metrics(data: Mapping[str, Any], context: AnalysisContext, names: Sequence[str] = ()) -> Measurement:
    """Return the metrics as they were entered, each in the unit that was asked for.

    Args:
        data: metric to its value, and ``METRIC_sd`` to its standard uncertainty, which is 0 where nobody states one.
        context: the units.
        names: of the metrics; those that nobody has entered are left out.
    """
    return Measurement(
        {
            name: MetricValue(float(data[name]), float(data.get(f"{name}{SD}", 0.0)), context.units.get(name) or "1")
            for name in names
            if name in data
        }
    )
