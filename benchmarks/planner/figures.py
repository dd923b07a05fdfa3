"""What is counted of a campaign on a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.planner.engine import Record
from benchmarks.planner.space import Numbers
from benchmarks.planner.tables import BEST, GOOD, Table

MARKS = (20, 35)
"""Numbers of experiments at which the share of the good rows is counted."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is counted.

    Attributes:
        best: experiments to the first of the top 1 % of the rows; infinite if it was not found.
        good: experiments to the first of the top 5 %.
        curve: share of the top 5 % that was found by each experiment.
        cpu: processor seconds of a suggestion, mean.
    """

    best: float
    good: float
    curve: tuple[float, ...]
    cpu: float

    def share(self, mark: int) -> float:
        """Return the share of the top 5 % that was found by so many experiments."""
        return self.curve[min(mark, len(self.curve)) - 1]

    def reached(self, share: float) -> float:
        """Return the number of experiments to a share of the top 5 %; infinite if it was not found."""
        return first(np.array(self.curve) >= share - 1e-9)


def figures(record: Record, table: Table) -> Figures:
    """Count a campaign."""
    places = [table.places[np.array(point).tobytes()] for point in record.points]
    best, good = (table.top(share)[places] for share in (BEST, GOOD))
    new = np.zeros(len(places), dtype=bool)
    new[np.unique(places, return_index=True)[1]] = True  # a row that was measured once more is no further find
    curve = np.cumsum(good & new) / table.top(GOOD).sum()
    return Figures(first(best), first(good), tuple(curve.tolist()), float(np.mean(record.cpu or [0.0])))


def first(found: np.ndarray) -> float:
    """Return the number of the first experiment that found something; infinite if none did."""
    at = np.flatnonzero(found)
    return float(at[0] + 1) if len(at) else np.inf


def random_median(table: Table, share: float) -> float:
    """Return the exact median number of experiments that random choice takes to the first row of the top share."""
    size, wanted = len(table.merit), int(table.top(share).sum())
    misses = np.cumprod((size - wanted - np.arange(size - wanted)) / (size - np.arange(size - wanted)))
    return float(np.flatnonzero(misses <= 0.5)[0] + 1)


def enhancement(of: Sequence[Figures], table: Table, mark: int) -> float:
    """Return the enhancement factor: mean share of the top 5 % over what random choice is expected to find.

    Liang et al. 2021, npj Comput. Mater. 7, 188.
    """
    expected = min(mark, len(table.merit)) / len(table.merit)
    return float(np.mean([each.share(mark) for each in of])) / expected


def acceleration(of: Sequence[Figures], table: Table, level: float = 0.5) -> float:
    """Return the acceleration factor: experiments that random choice is expected to take to a share over the engine's.

    Liang et al. 2021, npj Comput. Mater. 7, 188. Zero if the mean share of the engine does not reach the level.
    """
    mean: Numbers = np.mean([each.curve for each in of], axis=0)
    taken = first(mean >= level)
    return level * len(table.merit) / taken
