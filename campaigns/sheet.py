"""Tables with named columns: heads with units, a row of units below them, and rows with their numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from campaigns.cells import Marks, Number, missing, read_number
from campaigns.errors import TableError, UnitError
from campaigns.remarks import Remark
from campaigns.tabular import Line, read_lines
from campaigns.units import check_unit, convert, convert_difference, is_unit

_NO_UNIT = re.compile(r"(?!1$|1\s*/\s*\D)[(]?\s*[-+−±]?\s*[.,]?[0-9]|[#<>~≈≤≥=]|(?:ca|approx|about)\b")
"""How a cell begins that is a number, an error or a bound, and not a unit such as 1 or 1/h."""
_HEADS_WITHIN = 30  # lines from the top of a table
_SD = (
    "sd",
    "std",
    "stdev",
    "std dev",
    "standard deviation",
    "sigma",
    "uncertainty",
    "standard uncertainty",
    "±",
    "+/-",
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        place: from 0.
        head: its head as it stands there.
        unit: what head or row of units state; empty where they state none.
    """

    place: int
    head: str
    unit: str = ""

    @property
    def letter(self) -> str:
        """What a spreadsheet program calls the column: A, B, ... Z, AA, ..."""
        place, text = self.place + 1, ""
        while place:
            place, rest = divmod(place - 1, 26)
            text = chr(ord("A") + rest) + text
        return text


@dataclass(frozen=True)
class Sheet:
    """A table whose columns are known by name.

    Attributes:
        file: its name.
        columns: those that were looked for and are there, by the names that were looked for.
        rows: the rows, their cells in the order of the table.
        left_out: rows that are no data or cannot be told apart into cells.
        unread: heads of the columns that nobody looked for.
    """

    file: str
    columns: Mapping[str, Column]
    rows: Sequence[Line]
    left_out: tuple[Remark, ...] = ()
    unread: tuple[str, ...] = ()
    marks: Mapping[str, Marks] = field(default_factory=dict)

    def text(self, row: Line, name: str) -> str:
        """Return what stands in a column; nothing where there is no such column."""
        column = self.columns.get(name)
        return "" if column is None else row.cells[column.place]

    def check_unit(self, name: str, unit: str) -> None:
        """Check that a column can be converted.

        Raises:
            UnitError: its unit is unknown, or of another dimension; the message names the column.
        """
        column = self.columns[name]
        try:
            convert(1.0, column.unit or unit, unit)
        except UnitError as error:
            raise UnitError(f"column {column.letter} ({column.head!r}): {error}") from error

    def check_difference(self, name: str, unit: str) -> None:
        """Check that a column of differences, such as uncertainties, can be converted.

        Raises:
            UnitError: its unit is of another dimension; the message names the column.
        """
        column = self.columns[name]
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
        given = found.unit or self.columns[name].unit or unit
        try:
            value = found.value if given == unit else float(f"{convert(found.value, given, unit):.12g}") + 0.0
            sd = None if found.sd is None else convert_difference(found.sd, given, unit)
            step = convert_difference(found.step, given, unit)
        except UnitError as error:
            raise TableError(str(error)) from error
        return Number(value, sd, abs(step), unit)

    def difference(self, row: Line, name: str, unit: str, otherwise: str) -> float | None:
        """Return a difference, such as an uncertainty, in a unit; None where there is none.

        Args:
            otherwise: unit of a column that states none.

        Raises:
            TableError: it cannot be used.
        """
        found = self._read(row, name)
        if found is None:
            return None
        if found.value < 0:
            raise TableError("is negative")
        try:
            return convert_difference(found.value, found.unit or self.columns[name].unit or otherwise, unit)
        except UnitError as error:
            raise TableError(str(error)) from error

    def _read(self, row: Line, name: str) -> Number | None:
        own = self.marks.get(name, Marks())
        return read_number(self.text(row, name), own or self.marks.get("", Marks()))


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
        return Sheet(path.name, {}, ())
    top = _top(lines, wanted)
    columns = _columns(lines[top].cells, numbers, texts)
    columns, below = _with_units(columns, lines[top + 1 :], numbers)
    above = [Remark(line.number, "stands above the names of the columns") for line in lines[:top] if _is_row(line)]
    first = 0 in {column.place for column in columns.values()}
    rows, left_out = _rows(below, lines[top], holds_data=first)
    cells = {name: [row.cells[c.place] for row in rows] for name, c in columns.items() if name in numbers}
    marks = {name: Marks.of(found) for name, found in cells.items()}
    marks[""] = Marks.of(cell for found in cells.values() for cell in found)
    return Sheet(path.name, columns, rows, (*above, *left_out), _unread(lines[top].cells, columns), marks)


def _with_units(
    columns: Mapping[str, Column], below: Sequence[Line], numbers: Sequence[str]
) -> tuple[dict[str, Column], Sequence[Line]]:
    """Return the columns with the units of a row of units, where there is one, and the lines below it.

    Raises:
        TableError: a unit is unknown, or head and row state different ones.
    """
    found = dict(columns)
    if below and _states_units(below[0], columns, numbers):
        found = {name: _with_unit(column, below[0], name in numbers) for name, column in columns.items()}
        below = below[1:]
    for name in numbers:
        if name in found and found[name].unit:
            _check_unit(found[name])
    return found, below


