"""The quality gate between an analysis and the store: what the models may be fitted to, and what not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from campaigns.units import check_unit, convert, convert_difference, same_dimension
from campaigns.values import LARGEST, Measurement, MetricValue


@dataclass(frozen=True, slots=True)
class GateResult:
    """What the gate says of a measurement.

    Attributes:
        flags: why nothing of the measurement can be trusted; empty when it can.
        wrong: units of another kind, which are a mistake of the analysis; empty when there are none.
        held: metric to why its value cannot be trusted, although the others can.
        missing: metric to what the analysis gave in place of a number: this sample has no value of it.
    """

    flags: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    held: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


Implausible = Callable[[float, float], str]
"""From a value and its standard uncertainty, in the expected unit, to why it is implausible; empty where it is not."""


def check_quality(
    measurement: Measurement, units: Mapping[str, str], implausible: Mapping[str, Implausible] | None = None
) -> GateResult:
    """Return which metrics of a measurement the models may be fitted to, and why the others may not.

    Of a metric without a number, beside no flag, the sample has no value: that is a result. A flag, or a unit of
    another kind, speaks against the whole measurement, which is left out then.

    Args:
        measurement: what the analysis returned.
        units: expected metric name to unit; a metric outside this mapping is let through unjudged.
        implausible: metric to what says why a value is implausible, where a range is given.

    Raises:
        UnitError: a unit is unknown.
    """
    found = {name: measurement.metrics.get(name) for name in units}
    missing = {name: reason for name, metric in found.items() if (reason := _missing(metric))}
    there = {name: metric for name, metric in found.items() if metric is not None and name not in missing}
    wrong = tuple(reason for name, metric in there.items() if (reason := _wrong_unit(name, metric, units[name])))
    if measurement.flags or wrong:
        return GateResult(measurement.flags, wrong)
    amounts = {name: abs(_in_unit(metric, units[name])[0]) for name, metric in there.items()}
    if huge := [name for name, amount in amounts.items() if amount > LARGEST]:
        return GateResult(
            tuple(f"{name}: got {there[name].value:g}, whose square is no number any more" for name in huge)
        )
    known = {name: why for name, why in (implausible or {}).items() if name in there}
    wild = ((name, why(*_in_unit(there[name], units[name]))) for name, why in known.items())
    if flags := tuple(f"{name}: {text}" for name, text in wild if text):
        return GateResult(flags)
    held = {name: _unsure(name, metric) for name, metric in there.items() if not metric.finite}
    return GateResult(held=held, missing=missing)


def _in_unit(metric: MetricValue, unit: str) -> tuple[float, float]:
    """Return value and standard uncertainty in a unit."""
    return convert(metric.value, metric.unit, unit), convert_difference(metric.sd, metric.unit, unit)


def _missing(metric: MetricValue | None) -> str:
    """Return what stands in place of a number; empty where there is one."""
    if metric is None:
        return "nothing"
    value: float | None = metric.value  # analyses of users may say None, too
    if value is None:
        return "nothing"
    return "" if math.isfinite(value) else f"{value} {metric.unit}".removesuffix(" 1")


def _wrong_unit(name: str, metric: MetricValue, unit: str) -> str:
    if isinstance(metric.value, bool | np.bool_):
        return f"{name}: got {metric.value}, expected a number"
    if same_dimension(check_unit(metric.unit), check_unit(unit)):
        return ""
    return (
        f"{name}: unit is {metric.unit}, expected one like {unit}: correct what the analysis gives, of a plain device "
        f"'units' of its station, or the unit of the metric"
    )


def _unsure(name: str, metric: MetricValue) -> str:
    got = f"{metric.value:.4g} ± {metric.sd:.4g} {metric.unit}"
    return f"{name}: got {got}; allowed: a standard uncertainty that is a number"
