"""Rows of a table: CSV in any usual encoding and with any usual separator, plain or compressed, or of a workbook."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from campaigns.errors import CampaignError, TableError, suggestion
from campaigns.pool_source import TablePoolConfig
from campaigns.tables.cells import Marks, missing, read_number
from campaigns.tables.files import Line, read_lines
from campaigns.tables.headers import bare_unit, split_head
from campaigns.units import is_unit
from surrogates.pools.build_report import BadEntry, Place, pool_error
from surrogates.pools.sources.item import Item, PoolFiles, name_of

_HEADS_WITHIN = 30  # lines from the top of a table


def csv_source(config: TablePoolConfig) -> PoolFiles:
    """Return the rows of a table.

    Raises:
        CampaignError: a column is missing, or (while reading) the file is damaged.
    """
    columns = _columns(config)
    count, cells = 0, {key: set[str]() for key in config.properties}
    for line in _below(config):
        count += 1
        for key, texts in cells.items():
            place = columns.index(key) if key in columns else len(line.cells)
            texts.update(line.cells[place : place + 1])
    return PoolFiles(count, _items(config, {key: Marks.of(texts) for key, texts in cells.items()}))


def check_header(config: TablePoolConfig) -> None:
    """Check that the columns that the configuration names are in the head of a table; read no further.

    Raises:
        CampaignError: they are not, or the file is damaged.
    """
    check_columns(config, _columns(config))


def stated_unit(config: TablePoolConfig, name: str) -> tuple[str, str]:
    """Return the column that is called so, with or without a unit, and the unit that its head or the row below states.

    Raises:
        CampaignError: the file is damaged.
    """
    columns = _columns(config)
    split = {head: split_head(head, [name]) for head in columns}
    found = [name] if name in columns else [head for head, (own, _) in split.items() if own == name]
    if len(found) != 1:
        return name, ""
    head = found[0]
    place, unit = columns.index(head), split[head][1]
    first = next(_below(config), None)
    below = first.cells[place] if first is not None and place < len(first.cells) else ""
    if not unit and is_unit(bare_unit(below)) and not missing(below):
        unit = bare_unit(below)
    return head, unit


def check_columns(config: TablePoolConfig, columns: Sequence[str]) -> None:
    """Check that the columns that the configuration names are there, once.

    Raises:
        CampaignError: they are not.
    """
    if not columns:
        raise pool_error(f"{config.path.name} is empty; a table has a line with the names of its columns")
    wanted = [config.structure, *([config.id] if config.id else []), *config.properties]
    for name in wanted:
        if columns.count(name) != 1:
            trouble = "has several columns" if name in columns else f"has no column{suggestion(name, columns)}"
            shown = ", ".join(map(repr, columns[:20]))
            raise pool_error(f"{config.path.name} {trouble}: got {name!r}; its columns: {shown}")


def row_item(
    config: TablePoolConfig, place: Place, row: Mapping[str, object], marks: Mapping[str, Marks]
) -> Item | BadEntry:
    """Return one row, or why it cannot be used.

    Args:
        marks: property to what its column tells of the marks in numbers.
    """
    content = row[config.structure]
    if not isinstance(content, str | bytes) or not content.strip():
        return BadEntry(place, f"its {config.structure} is empty")
    text = content.decode("utf-8", errors="replace") if isinstance(content, bytes) else content
    try:
        name = None if config.id is None else name_of(row[config.id], config.id)
        values = tuple(_number(row[key], key, marks.get(key, Marks())) for key in config.properties)
    except ValueError as error:
        return BadEntry(place, str(error))
    return Item(place, text, name, values)


def _items(config: TablePoolConfig, marks: Mapping[str, Marks]) -> Iterator[Item | BadEntry]:
    columns = _columns(config)
    check_columns(config, columns)
    for number, line in enumerate(_below(config), 1):
        place = Place(config.path.name, number)
        fields = line.cells if any(line.cells[len(columns) :]) else line.cells[: len(columns)]
        if len(fields) != len(columns):
            yield BadEntry(place, f"has {len(fields)} fields; the header has {len(columns)}")
        else:
            yield row_item(config, place, dict(zip(columns, fields, strict=True)), marks)


def _columns(config: TablePoolConfig) -> list[str]:
    """Return the heads of the columns."""
    heads = _top(config)
    cells = [] if heads is None else list(heads.cells)
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _top(config: TablePoolConfig) -> Line | None:
    """Return the line with the heads: the first with that of the structures, else the first that is no comment."""
    first = list(itertools.islice(_lines(config), _HEADS_WITHIN))
    named = [line for line in first if config.structure in line.cells]
    plain = [line for line in first if not line.cells[0].startswith("#")]
    return next(iter([*named, *plain, *first]), None)


def _below(config: TablePoolConfig) -> Iterator[Line]:
    """Yield the lines below the heads."""
    top = _top(config)
    return (line for line in _lines(config) if top is not None and line.number > top.number)


def _lines(config: TablePoolConfig) -> Iterator[Line]:
    wanted = [config.structure, *([config.id] if config.id else []), *config.properties]
    try:
        yield from read_lines(config.path, wanted)
    except TableError as error:
        raise pool_error(f"{error}; copy or download it again") from error


def damaged(path: Path, error: Exception, row: int = 0) -> CampaignError:
    """Return the error for a file that cannot be read, or not beyond a row."""
    beyond = f" beyond row {row}" if row > 0 else ""
    return pool_error(f"{path} cannot be read{beyond}: {error or type(error).__name__}; copy or download it again")


def _number(value: object, key: str, marks: Marks) -> float:
    """Return a number, NaN where there is none.

    Raises:
        ValueError: it is something else.
    """
    if value is None:
        return math.nan
    try:
        found = read_number(str(value), marks)
    except TableError as error:
        finite = "a finite number" if "finite" in str(error) or "large" in str(error) else "a number"
        raise ValueError(f"got {value!r} as {key}; allowed: {finite}, or nothing: it {error}") from None
    if found is None:
        return math.nan
    if found.unit:
        raise ValueError(f"got {value!r} as {key}; allowed: a number without a unit, as the column states none")
    return found.value
