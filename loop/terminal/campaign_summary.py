"""What ``athanor validate`` says of a valid campaign."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from campaigns.campaign import Campaign
from campaigns.fidelity import FULL
from campaigns.metrics import ComputedConfig, DerivedConfig, MeasuredConfig, MetricConfig, TrainedPriorConfig
from campaigns.objective import (
    DesirabilityTermConfig,
    FindBestConfig,
    FindConfig,
    FindManyConfig,
    FindParetoConfig,
    LinearTermConfig,
    TargetTermConfig,
    TermConfig,
)
from campaigns.pool_source import (
    AsePoolConfig,
    FolderPoolConfig,
    GeneratorPoolConfig,
    JsonPoolConfig,
    PoolConfig,
    TablePoolConfig,
)
from campaigns.spaces.mixtures import MixtureConfig
from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.units import with_unit
from campaigns.warm_start import Source
from loop.core.formatting import duration, one_line, unit_text
from loop.core.term_contributions import term_label
from loop.storage.row_outcomes import tally
from loop.terminal.lab_file_summary import lab_file_rows


def summary_rows(campaign: Campaign, sources: Sequence[Source] = ()) -> list[tuple[str, str]]:
    """Return a campaign in labelled lines: space, pool, metrics, objective, what it learns from, stations, budget.

    Args:
        campaign: the validated campaign.
        sources: what was read of its earlier measurements.
    """
    return [(label, one_line(text)) for label, text in _rows(campaign, sources)]


def _rows(campaign: Campaign, sources: Sequence[Source]) -> Iterator[tuple[str, str]]:
    yield "campaign", f"{campaign.name}, seed {campaign.seed}"
    yield from _space(campaign.space)
    for name, metric in campaign.metrics.items():
        yield "metric", f"{name}{unit_text(metric.unit)}: {_metric(metric)}"
    for term in campaign.objective.terms:
        yield "objective", _term(term, campaign.metrics[term.metric].unit)
    yield "find", _find(campaign.objective.find)
    for bound in campaign.build_objective().bounds:
        yield "outcome constraint", bound.text
    yield from _lab(campaign)
    yield "workflow", " → ".join(step.name for step in campaign.workflow)
    for name, fidelity in campaign.fidelities.items():
        yield "fidelity", f"{name}: {', '.join(fidelity.gives)} for {fidelity.cost:g} of {campaign.cost_of(FULL):g} USD"
    for config, source in zip_longest(campaign.warm_start, sources):
        first, *more = ("",) if source is None else tally(source)
        yield "learns from", f"{config.name}, {config.file}" + (f": {first}" if first else "")
        yield from (("learns from", f"{config.name}: {text}") for text in more)
    yield "budget", _budget(campaign)


def _lab(campaign: Campaign) -> Iterator[tuple[str, str]]:
    rules = campaign.rules
    yield "lab", campaign.lab.kind if rules is None else f"{campaign.lab.kind}, by {rules.path.name}"
    yield "stations", ", ".join(campaign.stations)
    if rules is not None:
        yield from lab_file_rows(rules)


def _space(space: SpaceConfig) -> Iterator[tuple[str, str]]:
    for name, parameter in space.parameters.items():
        yield "parameter", f"{name}: {parameter_text(parameter)}{_condition(parameter)}"
    for name, mixture in space.mixtures.items():
        yield "mixture", f"{name}: {_mixture(mixture)}"
    for constraint in space.parsed_constraints:
        yield "constraint", f"{constraint.text}{_units(space, constraint.names)}"
    if space.rows is not None:
        yield "rows", space.rows.file
    if space.pool is not None:
        yield "pool", _pool(space.pool)


def _units(space: SpaceConfig, names: Iterable[str]) -> str:
    """Return which units the numbers of a constraint are in; nothing where none has a unit."""
    units = {name: unit_text(space.all_parameters[name].unit) for name in names}
    said = ", ".join(f"{name} in{unit}" for name, unit in units.items() if unit)
    return f" ({said})" if said else ""


def parameter_text(parameter: ParameterConfig) -> str:
    """Return what a parameter may be: its range, its levels, or the value at which it is fixed."""
    match parameter:
        case FloatConfig(low=low, high=high) | IntegerConfig(low=low, high=high) if low == high:
            return f"fixed at {low:g}{unit_text(parameter.unit)}"
        case OrdinalConfig(levels=(level,)):
            return f"fixed at {level:g}{unit_text(parameter.unit)}"
        case CategoricalConfig(levels=(name,)):
            return f"fixed at {name}"
        case FloatConfig() | IntegerConfig():
            return f"{parameter.low:g} to {parameter.high:g}{unit_text(parameter.unit)}{_growth(parameter)}"
        case OrdinalConfig():
            return ", ".join(f"{level:g}" for level in parameter.levels) + unit_text(parameter.unit)
        case CategoricalConfig():
            return ", ".join(parameter.levels)


def _growth(parameter: FloatConfig | IntegerConfig) -> str:
    ends = [f"down to {parameter.lowest:g}"] if parameter.lowest is not None else []
    ends += [f"up to {parameter.highest:g}"] if parameter.highest is not None else []
    return f", may grow {' and '.join(ends)}{unit_text(parameter.unit)}" if ends else ""


def _condition(parameter: ParameterConfig) -> str:
    conditions = [f"{parent} is {' or '.join(map(str, levels))}" for parent, levels in parameter.when.items()]
    rest = "" if parameter.otherwise is None else f", otherwise {parameter.otherwise}"
    return f", when {' and '.join(conditions)}{rest}" if conditions else ""


def _mixture(mixture: MixtureConfig) -> str:
    shares = ", ".join(f"{name} {low:g} to {high:g}" for name, (low, high) in mixture.spans.items())
    most = "" if mixture.at_most is None else f", at most {mixture.at_most} of them"
    return f"{shares}, adding up to {mixture.total:g}{unit_text(mixture.unit)}{most}"


def _metric(metric: MetricConfig) -> str:
    match metric:
        case MeasuredConfig():
            prior = metric.prior.model if isinstance(metric.prior, TrainedPriorConfig) else metric.prior
            return "measured" + (f", prior {prior}" if prior else "")
        case ComputedConfig():
            return f"computed by {metric.function}"
        case DerivedConfig():
            return f"= {metric.formula}"


def _term(term: TermConfig, unit: str) -> str:
    """Return a term of the objective; numbers without a unit are in that of its metric."""
    match term:
        case LinearTermConfig():
            return f"{term_label(term)}, weight {term.weight:g}, one point per {with_unit(term.scale, unit)}"
        case TargetTermConfig():
            window = f"in {term.low} to {with_unit(term.high, unit)}"
            scale = with_unit(term.scale, unit)
            return f"{term_label(term)} {window}, weight {term.weight:g}, one point per {scale}"
        case DesirabilityTermConfig():
            given = {word: getattr(term, word) for word in ("above", "below")}
            edges = [f"{word} {with_unit(edge, unit)}" for word, edge in given.items() if edge is not None]
            width = with_unit(term.width, unit)
            return f"{term_label(term)} {' and '.join(edges)}, weight {term.weight:g}, edges {width} wide"


def _find(find: FindConfig) -> str:
    match find:
        case FindBestConfig():
            return "the best candidate"
        case FindManyConfig(above=float(above)):
            return f"many candidates with a score above {above:g}"
        case FindManyConfig(share=float(share)):
            return f"many of the best {100.0 * share:.3g} % of all candidates"
        case FindManyConfig():
            return "many good candidates"
        case FindParetoConfig():
            return "the front: what none beats in one term without losing in another"


def _pool(pool: PoolConfig) -> str:
    match pool:
        case GeneratorPoolConfig():
            return pool.function
        case FolderPoolConfig():
            return pool.folder
        case TablePoolConfig() | AsePoolConfig() | JsonPoolConfig():
            return pool.file


def _budget(campaign: Campaign) -> str:
    budget = campaign.budget
    parts = [f"{budget.trials} trials"]
    if budget.wall_time is not None:
        parts.append(duration(budget.wall_time))
    if budget.cost is not None:
        parts.append(f"{budget.cost:,.0f} USD")
    return ", ".join(parts)
