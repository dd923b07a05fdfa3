"""Rows of a CSV file, plain or compressed."""

from __future__ import annotations

import csv
import gzip
import lzma
import math
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from campaigns.errors import CampaignError, suggestion
from campaigns.pool import TablePoolConfig
from surrogates.pools.findings import BadEntry, Place, pool_error
from surrogates.pools.sources.item import Item, Source, name_of

_MISSING = {"", "nan", "none", "null", "na", "n/a"}


def csv_source(config: TablePoolConfig) -> Source:
    """Return the rows of a CSV file.

    Raises:
        CampaignError: a column is missing, or (while reading) the file is damaged.
    """
    lines = sum(1 for _ in _rows(config.path))
    return Source(max(lines - 1, 0), _items(config))


def check_header(config: TablePoolConfig) -> None:
    """Check that the columns that the configuration names are in the first line of a CSV file; read no further.

    Raises:
        CampaignError: they are not, or the file is damaged.
    """
    check_columns(config, next(_rows(config.path), []))


def check_columns(config: TablePoolConfig, columns: Sequence[str]) -> None:
    """Check that the columns that the configuration names are there, once.

    Raises:
        CampaignError: they are not.
    """
    if not columns:
        raise pool_error(f"{config.path.name} is empty; a table has a line with the names of its columns")
    if any("\0" in column for column in columns):
        raise pool_error(f"{config.path.name} is no text in UTF-8; save it as CSV in UTF-8")
    wanted = [config.structure, *([config.id] if config.id else []), *config.properties]
    for name in wanted:
        if columns.count(name) != 1:
            trouble = "has several columns" if name in columns else f"has no column{suggestion(name, columns)}"
            shown = ", ".join(map(repr, columns[:20]))
            raise pool_error(f"{config.path.name} {trouble}: got {name!r}; its columns: {shown}{_separator(columns)}")


def _separator(columns: Sequence[str]) -> str:
    """Return what to do where a whole line was taken for one column, else nothing."""
    found = [mark for mark in ";\t|" if len(columns) == 1 and mark in columns[0]]
    return f"; they seem to be separated by {found[0]!r}: save the table with commas" if found else ""


def row_item(config: TablePoolConfig, place: Place, row: Mapping[str, object]) -> Item | BadEntry:
    """Return one row, or why it cannot be used."""
    content = row[config.structure]
    if not isinstance(content, str | bytes) or not content.strip():
        return BadEntry(place, f"its {config.structure} is empty")
    text = content.decode("utf-8", errors="replace") if isinstance(content, bytes) else content
    try:
        name = None if config.id is None else name_of(row[config.id], config.id)
        values = tuple(_number(row[key], key) for key in config.properties)
    except ValueError as error:
        return BadEntry(place, str(error))
    return Item(place, text, name, values)


def _items(config: TablePoolConfig) -> Iterator[Item | BadEntry]:
    rows = _rows(config.path)
    header = next(rows, [])
    check_columns(config, header)
    for number, fields in enumerate(rows, 1):
        place = Place(config.path.name, number)
        if len(fields) != len(header):
            yield BadEntry(place, f"has {len(fields)} fields; the header has {len(header)}")
        else:
            yield row_item(config, place, dict(zip(header, fields, strict=True)))


def _rows(path: Path) -> Iterator[list[str]]:
    """Yield the rows that are not blank, the header first."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a large cell's CIF passes the default of 128 kB
    row = 0
    try:
        with _open(path) as file:
            for fields in csv.reader(file):
                if fields:
                    yield fields
                    row += 1
    except (OSError, EOFError, lzma.LZMAError, zlib.error, csv.Error) as error:
        raise damaged(path, error, row - 1) from error


def damaged(path: Path, error: Exception, row: int = 0) -> CampaignError:
    """Return the error for a file that cannot be read, or not beyond a row."""
    beyond = f" beyond row {row}" if row > 0 else ""
    return pool_error(f"{path} cannot be read{beyond}: {error or type(error).__name__}; copy or download it again")


def _open(path: Path) -> TextIO:
    name = path.name.lower()
    if name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    if name.endswith(".xz"):
        return lzma.open(path, "rt", encoding="utf-8-sig", errors="replace", newline="")
    return path.open(encoding="utf-8-sig", errors="replace", newline="")


def _number(value: object, key: str) -> float:
    """Return a number, NaN where there is none.

    Raises:
        ValueError: it is something else.
    """
    if value is None or (isinstance(value, str) and value.strip().lower() in _MISSING):
        return math.nan
    try:
        number = float(str(value))
    except ValueError:
        raise ValueError(f"got {value!r} as {key}; allowed: a number, or nothing") from None
    if math.isinf(number):
        raise ValueError(f"got {value!r} as {key}; allowed: a finite number, or nothing")
    return number
