"""What wrong readings cost, and what it costs to measure at several stations at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.grids import Grid
from benchmarks.planner.compared import Compared, within
from benchmarks.planner.engine import Arm
from benchmarks.planner.figures import MARKS, Figures
from benchmarks.planner.tables import BEST, FAULTY, GOOD
from benchmarks.statistics import paired_mean_ratio

STATIONS = 4
"""Points that are measured at the same time, where any are."""

_END = MARKS[-1]


def robustness_grids(tables: Sequence[Compared], parallel: Sequence[Compared]) -> Iterator[Grid]:
    """Return the tables of wrong readings and of several stations.

    Args:
        tables: with and without wrong readings, one station.
        parallel: without wrong readings, several stations.
    """
    clean = {task.name: task for task in tables if not task.table.faulty}
    wrong = [(task.name.removesuffix(FAULTY), task) for task in tables if task.table.faulty]
    faulty = [(clean[name], task) for name, task in wrong if name in clean]
    beside = [(clean[task.name], task) for task in parallel]
    words = "a tenth of the readings zeros or spikes, against clean readings"
    yield from (_ratios(text, pairs) for text, pairs in ((words, faulty), (_AT_ONCE, beside)) if pairs)


_AT_ONCE = f"{STATIONS} stations at the same time, against one after another"


def _ratios(words: str, pairs: Sequence[tuple[Compared, Compared]]) -> Grid:
    arms = [arm for arm in pairs[0][0].arms if all(arm in other.arms for _, other in pairs)]
    header = ("engine", "pairs", f"experiments to the top {BEST:.0%}", f"share of the top {GOOD:.0%} by {_END}")
    note = (
        "Ratio of the means over the same (task, seed) pairs, 90 % bootstrap interval; what counts is the truth. "
        f"{_END + 1} experiments where the row was not found."
    )
    return Grid(words, header, tuple(_row(arm, pairs) for arm in arms), (note,))


def _row(arm: Arm, pairs: Sequence[tuple[Compared, Compared]]) -> tuple[str, ...]:
    both = [
        (one.figures[arm][seed], other.figures[arm][seed])
        for one, other in pairs
        for seed in sorted(set(one.runs[arm]) & set(other.runs[arm]))
    ]
    taken = paired_mean_ratio([_taken(hard) for _, hard in both], [_taken(easy) for easy, _ in both])
    found = paired_mean_ratio([hard.share(_END) for _, hard in both], [easy.share(_END) for easy, _ in both])
    return (arm.name, str(len(both)), within(taken, "{:.2f}"), within(found, "{:.2f}"))


def _taken(of: Figures) -> float:
    return min(of.best, _END + 1.0)
