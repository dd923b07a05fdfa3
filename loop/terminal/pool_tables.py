"""What ``athanor pool`` prints of a pool: what was found, elements, prototypes and ranges."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from loop.core.formatting import date_time, number_text, one_line
from loop.terminal.console import new_table
from surrogates.pools.build_report import BadEntry, Duplicate, Note, Unsettled
from surrogates.pools.cleanup import BuiltPool
from surrogates.pools.pool import Pool

Rows = list[tuple[str, str]]
Part = tuple[str, RenderableType]

_BAR = 30  # characters of the longest bar
_MOST = 20  # rows of a table of counts


def summary_rows(pool: Pool) -> Rows:
    """Return what a pool holds, in labelled lines."""
    report = pool.report
    rows = [("pool", f"{one_line(pool.name)}, {_count(len(pool), 'entry', 'entries')}")]
    rows.append(("formulas", f"{len(set(pool.formulas)):,} different"))
    if report.read:
        folded = _count(len(report.duplicates), "duplicate", "duplicates")
        rows.append(("read", f"{report.read:,}, {len(report.bad):,} of them bad, {folded} folded"))
    if report.notes:
        noted = _count(len({note.place for note in report.notes}), "entry", "entries")
        rows.append(("notes", f"{noted} not read as written, or on trust; 'athanor pool check' lists them"))
    if report.unsettled:
        rows.append(("lattices", f"{len(report.unsettled):,} stay as given: CHGNet finds none"))
    rows.append(("kept in", "memory, made anew each time" if pool.folder is None else str(pool.folder)))
    return rows


def finding_parts(pool: Pool) -> Iterator[Part]:
    """Yield titled tables of what was found while the pool was made, of those that are not empty."""
    report = pool.report
    tables = (
        ("bad", bad_table(report.bad)),
        ("duplicates", duplicates_table(report.duplicates)),
        ("lattices that were not set", unsettled_table(report.unsettled)),
        ("notes", notes_table(report.notes)),
    )
    yield from ((title, table) for title, table in tables if table.row_count)


def bad_table(bad: Iterable[BadEntry]) -> Table:
    """Return where bad entries stand, and what is wrong with them."""
    table = new_table("file", "row", "reason")
    for each in bad:
        table.add_row(one_line(each.place.file), _row(each.place.row), one_line(each.reason))
    return table


def duplicates_table(duplicates: Iterable[Duplicate]) -> Table:
    """Return which entries were folded into which."""
    table = new_table("file", "row", "id", "same as")
    for each in duplicates:
        table.add_row(one_line(each.place.file), _row(each.place.row), one_line(each.id), one_line(each.kept))
    return table


def unsettled_table(unsettled: Iterable[Unsettled]) -> Table:
    """Return which entries have the lattice that they were given, though it was to be set, and why."""
    table = new_table("file", "row", "id", "reason")
    for each in unsettled:
        table.add_row(one_line(each.place.file), _row(each.place.row), one_line(each.id), one_line(each.reason))
    return table


def notes_table(notes: Iterable[Note]) -> Table:
    """Return what was not taken as it stands, or was taken on trust."""
    table = new_table("file", "row", "id", "note")
    for each in notes:
        table.add_row(one_line(each.place.file), _row(each.place.row), one_line(each.id), one_line(each.text))
    return table


def removed_table(removed: Iterable[tuple[BuiltPool, bool]]) -> Table:
    """Return which built pools were to go, and whether they are gone."""
    table = new_table("pool", "last used", "MB", "")
    for pool, gone in removed:
        sources = ", ".join(pool.sources.values()) or pool.folder.name
        table.add_row(
            one_line(sources), date_time(pool.used), f"{pool.size / 1e6:,.2f}", "removed" if gone else "in use, stays"
        )
    return table


def composition_parts(pool: Pool) -> Iterator[Part]:
    """Yield titled tables: elements, prototypes, ranges."""
    elements = Counter(element for formula in pool.formulas for element in set(re.findall("[A-Z][a-z]?", formula)))
    yield f"elements ({len(elements)})", _counts_table("element", elements, len(pool))
    prototypes = Counter(pool.prototypes)
    yield f"prototypes ({len(prototypes)})", _counts_table("prototype", prototypes, len(pool))
    yield "ranges", _ranges_table(pool)


def _counts_table(head: str, counts: Counter[str], total: int) -> Table:
    """Return the most frequent names, with bars for their share of all entries."""
    table = new_table(head, "entries", "share", "")
    largest = max(counts.values())
    for name, count in counts.most_common(_MOST):
        bar = Text("█" * max(1, round(_BAR * count / largest)), style="cyan")
        table.add_row(name, f"{count:,}", f"{count / total:.1%}", bar)
    if len(counts) > _MOST:
        rest = sum(counts.values()) - sum(count for _, count in counts.most_common(_MOST))
        table.add_row(f"{len(counts) - _MOST} others", f"{rest:,}", "", "")
    return table


def _ranges_table(pool: Pool) -> Table:
    table = new_table("quantity", "smallest", "median", "largest", "missing")
    columns: dict[str, NDArray[np.float64]] = {
        "atoms in the cell": pool.index.sites.astype(float),
        "volume per atom [Å3]": pool.index.volumes,
    }
    for name, values in (columns | dict(pool.properties)).items():
        there = values[np.isfinite(values)]
        numbers = [number_text(float(x)) for x in np.quantile(there, (0.0, 0.5, 1.0))] if there.size else ["–"] * 3
        table.add_row(one_line(name), *numbers, str(len(values) - there.size))
    return table


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _row(number: int | None) -> str:
    return "" if number is None else str(number)
