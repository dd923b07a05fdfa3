"""Reads the data, runs what is missing, prints the tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from benchmarks.environment import environment, wide_console
from benchmarks.errors import DataError, check_names
from benchmarks.grids import Grid, markdown, shown
from benchmarks.ledger import Ledger
from benchmarks.planner.arms import ARMS, REPLICATED
from benchmarks.planner.boxes import Box, boxes, uneven
from benchmarks.planner.compared import Compared
from benchmarks.planner.costs import costs
from benchmarks.planner.engine import Arm, Problem, Record
from benchmarks.planner.jobs import Campaign, Unfit, World, work
from benchmarks.planner.regrets import regret_grids
from benchmarks.planner.report import table_grids
from benchmarks.planner.robustness import STATIONS, robustness_grids
from benchmarks.planner.tables import Table, read_tables, with_faults
from benchmarks.workers import Office, compute

_DISTRIBUTIONS = ("athanor-sdl", "torch", "botorch", "gpytorch", "ax-platform", "baybe", "bofire", "optuna", "pydoe")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What to run, and where the results go.

    Attributes:
        seeds: campaigns of each engine on each task; None for as many as its cost allows.
        processes: campaigns at the same time.
    """

    data: Path
    seeds: int | None
    processes: int
    results: Path
    page: Path | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the user asks for.

    Attributes:
        engines, tasks: names; empty for all.
        robustness: whether to compare faulty readings, stations at the same time, and uneven noise, too.
        costs: whether to measure times and memory, too.
        cap: processor seconds after which longer measurements of an engine are left out.
    """

    engines: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    robustness: bool = False
    costs: bool = False
    cap: float = 20.0


def show(benchmark: Benchmark, chosen: Chosen) -> None:
    """Run what is missing, print all tables, and write them to the page.

    Raises:
        DataError: the data cannot be used, or what the user asks for does not exist.
    """
    console = wide_console()
    world = _world(benchmark.data, chosen, console)
    arms = [arm for arm in _picked(chosen) if not _told_missing(arm, console)]
    office = Office(world, Ledger(benchmark.results), console, benchmark.processes, "campaigns")
    with tempfile.TemporaryDirectory() as folder:
        # BoTorch compiles a kernel for two objectives; if killed meanwhile, its lock would stop all later processes.
        os.environ["TORCH_EXTENSIONS_DIR"] = folder
        results = compute(work(world), [*_campaigns(arms, world, benchmark.seeds, chosen)], office)
    grids = [environment(_DISTRIBUTIONS, (("tasks", _sizes(world)),)), *_grids(arms, world, results, chosen)]
    if chosen.costs:
        grids += costs(arms, office.ledger, console, chosen.cap)
    grids.append(_about(arms))
    for grid in grids:
        console.print(shown(grid))
    if benchmark.page is not None:
        benchmark.page.write_text(markdown(grids), encoding="utf-8")


def _world(data: Path, chosen: Chosen, console: Console) -> World:
    tables = read_tables(data, console.print)
    every: list[Problem] = [*tables, *boxes()]
    if chosen.robustness:
        every += [*map(with_faults, tables), *uneven()]
    check_names(chosen.tasks, [problem.task.name for problem in every], "task")
    picked = tuple(p for p in every if not chosen.tasks or p.task.name in chosen.tasks)
    if not picked:
        raise DataError("there is no task left")
    return World(picked)


def _picked(chosen: Chosen) -> list[Arm]:
    arms = [*ARMS, *REPLICATED] if chosen.robustness else [*ARMS]
    check_names(chosen.engines, [arm.name for arm in arms], "engine")
    return [arm for arm in arms if not chosen.engines or arm.name in chosen.engines]


def _told_missing(arm: Arm, console: Console) -> bool:
    if arm.missing:
        console.print(f"{arm.name} is left out: install its library with pip install -e '.[bench]' -c constraints.txt")
    return arm.missing


def _campaigns(arms: Sequence[Arm], world: World, seeds: int | None, chosen: Chosen) -> Iterator[Campaign]:
    """Yield all campaigns, the first seed of every engine and task before the second."""
    most = max((seeds or arm.seeds for arm in arms), default=0)
    for seed in range(most):
        for arm in (arm for arm in arms if seed < (seeds or arm.seeds)):
            yield from (Campaign(arm, place, seed, n) for place, n in _places(arm, world, chosen))


def _places(arm: Arm, world: World, chosen: Chosen) -> Iterator[tuple[int, int]]:
    """Yield places of the problems that an arm is compared on, with the number of stations."""
    for place, problem in enumerate(world.problems):
        if arm in REPLICATED and not (isinstance(problem, Box) and problem.replicated):
            continue
        yield place, 1
        if chosen.robustness and isinstance(problem, Table) and not problem.faulty:
            yield place, STATIONS


def _grids(
    arms: Sequence[Arm], world: World, results: Mapping[Campaign, Record | Unfit], chosen: Chosen
) -> Iterator[Grid]:
    compared = [_compared(arms, place, problem, results) for place, problem in enumerate(world.problems)]
    tables = [c for c in compared if isinstance(c.problem, Table)]
    yield from table_grids([c for c in tables if not c.table.faulty])
    yield from regret_grids([c for c in compared if not isinstance(c.problem, Table)])
    if chosen.robustness:
        parallel = [_compared(arms, p, problem, results, STATIONS) for p, problem in enumerate(world.problems)]
        yield from robustness_grids(tables, [c for c in parallel if any(c.runs.values())])


def _compared(
    arms: Sequence[Arm],
    place: int,
    problem: Problem,
    results: Mapping[Campaign, Record | Unfit],
    stations: int = 1,
) -> Compared:
    mine = {job: r for job, r in results.items() if job.place == place and job.stations == stations}
    runs = {arm: {job.seed: r for job, r in mine.items() if job.arm is arm and isinstance(r, Record)} for arm in arms}
    unfit = {job.arm.name: r.reason for job, r in mine.items() if isinstance(r, Unfit)}
    return Compared(problem, runs, unfit)


def _sizes(world: World) -> str:
    return ", ".join(
        f"{p.task.name} ({len(p.values)} rows{', held out' if p.held_out else ''})"
        if isinstance(p, Table)
        else p.task.name
        for p in world.problems
    )


def _about(arms: Sequence[Arm]) -> Grid:
    rows = tuple((arm.name, str(arm.seeds), arm.about) for arm in arms)
    return Grid("engines", ("engine", "seeds by default", "what it is"), rows, words=3)
