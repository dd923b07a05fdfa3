"""The console that commands print on, and the one style of their tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

Rows = list[tuple[str, str]]
"""Labels, each with a text."""

_NUMBERS = frozenset(
    ("rank", "trial", "trials", "n", "readings", "row", "entries", "MB", "share", "smallest", "median", "largest")
) | {"missing"}
"""Heads of columns that hold numbers, which stand on the right."""


def console() -> Console:
    """Return a console for standard output; into a pipe it never wraps a line."""
    width = None if sys.stdout.isatty() else 1000
    return Console(markup=False, emoji=False, highlight=False, width=width)


def print_tables(*shown: RenderableType) -> None:
    """Print tables and texts; anywhere but in a terminal, without blanks at the ends of lines."""
    out = console()
    if out.is_terminal:
        out.print(*shown)
        return
    with out.capture() as captured:
        out.print(*shown)
    for line in captured.get().splitlines():
        print(line.rstrip())


def labelled(rows: Iterable[tuple[str, str]]) -> Table:
    """Return rows of a label and a text."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for label, text in rows:
        table.add_row(Text(label, style="cyan", no_wrap=True), Text(text))
    return table


def print_rows(rows: Rows) -> None:
    """Print a table in a terminal, and one ``label: text`` per line anywhere else."""
    out = console()
    if out.is_terminal:
        out.print(labelled(rows))
        return
    for label, text in rows:
        print(f"{label}: {text}")


def new_table(*heads: str) -> Table:
    """Return a table without rows, under its heads."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in heads:
        table.add_column(Text(head), justify="right" if head in _NUMBERS else "left")
    return table
