"""From repeated readings of the same quantity to its mean and the standard error of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext, standard_error

FEWEST = 3
"""Readings from which a standard error is taken."""


def means(data: Mapping[str, Any], context: AnalysisContext, calibration: float = 0.0) -> Measurement:
    """Return the mean of each signal that holds several readings, under the signal's name and in its unit.

    The standard uncertainty is that of the mean (JCGM 100:2008, GUM, 4.2.3), and of the calibration, in quadrature.

    Args:
        data: signal to its value; numbers and text, which a recipe sets, are left out.
        context: the signals' units.
        calibration: standard uncertainty of the instrument's calibration, as a share of the value.
    """
    columns = {name: np.asarray(value, dtype=float) for name, value in data.items() if np.ndim(value) == 1}
    flags = tuple(flag for name, column in columns.items() if (flag := _flag(name, column)))
    if flags:
        return Measurement({name: MetricValue(float("nan"), float("nan"), "1") for name in columns}, flags)
    units = {name: context.units.get(name) or "1" for name in columns}
    return Measurement({name: _mean(column, units[name], calibration) for name, column in columns.items()})


def _mean(column: NDArray[np.float64], unit: str, calibration: float) -> MetricValue:
    mean = float(column.mean())
    return MetricValue(mean, float(np.hypot(standard_error(column), calibration * mean)), unit)


def _flag(name: str, column: NDArray[np.float64]) -> str:
    """Return why readings cannot be trusted; empty where they can."""
    if column.size < FEWEST:
        return f"too few readings of {name}: {column.size}, needs {FEWEST}"
    if not np.isfinite(column).all():
        return f"not finite: {int((~np.isfinite(column)).sum())} of {column.size} readings of {name}"
    if not column.any():
        return f"dead detector: all {column.size} readings of {name} are 0"
    return ""
