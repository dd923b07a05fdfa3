"""Campaigns without a laboratory, and steps whose metrics a person enters: what they leave unsaid is filled in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from campaigns.lab.laboratory import StationConfig, StepConfig
from campaigns.lab.manual_steps import SD, AskConfig, UncertaintyAsk
from campaigns.metrics import MeasuredConfig, MetricConfig

BENCH = "bench"
"""Station of a campaign without a laboratory."""
EXPERIMENT = "experiment"
"""Its only step."""
ENTERED = "instruments.analyses.entered:entered_metrics"
"""Takes what a person enters for the metrics."""
_TIMEOUT = "90 d"
"""How long a result is waited for. Not tuned: longer than the experiments of a bench take; a later one still counts."""
BY_HAND_WITHOUT = ("lab", "stations", "workflow")
"""Keys without which a campaign is done by hand."""


def is_by_hand(data: Mapping[str, Any]) -> bool:
    """Return whether the sections of a campaign, as the file has them, say nothing of a laboratory."""
    return not any(key in data for key in BY_HAND_WITHOUT)


def with_bench(data: Any) -> Any:
    """Return the sections of a campaign; where nothing is said of a laboratory, with a bench at which people do it all.

    Args:
        data: top-level key to what stands in the file.
    """
    if not isinstance(data, Mapping) or not is_by_hand(data) or "metrics" not in data:
        return data
    metrics = data["metrics"] if isinstance(data["metrics"], Mapping) else {}
    step = {"name": EXPERIMENT, "stations": [BENCH], "gives": list(_measured(metrics)), "timeout": _TIMEOUT}
    return {**data, "lab": {"kind": "real"}, "stations": {BENCH: {"kind": "manual"}}, "workflow": [step]}


def _measured(metrics: Mapping[Any, Any]) -> Iterator[str]:
    """Yield the names of the metrics that are measured, read or not."""
    for name, metric in metrics.items():
        kind = metric.get("kind") if isinstance(metric, Mapping) else getattr(metric, "kind", None)
        if kind == "measured":
            yield name


def with_entries(
    steps: Iterable[StepConfig], stations: Mapping[str, StationConfig], metrics: Mapping[str, MetricConfig]
) -> tuple[StepConfig, ...]:
    """Return the steps; one that people do, and that gives metrics without an analysis, asks for these metrics.

    Args:
        steps: of a workflow.
        stations: by name; of those that are not known yet, nothing is said.
        metrics: by name.
    """
    return tuple(_with_entries(step, metrics) if _is_entered(step, stations) else step for step in steps)


def _is_entered(step: StepConfig, stations: Mapping[str, StationConfig]) -> bool:
    by_people = all(name in stations and stations[name].kind == "manual" for name in step.stations)
    return by_people and bool(step.gives) and step.analysis is None


def _with_entries(step: StepConfig, metrics: Mapping[str, MetricConfig]) -> StepConfig:
    asks = dict(step.asks)
    for name in step.gives:
        metric = metrics.get(name)
        if isinstance(metric, MeasuredConfig):
            asks[name] = AskConfig(unit=metric.unit, limits=metric.plausible)
            asks[f"{name}{SD}"] = UncertaintyAsk(unit=metric.unit)
    changes: dict[str, Any] = {"asks": asks, "analysis": ENTERED, "analysis_settings": {"names": list(step.gives)}}
    if not step.instructions.strip():
        changes["instructions"] = f"Make sample {{sample}} with {{parameters}}, and measure {', '.join(step.gives)}"
    return step.model_copy(update=changes)
