"""The quality gate between an analysis and the store's completed trials."""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.units import check_unit, same_dimension
from campaigns.values import Measurement, MetricValue


def judge(measurement: Measurement, units: Mapping[str, str]) -> tuple[str, ...]:
    """Return the reasons to quarantine a measurement; empty when it may be learned from.

    Args:
        measurement: what the analysis returned.
        units: expected metric name to unit; a metric outside this mapping is let through unjudged.

    Raises:
        UnitError: a unit is unknown.
    """
    return measurement.flags + tuple(
        reason for name, unit in units.items() for reason in _reasons(name, measurement.metrics.get(name), unit)
    )


def _reasons(name: str, metric: MetricValue | None, unit: str) -> tuple[str, ...]:
    if metric is None:
        return (f"{name}: missing from the measurement",)
    if not same_dimension(check_unit(metric.unit), check_unit(unit)):
        return (f"{name}: unit is {metric.unit}, expected one like {unit}",)
    if not metric.finite:
        return (f"{name}: not finite, got {metric.value} ± {metric.sd} {metric.unit}",)
    return ()
