"""Runs the campaigns of the benchmark that are not on record yet, and prints what came of all of them."""

from __future__ import annotations

import logging
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.arms import Arm, Limits, Run, Task, run_task
from benchmarks.cathode_truth import DRAWS, TOP, Goal, build_truth, find_goal
from benchmarks.results import Results
from benchmarks.tables import comparison, conclusions
from campaigns.load import load_campaign
from loop.planning.pool_data import build_pool_data
from loop.storage.paths import ready_campaigns


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What to run.

    Attributes:
        seeds: campaigns of each kind.
        trials: trials of each campaign that plans.
        jobs: campaigns at the same time.
        results: file of finished campaigns.
    """

    seeds: int
    trials: int
    jobs: int
    results: Path


def compare(benchmark: Benchmark) -> None:
    """Run what is not on record yet, and print the table."""
    console = Console()
    file = ready_campaigns()["cathode"]
    goal = _goal(file, console)
    limits = Limits(planned=benchmark.trials)
    tasks = [Task(file, arm, seed, goal, limits) for seed in range(benchmark.seeds) for arm in Arm]
    runs = run_all(tasks, Results(benchmark.results), benchmark.jobs, console)
    console.print(comparison(runs, limits, goal))
    for line in conclusions(runs, limits):
        console.print(line)


def run_all(tasks: Sequence[Task], results: Results, jobs: int, console: Console) -> list[Run]:
    """Run the tasks that are not on record yet, each in a process of its own, and return all runs.

    A process per campaign makes peak memory and times those of that campaign alone.
    """
    done = [run for task in tasks if (run := results.find(task)) is not None]
    left = [task for task in tasks if results.find(task) is None]
    columns = (TextColumn("campaigns"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("", total=len(tasks), completed=len(done))
        for task, run in _finished(left, jobs):
            results.add(task, run)
            done.append(run)
            progress.advance(bar)
    return done


def _finished(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Run]]:
    """Yield each task with its run as it ends."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, logging.disable, (logging.INFO,), max_tasks_per_child=1) as pool:
        futures = {pool.submit(run_task, task): task for task in tasks}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _goal(file: Path, console: Console) -> Goal:
    """Find out what counts as found, and say so."""
    torch.set_num_threads(1)
    campaign = load_campaign(file)
    materials = build_pool_data(campaign)
    assert materials is not None
    started = time.perf_counter()
    goal = find_goal(build_truth(campaign, materials))
    console.print(
        f"{len(materials.pool)} materials; of {DRAWS} random candidates {goal.feasible:.0%} keep all constraints, and "
        f"the top {TOP:.0%} have a true score of at least {goal.threshold:.3f}; the best seen is {goal.best:.3f} "
        f"({time.perf_counter() - started:.0f} s)"
    )
    return goal
