"""Spaces of which only the rows of a table may be chosen."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import CampaignError, Problem
from campaigns.parameters import CategoricalConfig, OrdinalConfig, ParameterConfig
from campaigns.pool import FileConfig, ending
from campaigns.table import Table, Vector

if TYPE_CHECKING:
    from campaigns.space import SpaceConfig

_SHOWN = 10  # bad rows that are named
_WHERE = "space.rows.file"


class RowsConfig(FileConfig):
    """The settings that may be chosen, each combination once; columns that no parameter is named like are ignored."""

    file: Annotated[str, ending(".csv")]
    """A CSV file with a column for each parameter and component, beside the campaign file or absolute."""


def read_rows(space: SpaceConfig, rows: RowsConfig) -> Table:
    """Return the settings of a table, each once, in their order.

    Raises:
        CampaignError: the file cannot be read, or rows lie outside the space; the first of them are named.
    """
    cells = _cells(rows, list(space.all_parameters))
    columns = {name: _read(parameter, cells[name]) for name, parameter in space.all_parameters.items()}
    problems = []
    for name in columns:
        wrong = _wrong(space, columns, name, [bool(cell) for cell in cells[name]])
        problems += [(place, f"{name} is {cells[name][place] or 'empty'!r}; {why}") for place, why in wrong]
    if not problems:
        problems = list(_broken(space, columns))
    if problems:
        raise CampaignError(_told(rows, problems))
    values = np.column_stack(list(columns.values())) + 0.0
    _, first = np.unique(values, axis=0, return_index=True)
    return Table(space.all_parameters, values[np.sort(first)])


def _cells(rows: RowsConfig, wanted: Sequence[str]) -> dict[str, list[str]]:
    """Return the text of the columns that are wanted."""
    try:
        with rows.path.open(encoding="utf-8-sig", newline="") as file:
            table = [line for line in csv.reader(file) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CampaignError([Problem(_WHERE, f"{rows.path} cannot be read: {error}")]) from error
    heads = [head.strip() for head in table[0]] if table else []
    missing = [name for name in wanted if name not in heads]
    if missing or len(table) < 2:
        lack = f"has no column {', '.join(missing)}" if missing else "has no rows"
        raise CampaignError([Problem(_WHERE, f"{rows.file} {lack}; needed: rows with {', '.join(wanted)}")])
    short = [i for i, line in enumerate(table) if len(line) != len(heads)]
    if short:
        raise CampaignError(_told(rows, [(i - 1, f"{len(table[i])} cells for {len(heads)} columns") for i in short]))
    places = {name: heads.index(name) for name in wanted}
    return {name: [line[place].strip() for line in table[1:]] for name, place in places.items()}


def _read(parameter: ParameterConfig, cells: Sequence[str]) -> Vector:
    """Return numbers, or places of levels; NaN for what is empty or neither."""
    if isinstance(parameter, CategoricalConfig):
        places = {level: float(i) for i, level in enumerate(parameter.levels)}
        return np.array([places.get(cell, np.nan) for cell in cells])
    return np.array([_number(cell) for cell in cells])


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return np.nan


def _wrong(
    space: SpaceConfig, columns: Mapping[str, Vector], name: str, given: Sequence[bool]
) -> Iterator[tuple[int, str]]:
    """Yield the places of values that the parameter does not allow, and what it allows."""
    parameter, values = space.all_parameters[name], columns[name]
    applies = space.applies(name, columns)
    bad = np.where(applies, ~_inside(parameter, values), given)
    for place in np.flatnonzero(bad):
        yield int(place), _allowed(parameter) if applies[place] else "it does not apply here; allowed: an empty cell"


def _inside(parameter: ParameterConfig, values: Vector) -> NDArray[np.bool_]:
    match parameter:
        case CategoricalConfig():
            return ~np.isnan(values)
        case OrdinalConfig(levels=levels):
            return np.isin(values, levels)
        case _:
            whole = values == np.round(values) if parameter.kind == "integer" else True
            return (parameter.low <= values) & (values <= parameter.high) & whole


def _allowed(parameter: ParameterConfig) -> str:
    match parameter:
        case CategoricalConfig() | OrdinalConfig():
            return f"allowed: {', '.join(map(str, parameter.levels))}"
        case _:
            number = "whole numbers" if parameter.kind == "integer" else "numbers"
            return f"allowed: {number} from {parameter.low:g} to {parameter.high:g} {parameter.unit}"


def _broken(space: SpaceConfig, columns: Mapping[str, Vector]) -> Iterator[tuple[int, str]]:
    for name, mixture in space.mixtures.items():
        for place in np.flatnonzero(~mixture.allows(columns)):
            yield int(place), f"the components of {name} break its bounds, its total or at_most"
    for constraint in space.parsed_constraints:
        for place in np.flatnonzero(~constraint.keeps(columns)):
            yield int(place), f"breaks {constraint.text!r}"


def _told(rows: RowsConfig, problems: Sequence[tuple[int, str]]) -> list[Problem]:
    """Return what is wrong in the first bad rows, each with its number in the file, from 1 without the header."""
    first: dict[int, str] = {}
    for place, why in problems:
        first.setdefault(place, why)  # what else is wrong in a row may only follow from it
    shown = [Problem(_WHERE, f"{rows.file} row {place + 1}: {first[place]}") for place in sorted(first)[:_SHOWN]]
    if len(first) > _SHOWN:
        shown.append(Problem(_WHERE, f"{rows.file}: {len(first) - _SHOWN} more rows are wrong"))
    return shown
