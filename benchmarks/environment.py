"""Where and with what a benchmark has run."""

from __future__ import annotations

import platform
import resource
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

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


def peak_memory() -> float:
    """Return the largest resident set of this process so far, in bytes.

    Linux's ``ru_maxrss`` begins with that of the process that started this one, so it only serves elsewhere.
    """
    if sys.platform == "linux":
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return float(peak) * 1024.0
    unit = 1.0 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
