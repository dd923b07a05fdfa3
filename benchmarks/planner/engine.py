"""An engine suggests points, a laboratory with one station or several measures them."""

from __future__ import annotations

import heapq
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from benchmarks.planner.boxes import Box
from benchmarks.planner.space import Numbers, Occasion, Readings, Task
from benchmarks.planner.tables import Table

Problem = Table | Box


class Engine(Protocol):
    """A way of choosing points."""

    def suggest(self, pending: Numbers) -> Numbers:
        """Return one point, d; a row that is not under way where there are rows: once more is an experiment, too.

        Args:
            pending: p x d points that were suggested and are not measured yet.
        """
        ...

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Learn n x d points and their readings."""
        ...


@dataclass(frozen=True, slots=True)
class Arm:
    """An engine by name.

    Attributes:
        start: makes an engine for a task and a seed. It may raise UnfitError.
        about: what it is, for the tables; a peer's run on record counts only as long as this text stays.
        code: files and folders of the repository; its runs are void when one of them changes. Only our own arms have
            any: a peer's run changes with its ``about`` and its versions alone.
        needs: the module that must be installed.
        distributions: whose versions decide about a run.
        seeds: campaigns on each task if nobody says otherwise.
        initial: random points to begin with, the same for all engines.
    """

    name: str
    start: Callable[[Task, int], Engine]
    about: str
    code: tuple[str, ...] = ()
    needs: str | None = None
    distributions: tuple[str, ...] = ()
    seeds: int = 20
    initial: int = 5

    @property
    def ours(self) -> bool:
        """Return whether it is an arm of this project."""
        return bool(self.code)

    @property
    def missing(self) -> bool:
        """Return whether its library is not installed."""
        return self.needs is not None and importlib.util.find_spec(self.needs) is None


@dataclass(frozen=True, slots=True)
class Record:
    """What an engine did.

    Attributes:
        points: in the order in which they were measured.
        cpu: processor seconds of each suggestion, with learning what was measured since the one before.
        wall: seconds of the campaign.
    """

    points: list[list[float]]
    cpu: list[float]
    wall: float


def conduct(arm: Arm, problem: Problem, seed: int, stations: int = 1) -> Record:
    """Run a campaign; each station asks for its next point as soon as it is free.

    Raises:
        UnfitError: the arm cannot work on this problem.
        ValueError: the engine suggests what does not exist or was measured already.
    """
    began = time.perf_counter()
    campaign = _Campaign(arm.start(problem.task, seed), problem, seed)
    for point in problem.start(seed, arm.initial):
        campaign.measured(point)
    while len(campaign.done) < _total(problem):
        while campaign.issued < _total(problem) and len(campaign.under_way) < stations:
            campaign.ask()
        campaign.next()
    return Record([p.tolist() for p in campaign.done], campaign.cpu, time.perf_counter() - began)


def _total(problem: Problem) -> int:
    rows = problem.task.rows
    return problem.task.total if rows is None else min(problem.task.total, len(rows))


@dataclass
class _Campaign:
    """One engine at work."""

    engine: Engine
    problem: Problem
    seed: int
    done: list[Numbers] = field(default_factory=list)
    untold: list[Numbers] = field(default_factory=list)
    under_way: list[tuple[float, int, Numbers]] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    clock: float = 0.0

    def __post_init__(self) -> None:
        self._durations = np.random.default_rng([self.seed, 7])

    @property
    def issued(self) -> int:
        """Return how many points were suggested, the start among them."""
        return len(self.done) + len(self.under_way)

    def measured(self, point: Numbers) -> None:
        """Keep a point that has been measured."""
        self.done.append(point)
        self.untold.append(point)

    def ask(self) -> None:
        """Let a station begin with the engine's next point; it takes 0.5 to 1.5 units of time."""
        readings = [self._reading(number) for number in range(len(self.done) - len(self.untold), len(self.done))]
        began = time.process_time()
        if self.untold:
            self.engine.tell(np.array(self.untold), Readings.together(readings))
        pending = np.array([p for _, _, p in self.under_way]).reshape(-1, len(self.problem.task.parameters))
        point = self.engine.suggest(pending)
        self.cpu.append(time.process_time() - began)
        self.untold = []
        self._check(point)
        ends = self.clock + self._durations.uniform(0.5, 1.5)
        heapq.heappush(self.under_way, (ends, self.issued, point))

    def next(self) -> None:
        """Wait until the next station has measured its point."""
        self.clock, _, point = heapq.heappop(self.under_way)
        self.measured(point)

    def _reading(self, number: int) -> Readings:
        """Return what an experiment that has ended says."""
        point = self.done[number]
        earlier = sum(np.array_equal(point, other) for other in self.done[:number])
        return self.problem.measure(point, Occasion(self.seed, number, earlier))

    def _check(self, point: Numbers) -> None:
        match self.problem:
            case Table(places=places):
                if point.tobytes() not in places or any(np.array_equal(point, p) for _, _, p in self.under_way):
                    raise ValueError(f"an engine suggested {point}; allowed: a row of the table that is not under way")
            case Box(task=task):
                unit = task.unit(point[None])
                if not ((unit >= -1e-9) & (unit <= 1 + 1e-9)).all():
                    raise ValueError(f"an engine suggested {point}; allowed: points within the bounds of {task.name}")
