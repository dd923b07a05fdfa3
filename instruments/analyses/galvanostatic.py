"""From a raw discharge curve to capacity and mean voltage.

The limits of a usable curve are not tuned: each lies outside of what a lithium cell does. The uncertainties of balance
and voltmeter are assumed: of usual instruments, not of a certain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext, column
from instruments.signal_units import reads

FloatArray = NDArray[np.float64]

FEWEST = 50  # points of a usable curve
WEIGHING = 0.01  # relative standard uncertainty of the powder's mass
VOLTMETER = 0.003  # V, standard uncertainty of its calibration
LOWEST, HIGHEST = 0.5, 5.5  # V that a cell with a lithium anode and a carbonate electrolyte can show
LARGEST = 1500.0  # mAh/g; no intercalation electrode holds more
SPIKE = 0.3  # V
BACKWARDS = 0.2  # mAh/g that the integrated charge may fall between points


@reads(capacity="mAh/g", voltage="V")
def discharge(data: Mapping[str, Any], context: AnalysisContext) -> Measurement:  # noqa: ARG001  # common signature
    """Return ``capacity`` [mAh/g] and ``mean_voltage`` [V]; bad raw data give NaN and flags.

    The mean is over charge, so that capacity times mean voltage is the specific energy. The uncertainty of the capacity
    is that of the powder's mass; that of the voltage is the voltmeter's and the curve's scatter around a running mean.

    Args:
        data: ``capacity`` [mAh/g] and ``voltage`` [V], each n, in the order of discharge.
        context: not needed.

    Raises:
        StepError: a key is missing.
    """
    capacity, voltage = column(data, "capacity"), column(data, "voltage")
    flags = _flags(capacity, voltage)
    if flags:
        nothing = MetricValue(float("nan"), float("nan"), "1")
        return _measurement(nothing, nothing, flags)
    return _measurement(_capacity(capacity), _mean_voltage(capacity, voltage), ())


def _measurement(capacity: MetricValue, voltage: MetricValue, flags: tuple[str, ...]) -> Measurement:
    metrics = {"capacity": replace(capacity, unit="mAh/g"), "mean_voltage": replace(voltage, unit="V")}
    return Measurement(metrics, flags)


def _capacity(capacity: FloatArray) -> MetricValue:
    """Return the charge passed; its end is known to the last step of the recording."""
    passed = float(capacity[-1] - capacity[0])
    return MetricValue(passed, float(np.hypot(WEIGHING * passed, abs(capacity[-1] - capacity[-2]))), "mAh/g")


def _mean_voltage(capacity: FloatArray, voltage: FloatArray) -> MetricValue:
    """Return the mean over charge, by trapezia."""
    mean = float(np.trapezoid(voltage, capacity) / (capacity[-1] - capacity[0]))
    return MetricValue(mean, float(np.hypot(VOLTMETER, _scatter(voltage) / np.sqrt(len(voltage)))), "V")


def _scatter(voltage: FloatArray) -> float:
    """Return the noise of a smooth curve, from its second differences, whose variance is six times the noise's."""
    return float(1.4826 * np.median(np.abs(np.diff(voltage, 2))) / np.sqrt(6))


def _flags(capacity: FloatArray, voltage: FloatArray) -> tuple[str, ...]:
    if len(capacity) != len(voltage) or len(capacity) < FEWEST:
        return (f"too few points: {len(capacity)} capacities, {len(voltage)} voltages, needs {FEWEST} of each",)
    if not (np.isfinite(capacity).all() and np.isfinite(voltage).all()):
        bad = int((~np.isfinite(capacity)).sum() + (~np.isfinite(voltage)).sum())
        return (f"not finite: {bad} of {2 * len(capacity)} values",)
    if np.ptp(capacity) == 0 or np.ptp(voltage) == 0:
        return ("dead channel: the capacity or the voltage never changes",)
    if spikes := _spikes(voltage):
        return (f"spikes: {spikes} voltages more than {SPIKE} V off both neighbours",)
    if np.diff(capacity).min() < -BACKWARDS or capacity[-1] <= capacity[0]:
        return (f"capacity runs backwards, by up to {-np.diff(capacity).min():.3g} mAh/g between points",)
    if voltage.min() < LOWEST or voltage.max() > HIGHEST:
        return (f"voltage from {voltage.min():.2f} to {voltage.max():.2f} V, outside {LOWEST} to {HIGHEST} V",)
    if capacity[-1] - capacity[0] > LARGEST:
        return (f"capacity of {capacity[-1] - capacity[0]:.0f} mAh/g, above {LARGEST:.0f}",)
    return ()


def _spikes(voltage: FloatArray) -> int:
    """Return how many points stick out of a curve that otherwise falls."""
    before, after = np.diff(voltage)[:-1], np.diff(voltage)[1:]
    return int(((np.abs(before) > SPIKE) & (np.abs(after) > SPIKE) & (before * after < 0)).sum())
