"""Analyses of a user's own that answer in ways that a campaign has to cope with."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from campaigns.errors import SampleError
from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext

GOOD = MetricValue(0.15, 0.001, "Ah/g")


def sound(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    """Give the metric in another unit than the campaign's."""
    return Measurement({"capacity": GOOD})


def doubtful(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"capacity": GOOD}, ("too noisy",))


def raises(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"capacity": data["current"]})


def exits(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    sys.exit(3)


def returns_nothing(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    return None


def misnames(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"capacitty": GOOD})


def has_no_value(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    raise SampleError("the pellet is cracked")


def hangs(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    time.sleep(3600.0)
    return Measurement({"capacity": GOOD})


def crashes(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    os.kill(os.getpid(), signal.SIGSEGV)
    return Measurement({"capacity": GOOD})


def gives_what_cannot_be_told(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:
    return Measurement({"capacity": GOOD, "other": lambda: None})  # type: ignore[dict-item]
