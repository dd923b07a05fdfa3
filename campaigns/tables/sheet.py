"""Tables with named columns: heads with units, a row of units below them, and rows with their numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import or_
from pathlib import Path

from campaigns.errors import TableError, UnitError
from campaigns.tables.cells import Marks, Number, read_number
from campaigns.tables.files import Line, read_lines
from campaigns.tables.headers import Column, bare_unit, columns_of_units, matched_columns, uncommented
from campaigns.tables.unit_rows import parts_of
from campaigns.tables.unused_rows import Remark
from campaigns.units import convert, convert_difference, is_unit

_HEADS_WITHIN = 30  # lines from the top of a table


@dataclass(frozen=True)
class Sheet:
    """A table whose columns are known by name.

    Attributes:
        file: its name.
        columns: those that were looked for and are there, by the names that were looked for.
        rows: the rows, their cells in the order of the table.
        left_out: rows that are no data or cannot be split into cells.
        unread: heads of the columns that nobody looked for.
        marks: name to what the cells of its column tell of the marks in numbers; "" to what all of them tell.
        by_row: number of a row to its columns, where they are not those of the first rows.
        beside: name to the place of a column that states the units of its numbers.
    """

    file: str
    columns: Mapping[str, Column]
    rows: Sequence[Line]
    left_out: tuple[Remark, ...] = ()
    unread: tuple[str, ...] = ()
    marks: Mapping[str, Marks] = field(default_factory=dict)
    by_row: Mapping[int, Mapping[str, Column]] = field(default_factory=dict)
    beside: Mapping[str, int] = field(default_factory=dict)

    def _column(self, row: Line, name: str) -> Column | None:
        return self.by_row.get(row.number, self.columns).get(name)

    def text(self, row: Line, name: str) -> str:
        """Return what stands in a column; nothing where there is no such column."""
        column = self._column(row, name)
        return "" if column is None else row.cells[column.place]

    def stated_unit(self, row: Line, name: str) -> str:
        """Return the unit that a row states for a column, beside its number or with it; empty where it states none.

        Raises:
            TableError: it is unknown, lacks, or is another one than that of the column.
        """
        column = self._column(row, name)
        unit = "" if column is None else column.unit
        if name not in self.beside or row.number in self.by_row:
            return unit
        own = bare_unit(row.cells[self.beside[name]])
        if not own and not unit:
            raise TableError("has no unit beside it, where other rows have one")
        if own and unit and own != unit:
            raise TableError(f"is in {unit!r} by its head and in {own!r} by the column of units")
        if own and not is_unit(own):
            raise TableError(f"is in {own!r}, which is no unit that is known")
        return own or unit

    def check_unit(self, name: str, unit: str) -> None:
        """Check that a column can be converted.

        Raises:
            UnitError: its unit is unknown, or of another dimension; the message names the column.
        """
        for column in {part[name] for part in (self.columns, *self.by_row.values()) if name in part}:
            try:
                convert(1.0, column.unit or unit, unit)
            except UnitError as error:
                raise UnitError(f"column {column.letter} ({column.head!r}): {error}") from error

    def check_difference(self, name: str, unit: str) -> None:
        """Check that a column of differences, such as uncertainties, can be converted.

        Raises:
            UnitError: its unit is of another dimension; the message names the column.
        """
        for column in {part[name] for part in (self.columns, *self.by_row.values()) if name in part}:
            try:
                convert_difference(1.0, column.unit or unit, unit)
            except UnitError as error:
                raise UnitError(f"column {column.letter} ({column.head!r}): {error}") from error

    def number(self, row: Line, name: str, unit: str) -> Number | None:
        """Return a number of a row in a unit; None where there is none.

        Raises:
            TableError: it cannot be used.
        """
        found = self._read(row, name)
        if found is None:
            return None
        given = found.unit or self.stated_unit(row, name) or unit
        try:
            value = found.value if given == unit else float(f"{convert(found.value, given, unit):.12g}") + 0.0
            sd = None if found.sd is None else convert_difference(found.sd, given, unit)
            step = convert_difference(found.step, given, unit)
        except UnitError as error:
            raise TableError(str(error)) from error
        return Number(value, sd, abs(step), unit)

    def difference(self, row: Line, name: str, unit: str, of: str) -> float | None:
        """Return a difference, such as an uncertainty, in a unit; None where there is none.

        Args:
            row: the row.
            name: the column.
            unit: the unit that is wanted.
            of: the column of what it is a difference of, whose unit it has where it states none.

        Raises:
            TableError: it cannot be used.
        """
        found = self._read(row, name)
        if found is None:
            return None
        if found.value < 0:
            raise TableError("is negative")
        try:
            given = found.unit or self.stated_unit(row, name) or self._unit_of(row, of) or unit
            return convert_difference(found.value, given, unit)
        except UnitError as error:
            raise TableError(str(error)) from error

    def _unit_of(self, row: Line, name: str) -> str:
        found = self._read(row, name)
        return (found.unit if found else "") or self.stated_unit(row, name)

    def _read(self, row: Line, name: str) -> Number | None:
        own = self.marks.get(name, Marks())
        marks = replace(own or self.marks.get("", Marks()), grouping_blank=own.grouping_blank)
        return read_number(self.text(row, name), marks)


def read_sheet(path: Path, numbers: Sequence[str], texts: Sequence[str] = ()) -> Sheet:
    """Return a table by the columns that are looked for.

    Args:
        path: the file.
        numbers: names of columns of numbers.
        texts: names of columns of text.

    Raises:
        TableError: the file cannot be read, a column that is looked for stands there twice, or its unit is unknown.
    """
    wanted = [*numbers, *texts]
    lines = list(read_lines(path, wanted))
    if not lines:
        raise TableError("is empty")
    top = _top(lines, wanted)
    parts, left_out = parts_of(lines, top, numbers, texts)
    rows: list[Line] = []
    by_row: dict[int, Mapping[str, Column]] = {}
    for part in parts:
        holds_data = 0 in {column.place for column in part.columns.values()}
        found, apart = _rows(part.lines, part.head, holds_data=holds_data)
        rows += found
        left_out += apart
        by_row |= {row.number: part.columns for row in found if part is not parts[0]}
    sheet = Sheet(path.name, parts[0].columns, rows, tuple(left_out), by_row=by_row)
    marks = {name: Marks.of(sheet.text(row, name) for row in rows) for name in sheet.columns if name in numbers}
    marks[""] = reduce(or_, marks.values(), Marks())
    beside = columns_of_units(lines[top].cells, sheet.columns, numbers)
    unread = _unread(lines[top].cells, {*(c.place for c in sheet.columns.values()), *beside.values()})
    return replace(sheet, marks=marks, beside=beside, unread=unread)


def _unread(heads: Sequence[str], places: Collection[int]) -> tuple[str, ...]:
    """Return the heads of columns that nobody looks for, short enough to be shown."""
    return tuple(" ".join(head.split())[:40] for place, head in enumerate(heads) if head and place not in places)[:40]


def _top(lines: Sequence[Line], wanted: Sequence[str]) -> int:
    """Return the place of the line with the heads: the first of those with the most names that are looked for."""
    hits = [len(matched_columns(uncommented(line.cells), wanted)) for line in lines[:_HEADS_WITHIN]]
    if max(hits) > 0:
        return hits.index(max(hits))
    return next((i for i, line in enumerate(lines) if not line.cells[0].startswith("#")), 0)


def _rows(lines: Sequence[Line], head: Line, *, holds_data: bool) -> tuple[list[Line], list[Remark]]:
    """Return the rows of as many cells as there are heads, and why the others are none.

    Args:
        lines: those below the heads.
        head: the heads.
        holds_data: whether the first column is looked for, so that '#' in it is no part of a sample's name.
    """
    rows, left_out = [], []
    width = max((place + 1 for place, text in enumerate(head.cells) if text), default=0)
    marked = [bool(re.match(r"#(?!N/A|[A-Z0-9/]+[!?])", line.cells[0])) for line in lines]
    named = [mark for mark, line in zip(marked, lines, strict=True) if _is_like(line, width)]
    identifiers = all(named) or (not holds_data and 2 * sum(named) >= len(named))  # such as #1, #2, ...
    for line, is_marked in zip(lines, marked, strict=True):
        if is_marked and not _is_like(line, width):
            continue  # a comment
        if is_marked and not identifiers:
            left_out.append(Remark(line.number, "begins with '#', so that it is taken for a comment"))
        elif line.cells == head.cells:
            left_out.append(Remark(line.number, "repeats the names of the columns"))
        elif len(line.cells) < width or any(line.cells[width:]):
            cells = len(line.cells) if len(line.cells) < width else _used(line.cells)
            hint = "; a decimal comma, or a text with the separator, must stand in quotes" if cells > width else ""
            left_out.append(Remark(line.number, f"{cells} cells for {width} columns{hint}"))
        else:
            rows.append(Line(line.number, line.cells[:width]))
    return rows, left_out


def _is_like(line: Line, width: int) -> bool:
    return len(line.cells) >= width and sum(map(bool, line.cells)) > 1


def _used(cells: Sequence[str]) -> int:
    return max(i + 1 for i, cell in enumerate(cells) if cell)
