"""Analyses of what the benches of ``tests.loop.troubled`` give; apart from these, as a process loads them alone."""

from __future__ import annotations

import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from campaigns.errors import SampleError
from campaigns.values import Measurement, MetricValue


def shattered(data: Mapping[str, Any], context: Any) -> Measurement:
    """The height, unless there is no sample left to look at: where x is small."""
    if float(data["x"]) < 0.6:
        raise SampleError("the pellet has fallen to pieces")
    return Measurement({"height": MetricValue(float(data["height"]), 0.01, "1")})


def amount_and_purity(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return how much has formed, and the purity of that, which is no number where nothing has."""
    del context
    amount, purity = float(data["height"]), float(data["curve"][-1])
    found = {"amount": MetricValue(amount, 0.005, "1"), "purity": MetricValue(purity or math.nan, 0.005, "1")}
    return Measurement(found)


def amount_alone(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return how much has formed, and never the purity."""
    del context
    return Measurement({"amount": MetricValue(float(data["height"]), 0.005, "1")})


def last(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the last point of the curve, as a colour."""
    del context
    return Measurement({"colour": MetricValue(float(data["curve"][-1]), 0.01, "1")})


os.environ.setdefault("ATHANOR_TEST_NUMBERS", tempfile.mkdtemp(prefix="athanor-tests-"))


class Corrected:
    """A number that a test corrects as a user corrects a file: analyses read it in a process of their own."""

    def __init__(self, name: str, value: float) -> None:
        self._file = Path(os.environ["ATHANOR_TEST_NUMBERS"], name)
        self._value = value

    def __getitem__(self, _: int) -> float:
        return float(self._file.read_text()) if self._file.exists() else self._value

    def __setitem__(self, _: int, value: float) -> None:
        self._file.write_text(str(value))


SCALE = Corrected("scale", 0.0)
"""By what ``scaled`` divides the height."""


def scaled(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the height of the curve in another scale."""
    del context
    return Measurement({"height": MetricValue(float(data["height"]) / SCALE[0], 0.01, "1")})


def misnamed(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the height of the curve under a name that is not quite that of the campaign."""
    del context
    return Measurement({"heigth": MetricValue(float(data["height"]), 0.01, "1")})


def bare(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the mean of the curve, which is no number where there is none."""
    del context
    mean = float(np.mean(np.asarray(data["curve"])))
    return Measurement({"height": MetricValue(mean or math.nan, 0.01, "1")})


def raising(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the mean of the curve, or raise an error where there is none."""
    found = bare(data, context)
    if not math.isfinite(found.metrics["height"].value):
        raise ValueError("no curve")
    return found


def choosy(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the height, which is no number where it is small."""
    del context
    value = float(data["height"])
    return Measurement({"height": MetricValue(value if value > CHOOSY[0] else math.nan, 0.01, "1")})


CHOOSY = Corrected("choosy", 0.6)
"""Height that ``choosy`` needs."""


def in_volts(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the height of the curve in a unit that it does not have."""
    del context
    return Measurement({"height": MetricValue(float(data["height"]), 0.01, "V")})


def height(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the height of the curve."""
    del context
    return Measurement({"height": MetricValue(float(data["height"]), 0.01, "1")})


def unpacked(data: Mapping[str, Any], context: Any) -> Measurement:
    """Returns something else, against its word."""
    return dict(data)  # type: ignore[return-value]


def leaving(_data: Mapping[str, Any], _context: Any) -> Measurement:
    """Ends the program, as a script does."""
    sys.exit("no peak")


def certain(_data: Mapping[str, Any], _context: Any) -> Measurement:
    """Says yes in place of a number."""
    return Measurement({"height": MetricValue(True, 0.01, "1")})


def enormous(_data: Mapping[str, Any], _context: Any) -> Measurement:
    """Gives a number whose square is none."""
    return Measurement({"height": MetricValue(1e308, 0.01, "1")})


def large(_data: Mapping[str, Any], _context: Any) -> Measurement:
    """Gives a number whose score is out of reach where the scale is small."""
    return Measurement({"height": MetricValue(1e100, 0.01, "1")})


def suspected(_data: Mapping[str, Any], _context: Any) -> Measurement:
    """Gives its only reason for distrust as text."""
    return Measurement({"height": MetricValue(1.0, 0.01, "1")}, "spike in data")  # type: ignore[arg-type]


def wedged(data: Mapping[str, Any], context: Any) -> Measurement:
    """Return the height, but never end with trial 1, end the program with trial 2, and crash with trial 3."""
    number = int(data["sample"])
    if number == 1:
        time.sleep(3600.0)
    if number == 2:
        sys.exit("no licence")
    if number == 3:
        os.abort()
    return height(data, context)
