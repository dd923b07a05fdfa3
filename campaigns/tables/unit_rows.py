"""Parts of tables: names of columns, rows of units below or above them, and the rows that both hold for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from campaigns.errors import TableError, UnitError
from campaigns.tables.cells import missing
from campaigns.tables.files import Line
from campaigns.tables.headers import Column, bare_unit, columns_of, matched_columns, uncommented
from campaigns.tables.unused_rows import Remark
from campaigns.units import check_unit, is_unit

_NO_UNIT = re.compile(
    r"(?!1$|1\s*/\s*\D|<\D.*>$|\d+(?:st|nd|rd|th)\b)[(]?\s*[-+−±]?\s*[.,]?[0-9]|[#<>~≈≤≥=]|(?:ca|approx|about)\b"
)
"""How a cell begins that is a number, an error or a bound, and not a unit such as 1 or 1/h."""


_BELOW = 5  # lines of words below the names of columns, among which their units are looked for


@dataclass(frozen=True, slots=True)
class Part:
    """Names of columns, and what stands below them.

    Attributes:
        head: the line with the names.
        columns: those that are looked for, with their units.
        lines: what stands below the names and their units.
    """

    head: Line
    columns: Mapping[str, Column]
    lines: Sequence[Line]


def parts_of(
    lines: Sequence[Line], top: int, numbers: Sequence[str], texts: Sequence[str]
) -> tuple[list[Part], list[Remark]]:
    """Return the parts of a table, each with names of columns and perhaps units of its own, and what is in none.

    Args:
        lines: those of the table.
        top: place of the first names of columns.
        numbers: names of columns of numbers.
        texts: names of columns of text.

    Raises:
        TableError: a column is there twice, or its unit is unknown, stated in two ways, or stated too late.
    """
    first = columns_of(lines[top].cells, numbers, texts)
    above = next((line for line in reversed(lines[:top]) if _only_units(line, first, numbers)), None)
    told = [_stands_above(line) for line in lines[:top] if line is not above and _is_row(line)]
    wanted = [*numbers, *texts]
    again = [i for i in range(top + 1, len(lines)) if _repeats_names(lines[i], wanted, len(first))]
    parts = []
    for start, end in pairwise([top, *again, len(lines)]):
        columns = columns_of(lines[start].cells, numbers, texts)
        if start != top:
            told.append(Remark(lines[start].number, "repeats the names of the columns"))
        elif above is not None:
            columns = {name: _with_unit(column, above, name in numbers) for name, column in columns.items()}
        columns, rest, apart = _with_units(columns, lines[start + 1 : end], numbers)
        told += apart
        parts.append(Part(lines[start], columns, rest))
    return parts, told


def _stands_above(line: Line) -> Remark:
    return Remark(line.number, "stands above the names of the columns")


def _is_row(line: Line) -> bool:
    return sum(map(bool, line.cells)) > 1 and not line.cells[0].startswith("#")


def _repeats_names(line: Line, wanted: Sequence[str], count: int) -> bool:
    """Return whether a line holds at least half as many names of columns as the first that does."""
    if not _has_words_only(line):
        return False
    return count > 0 and 2 * len(matched_columns(uncommented(line.cells), wanted)) >= count


def _has_words_only(line: Line) -> bool:
    return not any(_NO_UNIT.match(cell) for cell in (line.cells[0].lstrip("# "), *line.cells[1:]) if cell)


def _with_units(
    columns: Mapping[str, Column], below: Sequence[Line], numbers: Sequence[str]
) -> tuple[dict[str, Column], list[Line], list[Remark]]:
    """Return the columns with the units of a row of units, where there is one, the lines below it, and those between.

    Raises:
        TableError: a unit is unknown, head and row state different ones, or a row of units stands among numbers.
    """
    place = _units_place(below, columns, numbers)
    found, told, rest = dict(columns), [], list(below)
    if place is not None:
        found = {name: _with_unit(column, below[place], name in numbers) for name, column in columns.items()}
        between = "stands between the names of the columns and their units"
        told = [Remark(line.number, between) for line in below[:place] if _is_row(line)]
        rest = rest[place + 1 :]
    for name in numbers:
        if name in found and found[name].unit:
            _check_unit(found[name])
    for line in [line for line in rest if _only_units(line, found, numbers)]:
        if any(_with_unit(column, line, name in numbers) != column for name, column in found.items()):
            why = "so that it is not known for which numbers they hold"
            hint = "put them below the names of the columns, and repeat those above a part with other units"
            raise TableError(f"row {line.number} states units in the middle of the table, {why}; {hint}")
        told.append(Remark(line.number, "repeats the units of the columns"))
        rest.remove(line)
    return found, rest, told


def _units_place(below: Sequence[Line], columns: Mapping[str, Column], numbers: Sequence[str]) -> int | None:
    """Return the place of the row of units among the lines below names of columns, or None."""
    for place, line in enumerate(below[:_BELOW]):
        if _only_units(line, columns, numbers):
            return place
        if not _has_words_only(line):
            break
    return 0 if below and _states_units(below[0], columns, numbers) else None


def _only_units(line: Line, columns: Mapping[str, Column], numbers: Sequence[str]) -> bool:
    """Return whether a line holds nothing but known units, of at least half of the columns of numbers."""
    if not _has_words_only(line):
        return False
    there = {name: bare_unit(line.cells[c.place]) for name, c in columns.items() if c.place < len(line.cells)}
    given = [unit for name, unit in there.items() if name in numbers and not missing(unit)]
    if 2 * len(given) < sum(name in numbers for name in columns) or not set(given) - {"1"}:
        return False
    texts = any(not missing(unit) for name, unit in there.items() if name not in numbers)
    return not texts and all(unit == "1" or is_unit(unit) for unit in given)


def _states_units(line: Line, columns: Mapping[str, Column], numbers: Sequence[str]) -> bool:
    """Return whether a line states units: no number in a column of numbers, but a known unit, or text there alone."""
    there = {n: line.cells[c.place] for n, c in columns.items() if c.place < len(line.cells)}
    given = [bare_unit(cell) for name, cell in there.items() if name in numbers]
    words = [cell for cell in given if cell != "1" and not missing(cell)]
    if any(_NO_UNIT.match(cell) for cell in given):
        return False
    texts = any(not missing(cell) for name, cell in there.items() if name not in numbers)
    gaps = any(cell and missing(cell) for cell in given)  # such as n/a, which is written in the place of a number
    return bool(words) and (any(is_unit(cell) for cell in words) or not (texts or gaps))


def _with_unit(column: Column, line: Line, is_number: bool) -> Column:
    """Return a column with the unit that stands below its head.

    Raises:
        TableError: the head states another one.
    """
    unit = bare_unit(line.cells[column.place]) if column.place < len(line.cells) and is_number else ""
    if not unit or unit == column.unit:
        return column
    if column.unit:
        message = f"column {column.letter} ({column.head!r}) is in {column.unit!r} by its head"
        raise TableError(f"{message} and in {unit!r} by row {line.number}; remove one of them")
    return Column(column.place, column.head, unit)


def _check_unit(column: Column) -> None:
    try:
        check_unit(column.unit)
    except UnitError as error:
        hint = "; if it is no unit, rename the column" if column.unit in column.head else ""
        raise TableError(f"column {column.letter} ({column.head!r}): {error}{hint}") from error
