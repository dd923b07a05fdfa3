"""The tables of the searches in boxes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks.grids import Grid
from benchmarks.planner.compared import Compared, spread, within
from benchmarks.planner.engine import Arm
from benchmarks.statistics import paired_median_ratio, quartiles

_FLOOR = 1e-6  # regrets below are equal
_HEADER = ("task", "experiments", "engine", "against", "seeds", "ratio")


def regret_grids(boxes: Sequence[Compared]) -> Iterator[Grid]:
    """Return a table of each function, and one of the ratios."""
    for task in boxes:
        yield _regrets(task)
    rows = tuple(
        (task.name, str(mark), ours.name, other.name, *_ratio(task, (ours, other), mark))
        for task in boxes
        for ours, other in task.rivals
        for mark in task.box.marks
    )
    note = "Ratio of the median regrets over the same seeds (90 % bootstrap interval, paired); below 1 is better."
    if rows:
        yield Grid("boxes: ratios of the regret", _HEADER, rows, (note,), words=4)


def _regrets(task: Compared) -> Grid:
    what = "gap of the hypervolume" if task.box.reference else "regret"
    header = ("engine", "seeds", *(f"by {mark}" for mark in task.box.marks), "CPU s")
    rows = tuple(_row(task, arm) for arm in task.arms)
    notes = (
        "Median [quartiles] over seeds, without noise, of the best that was tried.",
        *(f"{name} cannot run: {why}." for name, why in task.unfit.items()),
    )
    return Grid(f"{task.name}: {what} (optimum {task.box.optimum:.4g})", header, rows, notes)


def _row(task: Compared, arm: Arm) -> tuple[str, ...]:
    of = [*task.regrets[arm].values()]
    medians = (spread(quartiles([float(r[mark - 1]) for r in of]), "{:.3g}") for mark in task.box.marks)
    cpu = np.mean([np.mean(record.cpu) for record in task.runs[arm].values()])
    return (arm.name, str(len(of)), *medians, f"{cpu:.3f}")


def _ratio(task: Compared, arms: tuple[Arm, Arm], mark: int) -> tuple[str, str]:
    seeds = task.shared(*arms)
    ours, other = ([max(float(task.regrets[arm][s][mark - 1]), _FLOOR) for s in seeds] for arm in arms)
    return str(len(seeds)), within(paired_median_ratio(ours, other), "{:.2g}")