def _unread(heads: Sequence[str], columns: Mapping[str, Column]) -> tuple[str, ...]:
    """Return the heads of columns that nobody looks for, short enough to be shown."""
    places = {column.place for column in columns.values()}
    return tuple(" ".join(head.split())[:40] for place, head in enumerate(heads) if head and place not in places)[:40]


def _is_row(line: Line) -> bool:
    return sum(map(bool, line.cells)) > 1 and not line.cells[0].startswith("#")


def _top(lines: Sequence[Line], wanted: Sequence[str]) -> int:
    """Return the place of the line with the heads: the first of those with the most names that are looked for."""
    hits = [len(_matched(_uncommented(line.cells), wanted)) for line in lines[:_HEADS_WITHIN]]
    if max(hits) > 0:
        return hits.index(max(hits))
    return next((i for i, line in enumerate(lines) if not line.cells[0].startswith("#")), 0)


def _uncommented(cells: Sequence[str]) -> tuple[str, ...]:
    """Return heads without the mark of a comment before the first, as numerical programs write them."""
    heads = [" ".join(cell.split()) for cell in cells]  # spreadsheets break lines in heads
    return (heads[0].lstrip("# "), *heads[1:])


def _columns(cells: Sequence[str], numbers: Sequence[str], texts: Sequence[str]) -> dict[str, Column]:
    """Return the columns that are looked for.

    Raises:
        TableError: one of them stands there twice.
    """
    found: dict[str, Column] = {}
    heads = _uncommented(cells)
    for name, places in _matched(heads, [*numbers, *texts]).items():
        columns = [Column(place, heads[place], bare_unit(unit) if name in numbers else "") for place, unit in places]
        if len(columns) > 1:
            told = " and ".join(f"{column.letter} ({column.head!r})" for column in columns)
            raise TableError(f"columns {told} are both {name!r}; remove or rename all but one")
        found[name] = columns[0]
    return found


def _matched(heads: Sequence[str], wanted: Sequence[str]) -> dict[str, list[tuple[int, str]]]:
    """Return name to the places and units of its columns; a head that is a name itself comes before all others."""
    exact = {name: [(i, "") for i, head in enumerate(heads) if head == name] for name in wanted}
    split = [split_head(head, wanted) for head in heads]
    found = {name: exact[name] or [(i, unit) for i, (own, unit) in enumerate(split) if own == name] for name in wanted}
    for name in wanted:  # a name that is written in another way: only where none is written as it is
        if exact[name] and any(own == name for own, _ in split):
            found[name] = sorted({*exact[name], *((i, u) for i, (own, u) in enumerate(split) if own == name and u)})
        if not found[name]:
            likes = [_like(own) for own, _ in split]
            taken = {i for places in found.values() for i, _ in places}
            alike = [other for other in wanted if _like(other) & _like(name)]
            if alike == [name]:
                found[name] = [
                    (i, split[i][1]) for i, like in enumerate(likes) if like & _like(name) and i not in taken
                ]
    return {name: places for name, places in found.items() if places}


def split_head(head: str, wanted: Sequence[str]) -> tuple[str, str]:
    """Return name and unit of a head: 'a [K]', 'a (K)', and where a is looked for 'a / K', 'a, K', 'a in K', 'a_K'."""
    if head in wanted:
        return head, ""
    for pattern in (r"(.*?)\s*\[([^\[\]]*)\]", r"(.*?)\s*\(((?:[^()]|\([^()]*\))*)\)"):
        if match := re.fullmatch(pattern, head):
            return match[1].strip(), match[2].strip()
    likes = set().union(*map(_like, wanted)) if wanted else set()
    if match := re.fullmatch(r"(.*?)\s*[\[(]([^\[\]()]*)[\])]\s*(\S.*)", head):  # capacity [mAh/g] sd
        name = f"{match[1]} {match[3]}"
        if _like(name) & likes:
            return name, match[2].strip()
    for mark in ("/", ",", " in ", "_", " "):
        name, _, unit = head.rpartition(mark) if mark in "_ " else head.partition(mark)
        if name and unit and _like(name.strip()) & likes and (mark not in "_ " or is_unit(unit)):
            return name.strip(), re.sub(r"^\((.*)\)$", r"\1", unit.strip())
    return head, ""


def _like(name: str) -> set[str]:
    """Return what is taken for the same name: without regard to case, blanks, and how an uncertainty is called."""
    plain = re.sub(r"[\s_-]+", " ", name.strip().casefold())
    for word in _SD:
        if plain.endswith(f" {word}"):
            plain = f"{plain.removesuffix(word).strip()} sd"
        elif plain.startswith((f"{word} ", f"{word}(")) and word != "uncertainty":
            plain = f"{plain.removeprefix(word).strip(' ()')} sd"
    return {plain}


def bare_unit(cell: str) -> str:
    """Return a unit without the brackets in which it may stand below a head."""
    unit = re.sub(r"^(?:\[(.*)\]|\((.*)\))$", r"\1\2", cell.strip()).strip()
    return "1" if unit in ("-", "–", "—") else unit  # a number without dimension


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
        raise TableError(f"column {column.letter} ({column.head!r}): {error}") from error


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
