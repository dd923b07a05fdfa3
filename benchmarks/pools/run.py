"""Reads the data, computes what is missing, prints the tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from benchmarks.environment import environment, wide_console
from benchmarks.errors import check_names
from benchmarks.grids import Grid, markdown, shown
from benchmarks.ledger import Ledger
from benchmarks.pools.arms import ARMS, missing
from benchmarks.pools.calibration import MODELS, Outcome, trials
from benchmarks.pools.crystals import Crystals, Progress, read_pools
from benchmarks.pools.engine import Arm, Record
from benchmarks.pools.jobs import Campaign, Fitting, Result, Unfit, World, work
from benchmarks.pools.report import Compared, arrivals, calibration, campaign_calibration, ratios, shares, zero_label
from benchmarks.pools.suite import GAP, HEAT, PEROVSKITES, parse_wanted, settings
from benchmarks.pools.tasks import Setting
from benchmarks.pools.views import with_views
from benchmarks.pools.zero_label import PRIORS, judge_prior
from benchmarks.workers import Office, compute

_DISTRIBUTIONS = ("athanor-sdl", "torch", "botorch", "gpytorch", "chgnet", "pymatgen", "ax-platform", "baybe")


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What to run, and where the results go.

    Attributes:
        processes: campaigns at the same time.
    """

    data: Path
    seeds: int
    processes: int
    results: Path
    page: Path | None


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the user asks for.

    Attributes:
        arms, tasks: names; empty for all.
        further: tasks beside those of the suite, as text.
    """

    arms: tuple[str, ...]
    tasks: tuple[str, ...]
    further: tuple[str, ...]


def show(benchmark: Benchmark, chosen: Chosen) -> None:
    """Compute what is missing, print all tables, and write them to the page.

    Raises:
        DataError: there is no pool, or what the user asks for does not exist.
    """
    console = wide_console()
    world = _world(benchmark.data, chosen, console)
    arms = [arm for arm in _picked(ARMS, chosen.arms) if not _told_missing(arm, console)]
    wanted: list[Campaign | Fitting] = [*_campaigns(arms, world, benchmark.seeds), *_fittings(world, benchmark.seeds)]
    office = Office(world, Ledger(benchmark.results), console, benchmark.processes, "campaigns and fits")
    results = compute(work(world), wanted, office)
    grids = [environment(_DISTRIBUTIONS, _facts(world, benchmark.seeds)), *_grids(arms, world, results)]
    for grid in grids:
        console.print(shown(grid))
    if benchmark.page is not None:
        benchmark.page.write_text(markdown(grids), encoding="utf-8")


def _world(data: Path, chosen: Chosen, console: Console) -> World:
    with _progress(console, "reading") as tick:
        pools = read_pools(data, console.print, tick)
    with _progress(console, "embedding") as tick:
        pools = tuple(with_views(pool, tick) for pool in pools)
    every = settings(pools, [parse_wanted(text) for text in chosen.further], console.print)
    names = [setting.task.name for setting in every]
    check_names(chosen.tasks, names, "task")
    picked = tuple(s for s in every if not chosen.tasks or s.task.name in chosen.tasks)
    return World(picked, tuple(pool for pool in pools if pool.name == PEROVSKITES))


@contextmanager
def _progress(console: Console, words: str) -> Iterator[Progress]:
    columns = (TextColumn(words), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=console) as bar:
        line = bar.add_task("", total=None)
        yield lambda done, total: bar.update(line, completed=done, total=total)
        if bar.tasks[line].total is None:  # nothing was left to do
            bar.update(line, completed=1, total=1)


def _picked(arms: Sequence[Arm], names: Sequence[str]) -> list[Arm]:
    check_names(names, [arm.name for arm in arms], "arm")
    return [arm for arm in arms if not names or arm.name in names]


def _told_missing(arm: Arm, console: Console) -> bool:
    if missing(arm):
        console.print(f"{arm.name} is left out: install its library with pip install -e '.[bench]' -c constraints.txt")
    return missing(arm)


def _campaigns(arms: Sequence[Arm], world: World, seeds: int) -> Iterator[Campaign]:
    for arm in arms:
        for place in range(len(world.settings)):
            yield from (Campaign(arm, place, seed) for seed in range(seeds))


def _fittings(world: World, seeds: int) -> Iterator[Fitting]:
    for place, table in enumerate(world.tables):
        wanted = trials(table, (HEAT, GAP), seeds)
        yield from (Fitting(model, place, trial) for model in MODELS for trial in wanted)


def _grids(arms: Sequence[Arm], world: World, results: Mapping[Campaign | Fitting, Result]) -> Iterator[Grid]:
    tasks = [_compared(arms, place, setting, results) for place, setting in enumerate(world.settings)]
    for task in tasks:
        yield from (shares(task), arrivals(task))
    fits = {
        (job.model, job.trial): r for job, r in results.items() if isinstance(job, Fitting) and isinstance(r, Outcome)
    }
    judged = [(s, p, judge_prior(s, p.scores(s))) for s in world.settings for p in PRIORS]
    further = (ratios(tasks), campaign_calibration(tasks), calibration(fits), zero_label(judged))
    yield from (grid for grid in further if grid.rows)
    yield _about(arms)


def _compared(
    arms: Sequence[Arm], place: int, setting: Setting, results: Mapping[Campaign | Fitting, Result]
) -> Compared:
    mine = {job: r for job, r in results.items() if isinstance(job, Campaign) and job.place == place}
    runs = {
        arm.name: {job.seed: r for job, r in mine.items() if job.arm is arm and isinstance(r, Record)} for arm in arms
    }
    unfit = {job.arm.name: r.reason for job, r in mine.items() if isinstance(r, Unfit)}
    return Compared(setting, arms, runs, unfit)


def _about(arms: Sequence[Arm]) -> Grid:
    return Grid("arms", ("arm", "what it is"), tuple((arm.name, arm.about) for arm in arms), words=2)


def _facts(world: World, seeds: int) -> tuple[tuple[str, str], ...]:
    pools: dict[str, Crystals] = {setting.pool.name: setting.pool for setting in world.settings}
    rows = ", ".join(f"{name} {len(pool)}" for name, pool in pools.items())
    return (("seeds", str(seeds)), ("rows searched", rows))
