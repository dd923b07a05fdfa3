"""A campaign on a table: an engine suggests rows, a laboratory measures them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from benchmarks.pools.forecasts import Forecasts, judge
from benchmarks.pools.tasks import Laboratory, Setting


class Engine(Protocol):
    """A way of choosing rows."""

    def suggest(self, q: int) -> list[int]:
        """Return q rows of the pool; one that was measured already is measured once more, as an experiment."""
        ...

    def tell(self, rows: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> None:
        """Learn the readings, n, of each quantity of the task."""
        ...


@runtime_checkable
class Forecaster(Protocol):
    """An engine that also says what it expects."""

    def predict(self, rows: Sequence[int]) -> Mapping[str, NDArray[np.float64]]:
        """Return samples, s x n, of each quantity without noise, by the model of the latest suggestion."""
        ...


@dataclass(frozen=True, slots=True)
class Plan:
    """How a campaign proceeds.

    Attributes:
        initial: random rows to begin with, the same for all engines.
        batch: rows per suggestion.
        total: rows that are measured in all.
    """

    initial: int = 20
    batch: int = 5
    total: int = 200


@dataclass(frozen=True)
class Arm:
    """A way of choosing, by name.

    Attributes:
        start: makes an engine for a task and a seed. It may raise UnfitError.
        about: what it is, for the tables; a run on record counts only as long as this text stays.
        code: files and folders of the repository; its runs are void when one of them changes. Only our own arms have
            any: a peer's run takes long, and changes with its ``about`` alone.
        needs: the module that must be installed.
    """

    name: str
    start: Callable[[Setting, int], Engine]
    about: str
    code: tuple[str, ...] = ()
    needs: str | None = None
    plan: Plan = Plan()

    @property
    def ours(self) -> bool:
        """Return whether it is an arm of this project."""
        return bool(self.code)


@dataclass(frozen=True)
class Record:
    """What an engine did.

    Attributes:
        rows: in the order in which they were measured; those that were measured again, again.
        cpu: processor seconds of each iteration: learning the latest readings and suggesting a batch.
        wall: seconds of the campaign.
        forecasts: what was predicted before it was measured, by quantity.
    """

    rows: list[int]
    cpu: list[float]
    wall: float
    forecasts: dict[str, Forecasts] = field(default_factory=dict)


def conduct(arm: Arm, setting: Setting, seed: int) -> Record:
    """Run a campaign.

    Raises:
        UnfitError: the arm cannot work on this pool.
        ValueError: the engine suggests rows that do not exist or one of them twice, or none.
    """
    started = time.perf_counter()
    engine, laboratory = arm.start(setting, seed), Laboratory(setting, seed)
    rows = start_rows(setting, seed, arm.plan.initial)
    total = min(arm.plan.total, len(setting.pool))
    forecasts: list[Mapping[str, Forecasts]] = []
    cpu: list[float] = []
    fresh = rows
    while len(rows) < total:
        batch, seconds = _iterate(engine, laboratory, fresh, min(arm.plan.batch, total - len(rows)))
        fresh = _checked(batch, len(setting.pool))
        new = [row for row in fresh if row not in rows]
        if new and isinstance(engine, Forecaster):
            forecasts.append(judge(engine.predict(new), new, setting))
        rows = rows + fresh
        cpu.append(seconds)
    joined = {q.column: Forecasts.join([each[q.column] for each in forecasts]) for q in setting.task.quantities}
    return Record(rows, cpu, time.perf_counter() - started, joined if forecasts else {})


def start_rows(setting: Setting, seed: int, count: int) -> list[int]:
    """Return the random rows that a campaign begins with; fewer are the first of more."""
    order = np.random.default_rng([seed, len(setting.pool)]).permutation(len(setting.pool))
    return [int(row) for row in order[:count]]


def _iterate(engine: Engine, laboratory: Laboratory, fresh: list[int], q: int) -> tuple[list[int], float]:
    began = time.process_time()
    if fresh:
        engine.tell(fresh, laboratory.measure(fresh))
    return engine.suggest(q), time.process_time() - began


def _checked(batch: Sequence[int], size: int) -> list[int]:
    rows = [int(row) for row in batch]
    wrong = [row for row in rows if not 0 <= row < size]
    if wrong or not rows or len(set(rows)) < len(rows):
        raise ValueError(f"an engine suggested {rows}; rows must be distinct and within 0 to {size - 1}")
    return rows
