"""Tables as they lie on disk: text files of any usual encoding and separator, and Excel workbooks.

A line keeps the number that a spreadsheet program shows beside it: empty lines and comments count.
"""

from __future__ import annotations

import codecs
import csv
import datetime
import gzip
import io
import lzma
import re
import sys
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from campaigns.errors import TableError
from campaigns.tables.number_formats import displayed

if TYPE_CHECKING:
    from openpyxl.cell.cell import Cell

TABLES = (".csv", ".tsv", ".txt", ".xlsx")
"""Endings of the names of tables that can be read."""
_SEPARATORS = (",", ";", "\t", "|")
_LOOKED_AT = 40  # lines from which the separator is recognised
_ALIKE = 0.6  # a sheet with this share of the names that the best one has may be meant, too
_FALLBACK = "cp1252-for-bytes-that-are-no-utf-8"
_BOMS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Typed(str):
    """A number that a workbook holds as a number, and the unit that its format shows: with a decimal point always."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a table.

    Attributes:
        number: where it stands, from 1, as a spreadsheet program counts.
        cells: their text, without blanks around it; a text of several lines, such as a CIF, as it stands.
    """

    number: int
    cells: tuple[str, ...]


def read_lines(path: Path, wanted: Collection[str] = ()) -> Iterator[Line]:
    """Yield the lines of a table that are not empty, the first of them first.

    Args:
        path: the file; its name may also end in .gz or .xz.
        wanted: names of columns, by which the separator of a text file and the sheet of a workbook are recognised.

    Raises:
        TableError: it cannot be read, or is no table.
    """
    if path.name.lower().endswith(".xlsx"):
        yield from _workbook_lines(path, wanted)
        return
    number = 0
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))  # a large cell's CIF passes the default of 128 kB
    try:
        separator, stated = _separator(path, wanted)
        with _open(path) as file:
            if stated:
                next(file)
            rows = csv.reader(file, delimiter=separator, skipinitialspace=separator != "\t")
            for number, row in enumerate(rows, 1):
                cells = tuple(_trimmed(cell) for cell in row)
                if any(cells):
                    yield Line(number, cells)
    except (OSError, EOFError, UnicodeError, lzma.LZMAError, zlib.error, csv.Error) as error:
        beyond = f" beyond line {number}" if number else ""
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TableError(f"{path} cannot be read{beyond}: {reason or type(error).__name__}") from error


def _trimmed(cell: str) -> str:
    return cell.strip() if "\n" not in cell else cell


def _decoded(error: UnicodeError) -> tuple[str, int]:
    """Read bytes that are no UTF-8 as Windows and older instruments write them: cp1252, else latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    found = error.object[error.start : error.end]
    try:
        return found.decode("cp1252"), error.end
    except UnicodeDecodeError:
        return found.decode("latin-1"), error.end


codecs.register_error(_FALLBACK, _decoded)


def _open(path: Path) -> IO[str]:
    """Open a text file, plain or compressed, however it is encoded; line ends stay as they are."""
    name = path.name.lower()
    opener: Any = gzip.open if name.endswith(".gz") else lzma.open if name.endswith(".xz") else open
    with opener(path, "rb") as file:
        encoding = _encoding(file.read(4096))
    errors = _FALLBACK if encoding == "utf-8-sig" else "strict"
    opened: IO[str] = opener(path, "rt", encoding=encoding, errors=errors, newline="")
    return opened


def _encoding(start: bytes) -> str:
    """Return the encoding of a file that begins with some bytes."""
    for bom, name in _BOMS.items():
        if start.startswith(bom):
            return name
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) > len(start) // 4:  # UTF-16 of mostly ASCII has a zero in every other byte
        return "utf-16-le" if odd > even else "utf-16-be"
    return "utf-8-sig"


def _separator(path: Path, wanted: Collection[str]) -> tuple[str, bool]:
    """Return what separates the cells, and whether the first line does nothing but say so, as Excel writes it."""
    with _open(path) as file:
        text = [line for _, line in zip(range(_LOOKED_AT), file, strict=False)]
    if stated := re.fullmatch(r'"?sep=(.)"?\s*', text[0] if text else ""):
        return stated[1], True
    lines = [line for line in text if line.strip() and not line.lstrip().startswith("#")] or text
    if not lines:
        return ",", False
    order = ("\t", *_SEPARATORS) if path.suffix.lower() == ".tsv" else _SEPARATORS
    return max(order, key=lambda mark: _fit(lines, mark, wanted)), False


def _fit(lines: list[str], separator: str, wanted: Collection[str]) -> tuple[int, bool, int, int]:
    """Return how well a separator fits some lines: wanted names, cells, lines of as many cells."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator, skipinitialspace=True)]
    names = [name.casefold() for name in wanted]
    hits = [sum(any(_begins(cell, name) for cell in row) for name in names) for row in rows]
    head = rows[hits.index(max(hits))]
    return max(hits), len(head) > 1, sum(len(row) == len(head) for row in rows), len(head)


def _begins(cell: str, name: str) -> bool:
    text = cell.casefold()
    return text.startswith(name) and not text[len(name) : len(name) + 1].isalnum()


