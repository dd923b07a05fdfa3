"""What ``athanor validate`` says of a valid campaign."""

from __future__ import annotations

from collections.abc import Iterator

from campaigns.campaign import Campaign
from campaigns.metrics import ComputedConfig, DerivedConfig, MeasuredConfig, MetricConfig
from campaigns.objective import LinearTermConfig, TargetTermConfig
from campaigns.space import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from loop.words import clean, duration, unit_text


def summary_rows(campaign: Campaign) -> list[tuple[str, str]]:
    """Return a campaign in labelled lines: space, pool, metrics, objective, stations, budget."""
    return [(label, clean(text)) for label, text in _rows(campaign)]


def _rows(campaign: Campaign) -> Iterator[tuple[str, str]]:
    yield "campaign", f"{campaign.name}, seed {campaign.seed}"
    for name, parameter in campaign.space.parameters.items():
        yield "parameter", f"{name}: {_parameter(parameter)}"
    for constraint in campaign.space.constraints:
        yield "constraint", constraint
    if campaign.space.pool is not None:
        yield "pool", campaign.space.pool.source
    for name, metric in campaign.metrics.items():
        yield "metric", f"{name}{unit_text(metric.unit)}: {_metric(metric)}"
    for term in campaign.objective.terms:
        yield "objective", _term(term)
    for bound in campaign.build_objective().bounds:
        yield "bound", bound.text
    yield "lab", campaign.lab.kind
    yield "stations", ", ".join(campaign.stations)
    yield "workflow", " → ".join(step.name for step in campaign.workflow)
    yield "budget", _budget(campaign)


def _parameter(parameter: ParameterConfig) -> str:
    match parameter:
        case FloatConfig() | IntegerConfig():
            return f"{parameter.low:g} to {parameter.high:g}{unit_text(parameter.unit)}"
        case OrdinalConfig():
            return ", ".join(f"{level:g}" for level in parameter.levels) + unit_text(parameter.unit)
        case CategoricalConfig():
            return ", ".join(parameter.levels)


def _metric(metric: MetricConfig) -> str:
    match metric:
        case MeasuredConfig():
            return "measured" + (f", prior {metric.prior}" if metric.prior else "")
        case ComputedConfig():
            return f"computed by {metric.function}"
        case DerivedConfig():
            return f"= {metric.formula}"


def _term(term: LinearTermConfig | TargetTermConfig) -> str:
    window = f" in {term.low} to {term.high}" if isinstance(term, TargetTermConfig) else ""
    return f"{term.goal} {term.metric}{window}, weight {term.weight:g}, one point per {term.scale}"


def _budget(campaign: Campaign) -> str:
    budget = campaign.budget
    parts = [f"{budget.trials} trials"]
    if budget.wall_time is not None:
        parts.append(duration(budget.wall_time))
    if budget.cost is not None:
        parts.append(f"{budget.cost:,.0f} USD")
    return ", ".join(parts)
