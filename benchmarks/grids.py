"""A table that can be shown in a terminal and written to a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.markup import escape
from rich.table import Table


@dataclass(frozen=True)
class Grid:
    """A table of texts.

    Attributes:
        notes: lines below the table.
        words: how many columns, from the left, hold words rather than numbers.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    words: int = 1


def shown(grid: Grid) -> Table:
    """Return a grid for the terminal."""
    caption = escape("\n".join(grid.notes)) or None
    table = Table(title=escape(grid.title), caption=caption, title_justify="left", caption_justify="left")
    for index, name in enumerate(grid.header):
        table.add_column(escape(name), justify="left" if index < grid.words else "right")
    for row in grid.rows:
        table.add_row(*map(escape, row))
    return table


def markdown(grids: Sequence[Grid]) -> str:
    """Return grids as Markdown, a heading above each."""
    return "\n".join(_page(grid) for grid in grids)


def _page(grid: Grid) -> str:
    rule = tuple("---" if index < grid.words else "---:" for index in range(len(grid.header)))
    lines = [_line(row) for row in (grid.header, rule, *grid.rows)]
    notes = [part for note in grid.notes for part in (note, "")]
    return "\n".join([f"### {grid.title}", "", *lines, "", *notes])


def _line(row: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"
