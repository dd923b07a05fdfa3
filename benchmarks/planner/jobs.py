"""Campaigns as pieces of work with results on record."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, assert_never

import numpy as np

from benchmarks.errors import UnfitError
from benchmarks.ledger import code_hash, key_of
from benchmarks.planner.boxes import Box
from benchmarks.planner.engine import Arm, Problem, Record, conduct
from benchmarks.planner.tables import Table
from benchmarks.workers import Work

_PROBES = 16  # points at which a function is evaluated to know it again


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign to run.

    Attributes:
        place: of the problem, among all.
        stations: points that are measured at the same time.
    """

    arm: Arm
    place: int
    seed: int
    stations: int = 1


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why an arm cannot work on a problem."""

    reason: str


@dataclass(frozen=True, eq=False)
class World:
    """What the campaigns are about."""

    problems: tuple[Problem, ...]


def work(world: World) -> Work[Campaign, Record | Unfit]:
    """Return how campaigns are run, named and kept."""
    return Work(
        run=_run,
        key=lambda job: _key(job, world),
        name=lambda job: f"{world.problems[job.place].task.name}, {job.arm.name}, seed {job.seed}",
        entry=lambda job, result: _entry(job, result, world),
        restore=lambda _, entry: Record(**entry["record"]),
    )


def _run(world: World, job: Campaign) -> Record | Unfit:
    try:
        return conduct(job.arm, world.problems[job.place], job.seed, job.stations)
    except UnfitError as error:
        return Unfit(str(error))


def _key(job: Campaign, world: World) -> str:
    arm = job.arm
    about = {"arm": arm.name, "about": arm.about, "initial": arm.initial, "code": _code(arm.code)}
    versions = {name: version(name) for name in arm.distributions}
    return key_of(
        {"problem": _identity(world.problems[job.place]), "seed": job.seed, "stations": job.stations}
        | about
        | {"versions": versions}
    )


@cache
def _code(paths: tuple[str, ...]) -> str:
    return code_hash(paths) if paths else ""


@cache
def _identity(problem: Problem) -> str:
    """Return a hash of the task and of its outcomes."""
    task = problem.task
    digest = hashlib.sha256(repr((task.parameters, task.signs, task.slacks, task.total, task.noisy)).encode())
    match problem:
        case Table(values=values, faulty=faulty):
            assert task.rows is not None
            digest.update(task.rows.tobytes() + values.tobytes() + bytes([faulty]))
        case Box(function=function, noise=noise):
            points = problem.start(0, _PROBES)
            digest.update(np.round(function(points), 9).tobytes() + repr((task.name, noise)).encode())
        case _:
            assert_never(problem)
    return digest.hexdigest()


def _entry(job: Campaign, result: Record | Unfit, world: World) -> Mapping[str, Any] | None:
    """Return what is kept, readable by itself; nothing of an arm that cannot work, for that costs nothing."""
    if isinstance(result, Unfit):
        return None
    about = {"task": world.problems[job.place].task.name, "arm": job.arm.name, "seed": job.seed}
    return {**about, "stations": job.stations, "record": asdict(result)}
