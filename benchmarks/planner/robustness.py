"""What wrong readings cost, and what it costs to measure at several stations at the same time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.grids import Grid
from benchmarks.planner.compared import Compared, within
from benchmarks.planner.engine import Arm
from benchmarks.planner.figures import MARKS
from benchmarks.planner.tables import BEST, FAULTY, GOOD
from benchmarks.statistics import paired_mean_ratio

STATIONS = 4
"""Points that are measured at the same time, where any are."""

_MIDDLE, _END = MARKS


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


Pairs = Sequence[tuple[Compared, Compared]]
"""Tasks without and with what is hard."""


def _ratios(words: str, pairs: Pairs) -> Grid:
    arms = [arm for arm in pairs[0][0].arms if all(arm in other.arms for _, other in pairs)]
    header = (
        "engine",
        "tables",
        "pairs",
        f"experiments to the top {BEST:.0%}",
        f"to the share by {_MIDDLE}",
        f"share of the top {GOOD:.0%} by {_MIDDLE}",
        f"by {_END}",
    )
    notes = (
        "Ratio of the means over the same (task, seed) pairs, 90 % bootstrap interval; what counts is the truth.",
        f"{_END + 1} experiments where what is looked for was not found.",
        f"To the share by {_MIDDLE}: to as many rows of the top {GOOD:.0%} as the easier campaign had found by then.",
    )
    rows = tuple(_row(arm, words, group) for arm in arms for words, group in _groups(pairs))
    return Grid(words, header, rows, notes, words=2)


def _groups(pairs: Pairs) -> Iterator[tuple[str, Pairs]]:
    """Yield each table, those that choices may rest on and those held out, and all."""
    if len(pairs) > 1:
        yield from ((f"{one.name}{' (held out)' * one.table.held_out}", [(one, other)]) for one, other in pairs)
    held = [pair for pair in pairs if pair[0].table.held_out]
    if held and len(held) < len(pairs):
        yield "not held out", [pair for pair in pairs if not pair[0].table.held_out]
        yield "held out", held
    yield "all", pairs


def _row(arm: Arm, words: str, pairs: Pairs) -> tuple[str, ...]:
    both = [
        (one.figures[arm][seed], other.figures[arm][seed])
        for one, other in pairs
        for seed in sorted(set(one.runs[arm]) & set(other.runs[arm]))
    ]
    wanted = [easy.share(_MIDDLE) for easy, _ in both]
    ratios = (
        paired_mean_ratio([_taken(hard.best) for _, hard in both], [_taken(easy.best) for easy, _ in both]),
        paired_mean_ratio(
            [_taken(hard.reached(w)) for (_, hard), w in zip(both, wanted, strict=True)],
            [_taken(easy.reached(w)) for (easy, _), w in zip(both, wanted, strict=True)],
        ),
        *(paired_mean_ratio([h.share(m) for _, h in both], [e.share(m) for e, _ in both]) for m in (_MIDDLE, _END)),
    )
    return (arm.name, words, str(len(both)), *(within(ratio, "{:.2f}") for ratio in ratios))


def _taken(experiments: float) -> float:
    return min(experiments, _END + 1.0)
