"""What is looked for in a pool, and how well a set of picks has done."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.pools.crystals import Crystals

TOP = 0.01
"""Share of the pool that counts as the best."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that is measured.

    Attributes:
        column: its name, and the column that holds the truth.
        sd: standard deviation of the noise, in the column's unit.
        detection: readings below count as zero; None if any reading is possible.
    """

    column: str
    unit: str
    sd: float
    detection: float | None = None


@dataclass(frozen=True, slots=True)
class Extreme:
    """The merit is a quantity, or its negative."""

    column: str
    sign: float


@dataclass(frozen=True, slots=True)
class Edge:
    """A logistic step from 0 to 1 where the sign is +1, from 1 to 0 where it is -1."""

    at: float
    width: float
    sign: float


@dataclass(frozen=True, slots=True)
class Term:
    """The product of logistic steps in one quantity."""

    column: str
    edges: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Score:
    """The merit is the mean of terms."""

    terms: tuple[Term, ...]


Merit = Extreme | Score


@dataclass(frozen=True, slots=True)
class Bound:
    """A range of one quantity, above ``low`` and up to ``high``."""

    column: str
    low: float = -np.inf
    high: float = np.inf


@dataclass(frozen=True, slots=True)
class Task:
    """What is looked for.

    Attributes:
        about: the task in words, for the tables.
        quantities: what one experiment measures.
        merit: what is to be large.
        hits: ranges of columns; a row within all of them is a hit. Without any, hits are not counted.
    """

    name: str
    about: str
    quantities: tuple[Quantity, ...]
    merit: Merit
    hits: tuple[Bound, ...] = ()


def term_value(term: Term, values: Tensor) -> Tensor:
    """Return a term, elementwise, in 0 to 1."""
    steps = [torch.sigmoid(edge.sign * (values - edge.at) / edge.width) for edge in term.edges]
    return torch.stack(steps).prod(dim=0)


def merit_of(task: Task, values: Tensor) -> Tensor:
    """Return merits, ..., of quantities, ... x m, in the order of the task's quantities."""
    place = {quantity.column: index for index, quantity in enumerate(task.quantities)}
    match task.merit:
        case Extreme(column, sign):
            return sign * values[..., place[column]]
        case Score(terms):
            return torch.stack([term_value(term, values[..., place[term.column]]) for term in terms]).mean(dim=0)


@dataclass(frozen=True, eq=False)
class Setting:
    """A task on a pool.

    Attributes:
        pool: what may be picked; rows are counted in it.
        database: crystals of other chemistries whose properties an arm may know beforehand; may be empty.
    """

    task: Task
    pool: Crystals
    database: Crystals

    @cached_property
    def truth(self) -> NDArray[np.float64]:
        """Return the quantities without noise, n x m."""
        return np.column_stack([self.pool.columns[q.column] for q in self.task.quantities])

    @cached_property
    def merit(self) -> NDArray[np.float64]:
        """Return the true merits, n."""
        return np.asarray(merit_of(self.task, torch.from_numpy(self.truth)).numpy(), dtype=float)

    @cached_property
    def best(self) -> NDArray[np.bool_]:
        """Return which rows are among the top 1 %, n; rows as good as the last of them are, too."""
        count = max(1, int(TOP * len(self.pool)))
        return np.asarray(self.merit >= np.sort(self.merit)[-count])

    @cached_property
    def hits(self) -> NDArray[np.bool_]:
        """Return which rows are hits, n; none where the task has no hits."""
        within = [
            (self.pool.columns[b.column] > b.low) & (self.pool.columns[b.column] <= b.high) for b in self.task.hits
        ]
        return np.logical_and.reduce(within) if within else np.zeros(len(self.pool), dtype=bool)


class Laboratory:
    """Measures rows of a pool, the same noisy values for the same row, seed and time, for every engine."""

    def __init__(self, setting: Setting, seed: int) -> None:
        self._setting, self._seed = setting, seed
        self._times: Counter[int] = Counter()
        self._rounds: list[Mapping[str, NDArray[np.float64]]] = []

    def measure(self, rows: Sequence[int]) -> Mapping[str, NDArray[np.float64]]:
        """Return readings, n, for each quantity; a row that is measured once more has another noise."""
        found = [self._round(self._times[row]) for row in rows]
        self._times.update(rows)
        pairs = list(zip(found, rows, strict=True))
        return {q.column: np.array([each[q.column][row] for each, row in pairs]) for q in self._setting.task.quantities}

    def _round(self, number: int) -> Mapping[str, NDArray[np.float64]]:
        """Return the readings of all rows when they are measured for the nth time."""
        while len(self._rounds) <= number:
            quantities, columns = self._setting.task.quantities, self._setting.pool.columns
            count = len(self._rounds)
            self._rounds.append({q.column: readings(columns[q.column], q, self._seed, count) for q in quantities})
        return self._rounds[number]


def readings(true: NDArray[np.float64], quantity: Quantity, seed: int, again: int = 0) -> NDArray[np.float64]:
    """Return what a measurement of each row gives, n; the same for the same row, seed and number of repetitions."""
    generator = np.random.default_rng([seed, zlib.crc32(quantity.column.encode()), *([again] if again else [])])
    noisy = true + quantity.sd * generator.standard_normal(len(true))
    return noisy if quantity.detection is None else np.where(noisy < quantity.detection, 0.0, noisy)