def workbook(title: str, heads: Sequence[str], rows: Sequence[Sequence[str | float | None]]) -> bytes:
    """Return an Excel workbook of one sheet; cells that are None are to be filled in, and coloured.

    Args:
        title: of the sheet.
        heads: of its columns.
        rows: below them.

    Raises:
        TableError: openpyxl, which writes it, is not installed.
    """
    try:
        import openpyxl
        from openpyxl.styles import Font, PatternFill
        from openpyxl.utils import get_column_letter
    except ModuleNotFoundError as error:
        advice = "pip install 'athanor-sdl[xlsx]', or write the table as CSV"
        raise TableError(f"openpyxl, which writes Excel workbooks, is not installed; {advice}") from error
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.title, sheet.freeze_panes = title, "B2"
    for line in (heads, *rows):
        sheet.append(["" if cell is None else cell for cell in line])
    for place, head in enumerate(heads, 1):
        sheet.cell(1, place).font = Font(bold=True)
        sheet.column_dimensions[get_column_letter(place)].width = max(12, len(head) + 2)
        for number, row in enumerate(rows, 2):
            if row[place - 1] is None:
                sheet.cell(number, place).fill = PatternFill("solid", fgColor="FFF8DC")
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _workbook_lines(path: Path, wanted: Collection[str]) -> Iterator[Line]:
    try:
        import openpyxl
    except ModuleNotFoundError as error:
        raise TableError(
            f"{path.name} is an Excel workbook, and openpyxl, which reads them, is not installed; "
            "pip install 'athanor-sdl[xlsx]', or save the table as CSV"
        ) from error
    try:
        sheets = _sheets(path, openpyxl.load_workbook)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise TableError(f"{path} cannot be read: {reason or type(error).__name__}; save it again") from error
    yield from _chosen(sheets, path, wanted)


@dataclass(frozen=True, slots=True)
class _Sheet:
    title: str
    hidden: bool
    cells: list[list[str]]

    @property
    def lines(self) -> list[Line]:
        width = max(map(len, self.cells), default=0)
        found = [Line(i, (*row, *[""] * (width - len(row)))) for i, row in enumerate(self.cells, 1)]
        return [line for line in found if any(line.cells)]

    def fit(self, names: Sequence[str]) -> int:
        """Return how many names one line of the sheet has."""
        rows = self.cells[:_LOOKED_AT]
        return max((sum(any(_begins(cell, name) for cell in row) for name in names) for row in rows), default=0)


def _sheets(path: Path, load: Callable[..., Any]) -> list[_Sheet]:
    """Return the sheets that hold anything, with formulas where no program has calculated them."""
    with closing(load(path, read_only=True, data_only=True)) as book:
        sheets = [_Sheet(sheet.title, sheet.sheet_state != "visible", _cells(sheet)) for sheet in book.worksheets]
    gaps = any(not all(row) for sheet in sheets for row in sheet.cells)
    if gaps:
        with closing(load(path, read_only=True)) as book:
            formulas = {sheet.title: _formulas(sheet) for sheet in book.worksheets}
        places = [(sheet.cells[i], j, text) for sheet in sheets for (i, j), text in formulas[sheet.title].items()]
        if not any(row[j] for row, j, _ in places):  # else the empty ones are texts that are empty
            for row, j, text in places:
                row[j] = text
    return [sheet for sheet in sheets if any(map(any, sheet.cells))]


def _cells(sheet: Any) -> list[list[str]]:
    sheet.reset_dimensions()  # some programs state a wrong size
    return [[_text(cell) for cell in row] for row in sheet.iter_rows()]


def _formulas(sheet: Any) -> dict[tuple[int, int], str]:
    sheet.reset_dimensions()
    return {
        (i, j): str(getattr(cell.value, "text", cell.value))
        for i, row in enumerate(sheet.iter_rows())
        for j, cell in enumerate(row)
        if cell.value is not None and cell.data_type == "f"
    }


def _chosen(sheets: Sequence[_Sheet], path: Path, wanted: Collection[str]) -> list[Line]:
    """Return the lines of the one sheet that is meant: hidden ones are only where no other has the names."""
    names = [name.casefold() for name in wanted]
    fits = {sheet.title: sheet.fit(names) for sheet in sheets}
    seen = [sheet for sheet in sheets if not sheet.hidden]
    best = max((fits[sheet.title] for sheet in seen), default=0) or max(fits.values(), default=0)
    candidates = seen if any(fits[sheet.title] for sheet in seen) or (seen and not best) else sheets
    meant = [sheet for sheet in candidates if fits[sheet.title] >= _ALIKE * best]
    if len(meant) > 1:
        raise TableError(
            f"{path.name} has several sheets that may be meant: {', '.join(repr(sheet.title) for sheet in meant)}; "
            "save the one that is meant in a workbook of its own, or as CSV"
        )
    return meant[0].lines if meant else []


def _text(cell: Cell) -> str:
    """Return what a cell of a workbook shows, with all digits of its number."""
    if cell.value is not None and cell.font.strike:
        return f"~~{cell.value}~~"
    value, style = cell.value, str(cell.number_format or "")
    match value:
        case None:
            return ""
        case bool():
            return str(value).upper()
        case int() if re.fullmatch("0{2,}", style):  # an identifier with leading zeros
            return str(value).zfill(len(style))
        case int() | float():
            return _with_format(value, style)
        case datetime.datetime() | datetime.date() | datetime.time():
            return value.isoformat()
    return str(value).strip()


def _with_format(value: float, number_format: str) -> str:
    """Return a number as its format shows it, but with all of its digits."""
    about = displayed(value, number_format)
    factor = about.factor if about.after else 1.0  # thousands without a word are a matter of display
    number = f"{value!r}" if factor == 1.0 else f"{value * factor:.12g}"
    if re.search("[<>≤≥~≈∼±]", about.before):
        return f"{about.before}{number} {about.after}".strip()
    return Typed(f"{number} {about.after}".strip())
