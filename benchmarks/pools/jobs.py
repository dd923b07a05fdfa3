"""Everything that has to be computed, each piece once, in worker processes."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, assert_never

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.ledger import Ledger, fingerprint, key_of
from benchmarks.pools.calibration import Model, Outcome, Trial, conduct_trial
from benchmarks.pools.crystals import Crystals
from benchmarks.pools.engine import Arm, Record, UnfitError, conduct
from benchmarks.pools.forecasts import Forecasts
from benchmarks.pools.tasks import Setting


@dataclass(frozen=True)
class Campaign:
    """A campaign to run.

    Attributes:
        place: of the setting, among all.
    """

    arm: Arm
    place: int
    seed: int


@dataclass(frozen=True)
class Fitting:
    """A model to fit and to judge.

    Attributes:
        place: of the table of crystals, among all.
    """

    model: Model
    place: int
    trial: Trial


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why an arm cannot work on a pool."""

    reason: str


Job = Campaign | Fitting
Result = Record | Outcome | Unfit


@dataclass(frozen=True, eq=False)
class World:
    """What the jobs are about."""

    settings: tuple[Setting, ...]
    tables: tuple[Crystals, ...]


def compute(jobs: Sequence[Job], world: World, ledger: Ledger, console: Console, processes: int) -> dict[Job, Result]:
    """Return the results of all jobs; what is on record is not computed again, and all that is computed is recorded."""
    keys = {job: _key(job, world) for job in jobs}
    done = {job: _from_entry(job, entry) for job, key in keys.items() if (entry := ledger.find(key)) is not None}
    left = [job for job in jobs if job not in done]
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task("campaigns and fits", total=len(jobs), completed=len(done))
        for job, result in _computed(left, world, processes):
            if not isinstance(result, Unfit):
                ledger.add(keys[job], _entry(job, result, world))
            done[job] = result
            progress.update(bar, advance=1, description=_name(job, world))
    return {job: done[job] for job in jobs}


def _computed(jobs: Sequence[Job], world: World, processes: int) -> Iterator[tuple[Job, Result]]:
    """Yield each job with its result as it ends."""
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _begin, (world,)) as pool:
        futures = {pool.submit(_work, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what is running is lost, what is waiting never begins


_worlds: list[World] = []  # of a worker process: sent once, not with each job


def _begin(world: World) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")  # the peers warn of their own doings
    _worlds.append(world)


def _die_with_parent() -> None:
    """End this process when the one that started it is killed; it would go on with its job, for nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _work(job: Job) -> Result:
    world = _worlds[0]
    match job:
        case Campaign(arm, place, seed):
            try:
                return conduct(arm, world.settings[place], seed)
            except UnfitError as error:
                return Unfit(str(error))
        case Fitting(model, place, trial):
            return conduct_trial(model.begin(world.tables[place]), world.tables[place], trial)
        case _:
            assert_never(job)


def _key(job: Job, world: World) -> str:
    match job:
        case Campaign(arm, place, seed):
            setting = world.settings[place]
            about = {"arm": arm.name, "about": arm.about, "plan": asdict(arm.plan), "code": _code(arm.code)}
            task = {"quantities": [asdict(q) for q in setting.task.quantities], "merit": asdict(setting.task.merit)}
            return key_of({"task": task, "data": _data(setting.pool), "seed": seed, **about})
        case Fitting(model, place, trial):
            about = {"model": model.name, "code": _code(model.code)}
            return key_of({"trial": asdict(trial), "data": _data(world.tables[place]), **about})
        case _:
            assert_never(job)


@cache
def _code(paths: tuple[str, ...]) -> str:
    return fingerprint(paths)


@cache
def _data(crystals: Crystals) -> str:
    """Return a hash of ids, formulas and properties."""
    formulas = [structure.formula for structure in crystals.structures]
    digest = hashlib.sha256("\n".join([*crystals.ids, *formulas]).encode())
    for name, values in sorted(crystals.columns.items()):
        digest.update(name.encode() + np.ascontiguousarray(values, dtype="<f8").tobytes())
    return digest.hexdigest()


def _entry(job: Job, result: Record | Outcome, world: World) -> Mapping[str, Any]:
    """Return what is kept, readable by itself."""
    match job:
        case Campaign(arm, place, seed):
            return {"task": world.settings[place].task.name, "arm": arm.name, "seed": seed, "record": asdict(result)}
        case Fitting(model, _, trial):
            return {"trial": asdict(trial), "model": model.name, "outcome": asdict(result)}
        case _:
            assert_never(job)


def _from_entry(job: Job, entry: Mapping[str, Any]) -> Result:
    match job:
        case Campaign():
            record = entry["record"]
            return Record(**{**record, "forecasts": {k: Forecasts(**v) for k, v in record["forecasts"].items()}})
        case Fitting():
            outcome = entry["outcome"]
            return Outcome(Forecasts(**outcome["known"]), Forecasts(**outcome["unseen"]))
        case _:
            assert_never(job)


def _name(job: Job, world: World) -> str:
    match job:
        case Campaign(arm, place, seed):
            return f"{world.settings[place].task.name}, {arm.name}, seed {seed}"
        case Fitting(model, _, trial):
            return f"calibration, {model.name}, {trial.size} rows"
        case _:
            assert_never(job)
