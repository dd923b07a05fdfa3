"""Readings of a device as metrics, where nothing has to be worked out of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from campaigns.errors import suggestion
from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext, standard_error


def metrics(
    data: Mapping[str, Any],
    context: AnalysisContext,
    signals: Mapping[str, str] | None = None,
    uncertainty: Mapping[str, float] | None = None,
) -> Measurement:
    """Return readings under the names of metrics, in the units of their signals.

    Of a signal with several readings, it is their mean with the standard error of that (JCGM 100:2008, GUM, 4.2.3). An
    uncertainty that is stated is added in quadrature; 0 means that nobody states one.

    Args:
        data: signal to its reading.
        context: the signals' units.
        signals: metric to the signal that it is read from.
        uncertainty: metric to the standard uncertainty of its signal, in that one's unit.
    """
    stated = uncertainty or {}
    found = {}
    for metric, signal in (signals or {}).items():
        if signal not in data:
            guess, there = suggestion(signal, data), ", ".join(data)
            raise KeyError(f"nothing reads {signal}{guess}, from which {metric} is to come; there are: {there}")
        readings = np.atleast_1d(np.asarray(data[signal], dtype=float)).ravel()
        sd = float(np.hypot(standard_error(readings), stated.get(metric, 0.0)))
        found[metric] = MetricValue(float(readings.mean()), sd, context.units.get(signal) or "1")
    return Measurement(found)
