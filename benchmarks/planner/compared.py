"""The engines on one problem, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.planner.boxes import Box
from benchmarks.planner.engine import Arm, Problem, Record
from benchmarks.planner.figures import Figures, figures
from benchmarks.planner.space import Numbers
from benchmarks.planner.tables import Table
from benchmarks.statistics import Interval, Quartiles


@dataclass(frozen=True, eq=False)
class Compared:
    """The engines on one problem.

    Attributes:
        runs: records by arm and seed.
        unfit: why an arm has no runs, by its name.
    """

    problem: Problem
    runs: Mapping[Arm, Mapping[int, Record]]
    unfit: Mapping[str, str]

    @property
    def name(self) -> str:
        """Return the task's name."""
        return self.problem.task.name

    @property
    def table(self) -> Table:
        """Return the problem, which is a table."""
        assert isinstance(self.problem, Table)
        return self.problem

    @property
    def box(self) -> Box:
        """Return the problem, which is a box."""
        assert isinstance(self.problem, Box)
        return self.problem

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Return the arms that have runs."""
        return tuple(arm for arm, runs in self.runs.items() if runs)

    @property
    def rivals(self) -> Iterator[tuple[Arm, Arm]]:
        """Yield every pair of an arm of ours and another's."""
        return ((ours, other) for ours in self.arms for other in self.arms if ours.ours and not other.ours)

    @cached_property
    def figures(self) -> Mapping[Arm, Mapping[int, Figures]]:
        """Return what is counted on a table, by arm and seed."""
        return {arm: {s: figures(r, self.table) for s, r in sorted(runs.items())} for arm, runs in self.runs.items()}

    @cached_property
    def regrets(self) -> Mapping[Arm, Mapping[int, Numbers]]:
        """Return the regret after each experiment in a box, by arm and seed."""
        return {
            arm: {s: self.box.regrets(np.array(r.points)) for s, r in sorted(runs.items())}
            for arm, runs in self.runs.items()
        }

    def shared(self, one: Arm, other: Arm) -> Sequence[int]:
        """Return the seeds that both arms have run."""
        return sorted(set(self.runs.get(one, {})) & set(self.runs.get(other, {})))


def number(value: float, form: str, never: str = "–") -> str:
    """Return a number as text; a dash for one that was never reached."""
    return form.format(value) if np.isfinite(value) else never


def spread(found: Quartiles, form: str) -> str:
    """Return a median with its quartiles."""
    return f"{number(found.median, form)} [{number(found.lower, form)} to {number(found.upper, form)}]"


def within(interval: Interval, form: str) -> str:
    """Return an estimate with its interval."""
    return f"{number(interval.value, form)} ({number(interval.low, form)} to {number(interval.high, form)})"
