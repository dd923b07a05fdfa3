"""Where and with what a benchmark has run."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console

from benchmarks.grids import Grid

_WIDTH = 160


def wide_console() -> Console:
    """Return a console that is wide enough for the tables where there is no terminal to tell."""
    console = Console()
    return console if console.is_terminal else Console(width=_WIDTH)


def environment(distributions: Sequence[str], facts: Sequence[tuple[str, str]]) -> Grid:
    """Return a table of further facts, date, versions and machine."""
    versions = ", ".join(f"{name} {_version(name)}" for name in distributions)
    rows = (
        *facts,
        ("date", f"{datetime.now(UTC):%Y-%m-%d}"),
        ("versions", f"Python {platform.python_version()}, {versions}"),
        ("machine", f"{sys.platform}, {platform.machine()}"),
    )
    return Grid("environment", ("what", ""), rows, words=2)


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
