"""How often a campaign ends too early, and how late, by the rule ``no_better``: ``python -m benchmarks.stopping``.

A campaign has ended too early if the candidate that was expected to be the best misses the optimum by more than the
improvement that the rule was to leave out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer

from benchmarks.environment import wide_console
from benchmarks.errors import start
from benchmarks.grids import Grid, shown
from benchmarks.lab import Problem, begin, trials
from loop.core.records import TrialRecord
from loop.core.stopping import Spent, stop_reason

_TASKS = (
    (Problem("Branin", "branin"), 2.0),
    (Problem("Hartmann3", "hartmann3"), 0.05),
    (Problem("Hartmann3, noise 0.1", "hartmann3", noise=0.1), 0.2),
    (Problem("Hartmann3, 7 x 7 x 7 grid", "hartmann3", levels=7), 0.05),
)


@dataclass(frozen=True)
class End:
    """How a campaign ended.

    Attributes:
        count: number of experiments.
        regret: of the candidate that was expected to be the best, without noise.
        stopped: whether the rule ended it, not the budget.
    """

    count: int
    regret: float
    stopped: bool


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Campaigns of each task.")] = 20,
    budget: Annotated[int, typer.Option(min=12, help="Experiments after which a campaign ends anyway.")] = 50,
    only: Annotated[str, typer.Option(help="Beginning of a task's name.")] = "",
) -> None:
    """Print, for each task, how often the rule ended a campaign, when, and how often that was too early."""
    progress, rows = begin(), []
    for problem, improvement in _TASKS:
        if not problem.name.startswith(only):
            continue
        ends = []
        for seed in range(seeds):
            ends.append(_end(problem, improvement, seed, budget))
            progress.print(problem.name, seed, ends[-1])
        rows.append(_row(problem, improvement, ends))
    header = ("task", "improvement", "ended", "after, median (quartiles)", "too early", "regret, median", "largest")
    wide_console().print(shown(Grid("stopping", header, tuple(rows))))


def _end(problem: Problem, improvement: float, seed: int, budget: int) -> End:
    rules = [{"kind": "no_better", "improvement": improvement}]
    campaign = problem.campaign(seed, budget, stopping=rules)
    done: list[TrialRecord] = []
    for trial in trials(problem, campaign):
        done.append(trial)
        reason = stop_reason(campaign, done, Spent(len(done), 0.0, 0.0))
        if reason is not None:
            break
    regret = done[-1].regret
    assert regret is not None  # the start is over
    return End(len(done), problem.regret(done[regret.incumbent].candidate), len(done) < budget)


def _row(problem: Problem, improvement: float, ends: list[End]) -> tuple[str, ...]:
    stopped = [end for end in ends if end.stopped]
    low, middle, high = np.percentile([end.count for end in ends], [25, 50, 75])
    early = sum(end.regret > improvement for end in stopped)
    worst = max((end.regret for end in stopped), default=float("nan"))
    share = f"{len(stopped)} of {len(ends)}"
    median = np.median([end.regret for end in ends])
    spread = f"{middle:.0f} ({low:.0f}–{high:.0f})"
    return problem.name, f"{improvement:g}", share, spread, str(early), f"{median:.3f}", f"{worst:.3f}"


if __name__ == "__main__":
    start(main)
