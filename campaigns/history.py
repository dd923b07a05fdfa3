"""What was measured before a campaign, or beside it, as candidates of its space.

A measurement keeps its place in the space however wide that is: the models use a number beyond its bounds, as it tells
of what lies inside. What has no place at all (an unknown level, a mixture that is none) is told with the reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from campaigns.errors import CampaignError, Problem, TableError
from campaigns.spaces.mixtures import ComponentConfig, MixtureConfig
from campaigns.spaces.parameters import (
    CategoricalConfig,
    FloatConfig,
    IntegerConfig,
    OrdinalConfig,
    ParameterConfig,
    allowed_values,
)
from campaigns.spaces.settings_columns import broken_mixture
from campaigns.spaces.settings_table import Table
from campaigns.spaces.space import SpaceConfig
from campaigns.tables.named_columns import is_ranking
from campaigns.tables.sheet import read_sheet
from campaigns.values import Candidate, Scalar
from campaigns.warm_start import TableSourceConfig

_CLOSE = 1e-6
"""Share of a range within which a number is meant to be a level, a whole number, or that of a row of the space."""
_ANY = 1e300
"""Numbers up to here are read."""
_FAR = 1.0
"""Widths of a range beyond which a number tells nothing of what lies inside, and may well be a slip."""


Lacks = Callable[[str], str]
"""From the name of a material to why the pool has none of it, empty if it has one."""


class MisfitError(ValueError):
    """A measured candidate has no place in the space; the message says why."""


def wide(space: SpaceConfig) -> SpaceConfig:
    """Return a space in which whatever was measured near another one has a place, and is read in its units.

    Numbers have hardly any bounds, levels that are numbers are any number, and no constraint is kept. Of a mixture,
    only the total is: any of its components may be there, in any shares.
    """
    mixtures = {name: _whole(mixture) for name, mixture in space.mixtures.items()}
    parameters = {name: _wide(parameter) for name, parameter in space.parameters.items()}
    return space.model_copy(update={"parameters": parameters, "mixtures": mixtures, "constraints": (), "rows": None})


def _whole(mixture: MixtureConfig) -> MixtureConfig:
    return mixture.model_copy(
        update={"components": dict.fromkeys(mixture.components, ComponentConfig()), "at_most": None}
    )


def _wide(parameter: ParameterConfig) -> ParameterConfig:
    match parameter:
        case CategoricalConfig():
            return parameter
        case FloatConfig():
            return parameter.model_copy(update={"low": -_ANY, "high": _ANY, "scale": "linear"})
        case IntegerConfig():
            return parameter.model_copy(update={"low": -_ANY, "high": _ANY})
        case OrdinalConfig(unit=unit, when=when):
            return FloatConfig(kind="float", unit=unit, low=-_ANY, high=_ANY, when=when)


def beyond(space: SpaceConfig, candidate: Candidate) -> str:
    """Return how a measured candidate lies outside of a space: the models use it all the same; empty for one inside.

    Raises:
        MisfitError: it lies so far outside that it tells nothing, and may be wrong.
    """
    told = []
    for name, value in candidate.parameters.items():
        parameter = space.all_parameters[name]
        if isinstance(parameter, CategoricalConfig) or parameter.contains(value):
            continue
        reach = parameter.fraction(value)
        if not -_FAR <= reach <= 1.0 + _FAR:
            raise MisfitError(f"{name} lies far outside of the space; {allowed_values(parameter)}")
        told.append(f"{name} lies outside of the space ({allowed_values(parameter)})")
    if not told and not space.allows(candidate.parameters):
        told.append(broken_rule(space, candidate))
    return f"{'; '.join(told)}: the models use it" if told else ""


def broken_rule(space: SpaceConfig, candidate: Candidate) -> str:
    """Return what keeps a candidate out of a space whose bounds it keeps."""
    for name, mixture in space.mixtures.items():
        if (broken := broken_mixture(name, mixture, candidate.parameters)) is not None:
            return broken
    for constraint in space.parsed_constraints:
        if not bool(constraint.keeps({n: np.array([float(candidate.parameters[n])]) for n in constraint.names})[0]):
            return f"breaks {constraint.text!r}"
    return "is no row of the space's table" if space.rows is not None else "lies outside of the space"


def narrowed(config: TableSourceConfig, names: Sequence[str], where: str) -> TableSourceConfig:
    """Return a table of which those metrics are read that it has a column of, where nothing is said of them.

    Raises:
        CampaignError: it holds means of several readings, each of which would count as one more reading.
    """
    try:
        sheet = read_sheet(config.path, names)
    except TableError:
        return config  # its reader reports this
    if is_ranking(sheet.unread):
        advice = "give the single readings, as 'athanor trials --csv' writes them"
        message = f"{config.file} is a ranking, of means of readings that may be trials already; {advice}"
        raise CampaignError([Problem(f"{where}.file", message)])
    there = tuple(name for name in names if name in sheet.columns)
    return config if config.metrics or not there else config.model_copy(update={"metrics": there})


def placed(space: SpaceConfig, candidate: Candidate, lacks: Lacks | None = None) -> Candidate:
    """Return a measured candidate as one of a space: levels, whole numbers and rows exactly as they stand there.

    Args:
        space: in its widest form so far.
        candidate: in the units of the space.
        lacks: tells what the pool has not; None where no pool is at hand.

    Raises:
        MisfitError: it has no place there.
    """
    if (candidate.material is not None) != (space.pool is not None):
        raise MisfitError("it names no material" if candidate.material is None else "this campaign has no pool")
    if lacks is not None and candidate.material is not None and (why := lacks(candidate.material)):
        raise MisfitError(why)
    try:
        given = space.present(candidate.parameters)
    except KeyError as error:
        raise MisfitError(f"it has no value of {error.args[0]}") from error
    values = {name: _value(name, space.all_parameters[name], value) for name, value in given.items()}
    return Candidate(_as_row(space, _whole_mixtures(space, values)), candidate.material)


def _value(name: str, parameter: ParameterConfig, value: Scalar) -> Scalar:
    """Return a parameter's value as the parameter has it."""
    if isinstance(parameter, CategoricalConfig):
        if value not in parameter.levels:
            raise MisfitError(f"{name} is {value!r}; allowed: {', '.join(parameter.levels)}")
        return str(value)
    number = float(value)
    if not math.isfinite(number):
        raise MisfitError(f"{name} is {value!r}; allowed: a number")
    match parameter:
        case OrdinalConfig(levels=levels):
            near = min(levels, key=lambda level: abs(level - number))
            return near if abs(near - number) <= _CLOSE * (levels[-1] - levels[0]) else number
        case IntegerConfig():
            if abs(round(number) - number) > _CLOSE:
                raise MisfitError(f"{name} is {number:g}; allowed: a whole number")
            return round(number)
        case FloatConfig(scale="log") if number <= 0:
            raise MisfitError(f"{name} is {number:g} {parameter.unit}, on a log scale; allowed: above zero")
        case _:
            return number


def _whole_mixtures(space: SpaceConfig, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return values in which the shares of each mixture add up to its total exactly."""
    found = dict(values)
    for name, mixture in space.mixtures.items():
        shares = {component: float(found[component]) for component in mixture.components}
        total = sum(shares.values())
        if min(shares.values()) < 0 or abs(total - mixture.total) > _CLOSE * mixture.total:
            unit = "" if mixture.unit == "1" else f" {mixture.unit}"
            raise MisfitError(f"the shares of {name} add up to {total:g}{unit}; needed: {mixture.total:g}{unit}")
        found |= {component: share * mixture.total / total for component, share in shares.items()}
    return found


def _as_row(space: SpaceConfig, values: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Return the row of the space's table that values stand for; themselves where there is none."""
    table = space.table
    if table is None:
        return dict(values)
    wanted = Table.of(space.all_parameters, [values]).values
    reach = _CLOSE * np.nan_to_num(np.nanmax(table.values, axis=0) - np.nanmin(table.values, axis=0))
    near = np.isclose(table.values, wanted, rtol=0.0, atol=reach, equal_nan=True).all(axis=1)
    return table[int(np.flatnonzero(near)[0])] if near.any() else dict(values)
