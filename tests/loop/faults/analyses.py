"""Analyses that go wrong with sample 0; apart from the devices, as a process loads them alone."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from campaigns.values import Measurement, MetricValue
from tests.loop.faults.floor import ODD, Floor

_SIGNALS = {"height": "mm", "reading": "mm", "soak_mean_temperature": "degC", "gauge": "mm", "stage_gauge": "mm"}


def _reading(data: Mapping[str, Any], odd: Callable[[], object]) -> Measurement:
    """Return what was read; with sample 0, something else is done before."""
    if data["sample"] == ODD:
        odd()
    value, unit = next((float(data[name]), unit) for name, unit in _SIGNALS.items() if name in data)
    return Measurement({"result": MetricValue(value, 0.01, unit)})


def hanging(data: Mapping[str, Any], context: Any, folder: str) -> Measurement:
    """Never end with sample 0, and write down that it has begun."""
    del context

    def hang() -> None:
        Floor(Path(folder)).note("analysis", "begin", ODD)
        time.sleep(3600.0)

    return _reading(data, hang)


def exiting(data: Mapping[str, Any], context: Any, folder: str) -> Measurement:
    """End the program with sample 0."""
    del context, folder
    return _reading(data, lambda: sys.exit("no licence"))
