"""What one engine costs, measured in a fresh process.

    python -m benchmarks.planner.probe ENGINE KIND NUMBER

prints what was measured as JSON; ``benchmarks.planner --costs`` asks for all.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import warnings
from dataclasses import asdict, dataclass
from typing import Literal, get_args

import numpy as np

from benchmarks.errors import UnfitError
from benchmarks.planner.arms import ARMS
from benchmarks.planner.engine import Arm, Engine
from benchmarks.planner.space import Numbers, Readings, Real, Task
from loop.cli.memory import peak_memory

Kind = Literal["pool", "large pool", "two objectives"]
"""A pool of 1,000 rows beside those that were measured, one of 100,000, or a box with two objectives."""

_ROWS = {"pool": 1_000, "large pool": 100_000}
_TIMED = 3  # suggestions, after one that is not timed
_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured.

    Attributes:
        start: processor seconds of importing the engine and making it.
        first: wall seconds of the first suggestion.
        whole: processor seconds of the first suggestion, with learning all readings and fitting all there is to fit.
        cpu: processor seconds of a later one with learning one reading; median.
        memory: largest resident set, in bytes.
        unfit: why nothing was measured; empty if it was.
    """

    start: float = 0.0
    first: float = 0.0
    whole: float = 0.0
    cpu: float = 0.0
    memory: float = 0.0
    unfit: str = ""


def measure(arm: Arm, kind: Kind, count: int) -> Cost:
    """Return what an engine costs that has seen so many measurements."""
    task = _task(kind, count)
    points = _points(task, count + _TIMED)
    began = time.process_time()
    try:
        engine = arm.start(task, 0)
    except UnfitError as error:
        return Cost(unfit=str(error))
    start = time.process_time() - began
    readings = _readings(task, points[:count])
    began, beginning = time.perf_counter(), time.process_time()
    engine.tell(points[:count], readings)
    point = engine.suggest(points[:0])
    first, whole = time.perf_counter() - began, time.process_time() - beginning
    cpu = []
    for _ in range(_TIMED):
        point, seconds = _next(engine, task, point)
        cpu.append(seconds)
    memory = peak_memory()
    return Cost(start, first, whole, float(np.median(cpu)), memory)


def _next(engine: Engine, task: Task, point: Numbers) -> tuple[Numbers, float]:
    readings = _readings(task, point[None])
    began = time.process_time()
    engine.tell(point[None], readings)
    found = engine.suggest(np.empty((0, _DIMENSIONS)))
    return found, time.process_time() - began


def _task(kind: Kind, count: int) -> Task:
    parameters = tuple(Real(f"x{i}", 0.0, 1.0) for i in range(_DIMENSIONS))
    if kind == "two objectives":
        return Task(kind, parameters, (1.0, 1.0), total=count + _TIMED + 1)
    rows = np.random.default_rng(0).random((_ROWS[kind] + count, _DIMENSIONS))
    return Task(kind, parameters, (1.0,), rows=rows, total=count + _TIMED + 1)


def _points(task: Task, count: int) -> Numbers:
    return np.random.default_rng(1).random((count, _DIMENSIONS)) if task.rows is None else task.rows[:count]


def _readings(task: Task, points: Numbers) -> Readings:
    """Return waves on a hill; their opposite side is the second objective."""
    centres = (0.3, 0.8)[: len(task.signs)]
    values = [np.sin(9.0 * points).mean(axis=1) - np.square(points - c).sum(axis=1) for c in centres]
    return Readings.single(np.column_stack(values))


def main(name: str, kind: str, count: str) -> None:
    """Measure, and print."""
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")
    (arm,) = (arm for arm in ARMS if arm.name == name)
    (wanted,) = (each for each in get_args(Kind) if each == kind)
    print(json.dumps(asdict(measure(arm, wanted, int(count)))))


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main(*sys.argv[1:])
