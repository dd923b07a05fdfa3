"""Campaigns and fits as pieces of work with results on record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, assert_never

import numpy as np

from benchmarks.errors import UnfitError
from benchmarks.ledger import code_hash, key_of
from benchmarks.pools.calibration import Model, Outcome, Trial, conduct_trial
from benchmarks.pools.crystals import Crystals
from benchmarks.pools.engine import Arm, Record, conduct
from benchmarks.pools.forecasts import Forecasts
from benchmarks.pools.tasks import Setting
from benchmarks.workers import Work


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


def work(world: World) -> Work[Job, Result]:
    """Return how jobs are done, named and kept."""
    return Work(
        run=_work,
        key=lambda job: _key(job, world),
        name=lambda job: _name(job, world),
        entry=lambda job, result: None if isinstance(result, Unfit) else _entry(job, result, world),
        restore=_from_entry,
    )


def _work(world: World, job: Job) -> Result:
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
    return code_hash(paths)


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
