"""What a benchmark prints: one column per way of choosing, and what follows from the comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rich.table import Table

from benchmarks.arms import Arm, Limits, Run
from benchmarks.cathode_truth import TOP, Goal
from benchmarks.statistics import median_ratio, quartiles

_Row = tuple[str, str, Callable[[list[Run], Arm], str]]


def comparison(runs: Sequence[Run], limits: Limits, goal: Goal) -> Table:
    """Return the table of all figures, median and quartiles over the seeds unless it says otherwise."""
    table = Table(title=f"cathode campaign, {_seeds(runs)} seeds: median (lower to upper quartile)")
    table.add_column("figure")
    table.add_column("unit")
    for arm in Arm:
        table.add_column(arm.value, justify="right")
    for name, unit, figure in _rows(limits, goal):
        table.add_row(name, unit, *(figure(_of(runs, arm), arm) for arm in Arm))
    return table


def conclusions(runs: Sequence[Run], limits: Limits) -> Iterator[str]:
    """Yield the acceleration factors, what random choice is expected to need, and what was never found."""
    for slow, fast in ((Arm.RANDOM, Arm.ATHANOR), (Arm.RANDOM, Arm.COMPOSITION), (Arm.COMPOSITION, Arm.ATHANOR)):
        yield f"acceleration factor of {fast} against {slow}: {_acceleration(runs, limits, slow, fast)}"
    yield f"random choice needs {1 / TOP:.0f} trials on average, {_expected_median():.0f} in the median"
    censored = [r for r in runs if r.found is None]
    if censored:
        shown = ", ".join(f"{r.arm} seed {r.seed}" for r in censored)
        yield f"not found within the budget, counted as found by its last trial (censored): {shown}"


def trials_until_found(runs: Sequence[Run], limits: Limits) -> list[float]:
    """Return the numbers of trials, n; where nothing was found, the budget, at which the number is censored."""
    return [float(r.found if r.found is not None else limits.of(Arm(r.arm))) for r in runs]


def _acceleration(runs: Sequence[Run], limits: Limits, slow: Arm, fast: Arm) -> str:
    """Return the ratio of the medians in words; only a bound where a median is censored."""
    above, below = (_of(runs, arm) for arm in (slow, fast))
    factor = median_ratio(trials_until_found(above, limits), trials_until_found(below, limits))
    match _censored(above), _censored(below):
        case False, False:
            bound = ""
        case True, False:
            bound = "at least "
        case False, True:
            bound = "at most "
        case _:
            return "unknown, since neither found anything in half of its campaigns"
    return f"{bound}{factor.value:.1f} (90 % bootstrap interval {factor.low:.1f} to {factor.high:.1f})"


def _censored(runs: Sequence[Run]) -> bool:
    """Return whether so few campaigns found anything that the median is only known to be above the budget."""
    return sum(r.found is None for r in runs) * 2 >= len(runs)


def _rows(limits: Limits, goal: Goal) -> list[_Row]:
    """Return name, unit and text of each figure."""
    within = f"by {limits.planned} trials"

    def until(runs: list[Run], arm: Arm) -> str:
        # One more than the budget stands for what was never found, so that a quantile tells on which side it lies.
        most = limits.of(arm)
        found = [float(r.found or most + 1) for r in runs]
        return _spread(found, lambda v: f">{most}" if v > most else f"{v:.0f}")

    def early(runs: list[Run], _: Arm) -> str:
        return f"{sum(r.found is not None and r.found <= limits.planned for r in runs)} of {len(runs)}"

    def forty(runs: list[Run], _: Arm) -> str:
        return _spread([r.forty for r in runs if r.forty is not None], "{:.0f}".format)

    def thinking(runs: list[Run], _: Arm) -> str:
        return _spread([float(np.mean(r.thinking)) for r in runs if r.thinking], "{:.2f}".format)

    return [
        (f"trials until a top {TOP:.0%} candidate", "trials", until),
        (f"found {within}", "campaigns", early),
        (f"of the {len(goal.materials)} best materials found {within}", "materials", _over(lambda r: r.materials)),
        (f"best true score {within} (best seen {goal.best:.2f})", "points", _over(lambda r: r.best, "{:.2f}")),
        ("wall time of the first 40 trials", "s", forty),
        ("wall time of a campaign", "s", _over(lambda r: r.wall)),
        ("processor time of a suggestion, mean of a campaign", "s", thinking),
        ("peak memory", "GiB", _over(lambda r: r.memory / 2**30, "{:.2f}")),
    ]


def _over(value: Callable[[Run], float], form: str = "{:.0f}") -> Callable[[list[Run], Arm], str]:
    return lambda runs, _: _spread([value(r) for r in runs], form.format)


def _spread(values: Sequence[float], shown: Callable[[float], str]) -> str:
    if not values:
        return "–"
    q = quartiles(values)
    return f"{shown(q.median)} ({shown(q.lower)} to {shown(q.upper)})"


def _of(runs: Sequence[Run], arm: Arm) -> list[Run]:
    return sorted((r for r in runs if r.arm == arm.value), key=lambda r: r.seed)


def _seeds(runs: Sequence[Run]) -> int:
    return len({r.seed for r in runs})


def _expected_median() -> float:
    """Return the median of the geometric distribution of random choice."""
    return float(np.ceil(np.log(0.5) / np.log1p(-TOP)))
