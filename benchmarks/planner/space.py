"""What an engine gets of a problem: parameters, rows that may be chosen, and what counts as good.

A point is an array of d numbers, one per parameter in its own unit; a category is the place of its level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Real:
    """A number between two bounds."""

    name: str
    low: float
    high: float

    @property
    def width(self) -> int:
        """Return the number of columns in the unit box."""
        return 1

    def unit(self, values: Numbers) -> Numbers:
        """Return values, n, scaled to 0 to 1, n x 1."""
        return np.asarray(((values - self.low) / (self.high - self.low))[:, None])

    def at(self, columns: Numbers) -> float:
        """Return the value at a place in the unit box: the inverse of ``unit``, for one point."""
        return min(max(self.low + float(columns[0]) * (self.high - self.low), self.low), self.high)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some names without order."""

    name: str
    levels: tuple[str, ...]

    @property
    def width(self) -> int:
        """Return the number of columns in the unit box."""
        return len(self.levels)

    def unit(self, values: Numbers) -> Numbers:
        """Return places of levels, n, as one column for each level, n x k."""
        return np.asarray(np.eye(len(self.levels))[values.astype(int)])

    def at(self, columns: Numbers) -> float:
        """Return the place of the level with the largest column."""
        return float(columns.argmax())


Parameter = Real | Choice


@dataclass(frozen=True, eq=False)
class Task:
    """What an engine gets.

    Attributes:
        signs: +1 for each objective that is to be large, -1 for each that is to be small; o.
        slacks: how many further outcomes there are, s, that must not be negative.
        rows: n x d points that may be chosen, each different; None if every point of the box may.
        total: experiments in all.
        noisy: whether an outcome is measured with noise.
    """

    name: str
    parameters: tuple[Parameter, ...]
    signs: tuple[float, ...]
    slacks: int = 0
    rows: Numbers | None = None
    total: int = 35
    noisy: bool = False

    def unit(self, points: Numbers) -> Numbers:
        """Return points, n x d, in the unit box, n x e; e exceeds d where there are categories."""
        return np.column_stack([p.unit(points[:, i]) for i, p in enumerate(self.parameters)])

    def merits(self, values: Numbers) -> Numbers:
        """Return objectives, n x o, all to be large, of outcomes, n x (o + s)."""
        return np.asarray(values[:, : len(self.signs)] * np.array(self.signs))

    def named(self, point: Numbers) -> dict[str, float | str]:
        """Return a point as names with values."""
        return {p.name: _value(p, float(value)) for p, value in zip(self.parameters, point, strict=True)}

    def point(self, named: dict[str, float | str]) -> Numbers:
        """Return the point, d, of names with values."""
        return np.array([_number(p, named[p.name]) for p in self.parameters])

    @property
    def categories(self) -> Iterator[tuple[int, Choice]]:
        """Yield the place of each categorical parameter with the parameter."""
        return ((i, p) for i, p in enumerate(self.parameters) if isinstance(p, Choice))


@dataclass(frozen=True, slots=True)
class Occasion:
    """What decides about everything random in a measurement.

    Attributes:
        seed: of the campaign.
        number: of the experiment, from 0.
        earlier: how often the same point was measured before.
    """

    seed: int
    number: int
    earlier: int = 0


@dataclass(frozen=True)
class Readings:
    """What was measured.

    Attributes:
        values: n x (o + s), objectives and then slacks.
        sds: standard uncertainties as replicates tell, of the same shape; NaN where nothing tells.
        replicates: r x n x (o + s), of which the values are means; once the values where there are none.
    """

    values: Numbers
    sds: Numbers
    replicates: Numbers

    @classmethod
    def single(cls, values: Numbers) -> Readings:
        """Return readings, n x (o + s), of which nothing tells how uncertain they are."""
        return cls(values, np.full_like(values, np.nan), values[None])

    @classmethod
    def together(cls, readings: Sequence[Readings]) -> Readings:
        """Return readings of several points as one."""
        return cls(
            np.concatenate([r.values for r in readings]),
            np.concatenate([r.sds for r in readings]),
            np.concatenate([r.replicates for r in readings], axis=1),
        )


class Left:
    """The rows of a table that were not taken yet.

    Args:
        seed: decides between rows that are equally near.
    """

    def __init__(self, task: Task, seed: int) -> None:
        assert task.rows is not None
        self._task, self.rows, self.units = task, task.rows, task.unit(task.rows)
        self._places = {row.tobytes(): place for place, row in enumerate(task.rows)}
        self._order = np.random.default_rng(seed).permutation(len(task.rows))
        self._taken = np.zeros(len(task.rows), dtype=bool)

    @property
    def places(self) -> NDArray[np.int64]:
        """Return the places of the rows that are left, in an order that the seed decides."""
        return np.asarray(self._order[~self._taken[self._order]])

    def take(self, points: Numbers) -> None:
        """Take rows, n x d, off."""
        self._taken[[self._places[point.tobytes()] for point in points]] = True

    def nearest(self, point: Numbers) -> Numbers:
        """Return the row that is nearest to a point, d, in the unit box, and take it off."""
        places = self.places
        distances = np.square(self.units[places] - self._task.unit(point[None])).sum(axis=1)
        return self.taken(int(places[distances.argmin()]))

    def taken(self, place: int) -> Numbers:
        """Take a row off, and return it."""
        self._taken[place] = True
        return np.asarray(self.rows[place])


def _value(parameter: Parameter, value: float) -> float | str:
    match parameter:
        case Real():
            return value
        case Choice(levels=levels):
            return levels[int(value)]


def _number(parameter: Parameter, value: float | str) -> float:
    match parameter:
        case Real(low=low, high=high):
            return min(max(float(value), low), high)
        case Choice(levels=levels):
            return float(levels.index(str(value)))
