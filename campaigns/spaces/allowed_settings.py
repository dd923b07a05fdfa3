"""Search spaces in which only the rows of a table may be chosen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import numpy as np

from campaigns.errors import CampaignError, Problem, TableError, UnitError, suggestion
from campaigns.pool_source import FileConfig, ending
from campaigns.spaces.parameters import CategoricalConfig, ParameterConfig, allowed_values
from campaigns.spaces.settings_columns import Settings, broken_mixture, read_settings
from campaigns.spaces.settings_table import Table, Vector
from campaigns.tables.cells import missing
from campaigns.tables.files import TABLES
from campaigns.tables.sheet import Sheet, read_sheet
from campaigns.tables.unused_rows import Remark
from campaigns.values import Scalar

if TYPE_CHECKING:
    from campaigns.spaces.space import SpaceConfig

_SHOWN = 10  # bad rows that are named
_WHERE = "space.rows.file"


class RowsConfig(FileConfig):
    """A table of the settings that may be chosen; columns that belong to no parameter are ignored."""

    file: Annotated[str, ending(*TABLES)]
    """A table (.csv, .tsv, .txt, .xlsx) with a column for each parameter and component, with units where they are not
    those of the space: 'temperature [K]'; beside the campaign file or absolute."""


def read_rows(space: SpaceConfig, rows: RowsConfig) -> Table:
    """Return the settings of a table, each once, in their order and in the units of the space.

    Raises:
        CampaignError: the file cannot be read, or rows lie outside the space; the first of them are named.
    """
    try:
        sheet = _sheet(space, rows)
        settings = read_settings(sheet, space)
    except (TableError, UnitError) as error:
        raise CampaignError([Problem(_WHERE, f"{rows.file}: {error}")]) from error
    columns = {name: _column(space.all_parameters[name], each) for name, each in settings.values.items()}
    problems = [*sheet.left_out, *_wrong(space, columns, sheet, settings)]
    if not problems:
        problems = list(_broken(space, columns, sheet))
    if problems:
        raise CampaignError(_told(rows, problems))
    values = np.column_stack(list(columns.values())) + 0.0
    _, first = np.unique(values, axis=0, return_index=True)
    return Table(space.all_parameters, values[np.sort(first)])


def _sheet(space: SpaceConfig, rows: RowsConfig) -> Sheet:
    """Return the table, with a column for each parameter.

    Raises:
        TableError: it cannot be read, or has not.
    """
    wanted = space.all_parameters
    texts = [name for name, parameter in wanted.items() if isinstance(parameter, CategoricalConfig)]
    sheet = read_sheet(rows.path, [name for name in wanted if name not in texts], texts)
    missing = [name for name in wanted if name not in sheet.columns]
    if missing or not (sheet.rows or sheet.left_out):
        has = [*(column.head for column in sheet.columns.values()), *sheet.unread]
        hints = ", ".join(f"{name}{suggestion(name, has)}" for name in missing)
        lack = f"has no column {hints}" if missing else "has no rows"
        raise TableError(f"{lack}; needed: rows with {', '.join(wanted)}")
    return sheet


def _column(parameter: ParameterConfig, values: Sequence[Scalar | None]) -> Vector:
    """Return numbers, or places of levels; NaN for what is not there."""
    if isinstance(parameter, CategoricalConfig):
        places = {level: float(i) for i, level in enumerate(parameter.levels)}
        return np.array([np.nan if value is None else places[str(value)] for value in values])
    return np.array([np.nan if value is None else float(value) for value in values])


def _wrong(space: SpaceConfig, columns: Mapping[str, Vector], sheet: Sheet, settings: Settings) -> Iterator[Remark]:
    """Yield the values that the parameters do not allow."""
    for name in columns:
        applies = space.applies(name, columns)
        for place, row in enumerate(sheet.rows):
            wrong, text = settings.wrong.get((place, name)), sheet.text(row, name)
            if applies[place] and wrong is not None:
                yield wrong
            elif applies[place] and np.isnan(columns[name][place]):
                yield Remark(row.number, f"{name} is empty; {allowed_values(space.all_parameters[name])}", text)
            elif not applies[place] and not missing(text):
                yield Remark(row.number, f"{name} does not apply here; allowed: an empty cell", text)


def _broken(space: SpaceConfig, columns: Mapping[str, Vector], sheet: Sheet) -> Iterator[Remark]:
    for name, mixture in space.mixtures.items():
        for place in np.flatnonzero(~mixture.allows(columns)).tolist():
            shares = {component: float(columns[component][place]) for component in mixture.components}
            yield Remark(sheet.rows[place].number, broken_mixture(name, mixture, shares) or "")
    for constraint in space.parsed_constraints:
        for place in np.flatnonzero(~constraint.keeps(columns)).tolist():
            yield Remark(sheet.rows[place].number, f"breaks {constraint.text!r}")


def _told(rows: RowsConfig, problems: Sequence[Remark]) -> list[Problem]:
    """Return what is wrong in the first bad rows, each with its number as a spreadsheet program shows it."""
    first: dict[int, Remark] = {}
    for remark in problems:
        first.setdefault(remark.row, remark)  # what else is wrong in a row may only follow from it
    shown = [Problem(_WHERE, f"{rows.file} {first[row]}") for row in sorted(first)[:_SHOWN]]
    if len(first) > _SHOWN:
        shown.append(Problem(_WHERE, f"{rows.file}: {len(first) - _SHOWN} more rows are wrong"))
    return shown
