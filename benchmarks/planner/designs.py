"""Response surfaces: a classical design, a quadratic fitted to it, its optimum, and a design half as wide around that.

Box and Wilson 1951, J. R. Stat. Soc. B 13, 1; Box and Behnken 1960, Technometrics 2, 455.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations_with_replacement

import numpy as np
import pydoe

from benchmarks.errors import UnfitError
from benchmarks.planner.space import Numbers, Readings, Task

_FRACTIONS = {5: "a b c d abcd", 6: "a b c d abc bcd"}  # of the corners, where all of them are too many
_TRIED = 4096  # points of a region among which the fit's optimum is looked for


def central_composite(task: Task, seed: int) -> DesignEngine:
    """Return an engine with face-centred central composite designs; of 5 factors and more, on a fraction's corners."""
    return DesignEngine(task, seed, _composite)


def box_behnken(task: Task, seed: int) -> DesignEngine:
    """Return an engine with Box-Behnken designs."""
    return DesignEngine(task, seed, _behnken)


class DesignEngine:
    """Suggests the points of a design, in random order, then the optimum of a quadratic fitted to what was measured.

    Raises:
        UnfitError: there are rows, categories or several objectives, or the design takes more than the budget.
    """

    def __init__(self, task: Task, seed: int, design: Callable[[int], Numbers]) -> None:
        if task.rows is not None or len(task.signs) > 1 or any(task.categories):
            raise UnfitError("response-surface designs need a box of numbers and one objective")
        self._task, self._generator = task, np.random.default_rng(seed)
        self._design = design(len(task.parameters))
        if len(self._design) >= task.total:
            raise UnfitError(f"the design takes {len(self._design)} of {task.total} experiments")
        self._centre, self._half = np.full(len(task.parameters), 0.5), 0.5
        self._queue = self._laid_out()
        self._units = np.empty((0, len(task.parameters)))
        self._values = np.empty((0, 1 + task.slacks))

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Learn readings, turned so that large is good."""
        self._units = np.concatenate([self._units, self._task.unit(points)])
        turned = np.column_stack([self._task.merits(readings.values), readings.values[:, 1:]])
        self._values = np.concatenate([self._values, turned])

    def suggest(self, pending: Numbers) -> Numbers:  # noqa: ARG002  # a design is laid out beforehand
        """Return the next point of the design, or the optimum of the fit."""
        unit = self._queue.pop() if self._queue else self._optimum()
        return np.array([p.at(unit[i : i + 1]) for i, p in enumerate(self._task.parameters)])

    def _laid_out(self) -> list[Numbers]:
        """Return the design in the region at hand."""
        laid = np.clip(self._centre + self._half * self._design, 0.0, 1.0)
        return [laid[i] for i in self._generator.permutation(len(laid))]

    def _optimum(self) -> Numbers:
        """Return the optimum of the fit in the region at hand; the next region is half as wide and lies around it."""
        inside = (np.abs(self._units - self._centre) <= self._half + 1e-9).all(axis=1)
        spread = self._generator.uniform(-self._half, self._half, (_TRIED, len(self._centre)))
        tried = np.clip(self._centre + spread, 0.0, 1.0)
        fit = np.linalg.lstsq(_quadratic(self._units[inside]), self._values[inside], rcond=None)[0]
        expected = _quadratic(tried) @ fit
        broken = np.minimum(expected[:, 1:], 0.0).sum(axis=1)
        best = tried[np.lexsort((expected[:, 0], broken))[-1]]
        self._centre, self._half = best, self._half / 2
        self._queue = self._laid_out()
        return np.asarray(best)


def _quadratic(units: Numbers) -> Numbers:
    """Return the terms of a full quadratic, n x (1 + d + d (d + 1) / 2)."""
    pairs = combinations_with_replacement(range(units.shape[1]), 2)
    return np.column_stack([np.ones(len(units)), units, *(units[:, i] * units[:, j] for i, j in pairs)])


def _composite(factors: int) -> Numbers:
    if factors not in _FRACTIONS:
        return np.unique(pydoe.ccdesign(factors, center=(0, 1), alpha="rotatable", face="faced"), axis=0)
    corners = pydoe.fracfact(_FRACTIONS[factors])
    faces = np.eye(factors)
    return np.concatenate([corners, faces, -faces, np.zeros((1, factors))])


def _behnken(factors: int) -> Numbers:
    if factors < 3:
        raise UnfitError("a Box-Behnken design needs three factors")
    return np.asarray(pydoe.bbdesign(factors, center=1))
