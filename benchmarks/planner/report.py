"""The tables of the searches in tables of experiments."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy.stats import binomtest

from benchmarks.grids import Grid
from benchmarks.planner.compared import Compared, spread, within
from benchmarks.planner.engine import Arm
from benchmarks.planner.figures import MARKS, Figures, acceleration, enhancement, random_median
from benchmarks.planner.tables import BEST, GOOD
from benchmarks.statistics import Interval, mean_interval, paired_mean_ratio, quartiles

_END = MARKS[-1]
_ALL = "all tables"
_HEADER = (
    "engine",
    "seeds",
    f"top {BEST:.0%}: experiments",
    "found, %",
    f"top {GOOD:.0%}: experiments",
    *(f"share of top {GOOD:.0%} by {mark}" for mark in MARKS),
    *(f"EF by {mark}" for mark in MARKS),
    f"AF, top {BEST:.0%}",
    "AF, half",
    "CPU s",
)


def table_grids(tables: Sequence[Compared]) -> Iterator[Grid]:
    """Return the tables of each task, of the tasks together, and of the ratios."""
    for task in tables:
        yield _per_task(task)
    for words, group in _groups(tables):
        yield _pooled(words, group)
        yield _ratios(words, group)
    if any([*task.rivals] for task in tables):
        yield _behind(tables)


def _groups(tables: Sequence[Compared]) -> Iterator[tuple[str, list[Compared]]]:
    """Yield the tasks that choices may rest on, those that are held out, and all, as far as there are any."""
    open_, held = ([t for t in tables if t.table.held_out is held] for held in (False, True))
    named = (("tables that choices may rest on", open_), ("tables held out", held), (_ALL, [*tables]))
    return ((words, group) for words, group in named if group and (words == _ALL) <= bool(open_ and held))


def _per_task(task: Compared) -> Grid:
    size, best, good = (int(n) for n in (len(task.table.merit), task.table.top(BEST).sum(), task.table.top(GOOD).sum()))
    held = ", held out" if task.table.held_out else ""
    title = f"{task.name}{held}: {size} rows, {best} in the top {BEST:.0%}, {good} in the top {GOOD:.0%}"
    rows = tuple(_row(arm.name, [*task.figures[arm].values()], task) for arm in task.arms)
    chance = random_median(task.table, BEST)
    notes = (
        f"Experiments: to the first such row, median [quartiles], – if not within {_END}; random choice: {chance:.0f}.",
        "EF, AF: enhancement and acceleration factor against random choice (Liang et al. 2021); – if not reached.",
        f"AF: to the first row of the top {BEST:.0%} (medians), and to half of the top {GOOD:.0%} (mean shares).",
        *(f"{name} cannot run: {why}." for name, why in task.unfit.items()),
    )
    return Grid(title, _HEADER, rows, notes)


def _row(name: str, of: Sequence[Figures], task: Compared) -> tuple[str, ...]:
    best, good = quartiles([f.best for f in of]), quartiles([f.good for f in of])
    factor = random_median(task.table, BEST) / best.median
    halved = acceleration(of, task.table)
    return (
        name,
        str(len(of)),
        spread(best, "{:.0f}"),
        f"{100 * _found(of):.0f}",
        spread(good, "{:.0f}"),
        *(within(mean_interval([f.share(mark) for f in of]), "{:.2f}") for mark in MARKS),
        *(f"{enhancement(of, task.table, mark):.1f}" for mark in MARKS),
        f"{factor:.1f}" if factor else "–",
        f"{halved:.1f}" if halved else "–",
        f"{np.mean([f.cpu for f in of]):.3f}",
    )


def _found(of: Sequence[Figures]) -> float:
    return float(np.mean([f.best <= _END for f in of]))


def _pooled(words: str, tables: Sequence[Compared]) -> Grid:
    """Return means over the tasks, each task counting alike."""
    header = ("engine", "campaigns", f"top {BEST:.0%} found, %", *_pooled_header())
    rows = tuple(_pooled_row(arm, tables) for arm in _everywhere(tables))
    notes = (
        f"Means over {len(tables)} tasks of the means over seeds; EF geometric. Engines that have run on all of them.",
        f"Median experiments to the top {BEST:.0%}: how far behind the best engine of each task, worst and mean.",
    )
    return Grid(f"{words}, together", header, rows, notes)


def _pooled_header() -> Iterator[str]:
    yield from (f"share of top {GOOD:.0%} by {mark}" for mark in MARKS)
    yield from (f"EF by {mark}" for mark in MARKS)
    yield from ("behind the best, worst", "mean", "CPU s")


def _everywhere(tables: Sequence[Compared]) -> list[Arm]:
    return [arm for arm in tables[0].arms if all(arm in task.arms for task in tables)]


def _pooled_row(arm: Arm, tables: Sequence[Compared]) -> tuple[str, ...]:
    of = [[*task.figures[arm].values()] for task in tables]
    factors = [[enhancement(each, task.table, mark) for each, task in zip(of, tables, strict=True)] for mark in MARKS]
    behind = [_median_best(task, arm) - min(_median_best(task, other) for other in task.arms) for task in tables]
    return (
        arm.name,
        str(sum(map(len, of))),
        f"{100 * np.mean([_found(each) for each in of]):.0f}",
        *(f"{np.mean([np.mean([f.share(mark) for f in each]) for each in of]):.3f}" for mark in MARKS),
        *(f"{np.exp(np.mean(np.log(np.maximum(each, 1e-3)))):.1f}" for each in factors),
        f"{max(behind):.0f}",
        f"{np.mean(behind):.1f}",
        f"{np.mean([np.mean([f.cpu for f in each]) for each in of]):.3f}",
    )


def _median_best(task: Compared, arm: Arm) -> float:
    """Return the median experiments to the top 1 %, one more than the campaigns have where it was not reached."""
    return min(quartiles([f.best for f in task.figures[arm].values()]).median, _END + 1.0)


def _ratios(words: str, tables: Sequence[Compared]) -> Grid:
    pairs = {(ours, other) for task in tables for ours, other in task.rivals}
    ranked = sorted(pairs, key=lambda pair: (pair[0].name, pair[1].name))
    rows = tuple((ours.name, other.name, *_pooled_ratio(ours, other, tables)) for ours, other in ranked)
    header = ("engine", "against", "pairs", *(f"share by {mark}" for mark in MARKS), f"top {BEST:.0%} found, %")
    note = "Ratio of the mean shares over the same (task, seed) pairs, 90 % bootstrap interval over these; found: both."
    return Grid(f"{words}: ratios of the share of the top {GOOD:.0%}", header, rows, (note,), words=2)


def _pairs(ours: Arm, other: Arm, tables: Sequence[Compared]) -> list[tuple[Figures, Figures]]:
    return [
        (task.figures[ours][seed], task.figures[other][seed]) for task in tables for seed in task.shared(ours, other)
    ]


def _pooled_ratio(ours: Arm, other: Arm, tables: Sequence[Compared]) -> tuple[str, ...]:
    pairs = _pairs(ours, other, tables)
    shares = (paired_mean_ratio([a.share(m) for a, _ in pairs], [b.share(m) for _, b in pairs]) for m in MARKS)
    found = (100 * _found([pair[side] for pair in pairs]) for side in (0, 1))
    return (str(len(pairs)), *(within(ratio, "{:.2f}") for ratio in shares), " and ".join(f"{f:.0f}" for f in found))


def _behind(tables: Sequence[Compared]) -> Grid:
    """Return where one of our arms is significantly behind another."""
    rows = tuple(
        (task.name, ours.name, other.name, *_test(_pairs(ours, other, [task])))
        for task in tables
        for ours, other in task.rivals
    )
    sides = (f"share by {mark}: difference" for mark in MARKS)
    header = (
        "task",
        "engine",
        "against",
        "seeds",
        *sides,
        "wins, losses",
        "sign test",
        f"top {BEST:.0%}: wins, losses",
        "",
    )
    notes = (
        f"Difference of the mean shares (90 % bootstrap interval), paired by seed; sign test of the share by {_END}.",
        f"Behind: the interval of the difference by {_END} lies below zero.",
    )
    return Grid("each table: differences from every peer", header, rows, notes, words=3)


def _test(pairs: Sequence[tuple[Figures, Figures]]) -> tuple[str, ...]:
    differences = [mean_interval([a.share(m) - b.share(m) for a, b in pairs]) for m in MARKS]
    wins, losses = _counted(pairs, lambda f: f.share(_END))
    sign = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    sooner = _counted(pairs, lambda f: -min(f.best, _END + 1.0))
    cells = (*(within(d, "{:+.2f}") for d in differences), f"{wins}, {losses}", f"{sign:.2f}")
    return (str(len(pairs)), *cells, f"{sooner[0]}, {sooner[1]}", _verdict(differences[-1]))


def _counted(pairs: Sequence[tuple[Figures, Figures]], value: Callable[[Figures], float]) -> tuple[int, int]:
    gains = [value(a) - value(b) for a, b in pairs]
    return sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)


def _verdict(difference: Interval) -> str:
    return "behind" if difference.high < 0 else "ahead" if difference.low > 0 else ""
