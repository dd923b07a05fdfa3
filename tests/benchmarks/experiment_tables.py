"""Tables of experiments in the layout of Olympus, small enough for tests."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.planner.space import Choice, Real, Task
from benchmarks.planner.tables import Table


def write(
    folder: Path, lines: list[str], kinds: tuple[str, ...] = ("continuous", "continuous"), goal: str = "minimize"
) -> Path:
    """Write a table with parameters p0, p1, ... and the measurement m."""
    folder.mkdir(parents=True)
    parameters = [{"name": f"p{i}", "type": kind} for i, kind in enumerate(kinds)]
    config = {"parameters": parameters, "measurements": [{"name": "m"}], "default_goal": goal}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "data.csv").write_text("\n".join(lines) + "\n")
    return folder


def bowl(total: int = 12, side: int = 8) -> Table:
    """Return a grid of two numbers and a category whose objective is large near (0.5, 0.5) in the category b."""
    axis = np.linspace(0.0, 1.0, side)
    rows = np.array([(x, y, c) for x in axis for y in axis for c in (0.0, 1.0)])
    values = rows[:, 2] - np.square(rows[:, :2] - 0.5).sum(axis=1)
    parameters = (Real("x", 0.0, 1.0), Real("y", 0.0, 1.0), Choice("kind", ("a", "b")))
    return Table(Task("bowl", parameters, (1.0,), rows=rows, total=total), values)


def turned(table: Table) -> Table:
    """Return the same table with an objective that is to be small."""
    return replace(table, task=replace(table.task, signs=(-1.0,)), values=-table.values)
