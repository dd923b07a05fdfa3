"""Rows to learn from: structures with a value each."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import UnitError
from campaigns.units import check_unit, convert
from surrogates.pools.pool import structure_key
from surrogates.training.split import Labels


@dataclass(frozen=True, slots=True)
class Target:
    """The training target: the name of a column, and its unit."""

    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that cannot be used, and why."""

    where: str
    reason: str


@dataclass(frozen=True)
class Dataset:
    """n structures with a value each.

    Attributes:
        source: name of the file.
        ids: n names.
        structures: n crystals.
        values: n, in the target's unit.
        skipped: rows that could not be used.
    """

    source: str
    target: Target
    ids: tuple[str, ...]
    structures: tuple[Structure, ...]
    values: NDArray[np.float64]
    skipped: tuple[Skipped, ...] = ()

    @cached_property
    def labels(self) -> Labels:
        """Formula, structure and elements of each row."""
        compositions = [structure.composition for structure in self.structures]
        return Labels(
            [composition.reduced_formula for composition in compositions],
            [structure_key(structure) for structure in self.structures],
            [frozenset(element.symbol for element in composition.elements) for composition in compositions],
        )

    def elements_of(self, rows: Iterable[int]) -> frozenset[str]:
        """Return the symbols that occur in some rows."""
        return frozenset().union(*(self.labels.elements[row] for row in rows))

    def in_order(self) -> Dataset:
        """Return the rows in an order that does not depend on the one they came in."""
        keys = self.labels.structures
        return self.only(sorted(range(len(self.ids)), key=lambda row: (keys[row], self.values[row], self.ids[row])))

    def in_unit(self, unit: str) -> Dataset:
        """Return the rows with their values in another unit.

        Raises:
            UnitError: it is of another dimension.
        """
        values = np.array([convert(value, self.target.unit, unit) for value in self.values.tolist()])
        return replace(self, target=Target(self.target.name, unit), values=values)

    def thinned(self, most: int | None) -> Dataset:
        """Return at most so many rows, evenly spaced; all of them without a limit."""
        if most is None or most >= len(self.ids):
            return self
        return self.only(np.linspace(0, len(self.ids) - 1, most).round().astype(int).tolist())

    def only(self, rows: Sequence[int], skipped: Iterable[Skipped] = ()) -> Dataset:
        """Return some of the rows; more may join those left out."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            structures=tuple(self.structures[row] for row in rows),
            values=self.values[list(rows)],
            skipped=(*self.skipped, *skipped),
        )


def parse_target(text: str) -> Target:
    """Return the column and the unit of text such as ``heat_all[eV/atom]``.

    Raises:
        UnitError: there is no unit, or it is unknown.
    """
    match = re.fullmatch(r"\s*(.*[^\s].*?)\s*\[([^\[\]]+)\]\s*", text)
    if match is None:
        raise UnitError(f"got {text!r}; allowed: a column with its unit, such as 'heat_all[eV/atom]' or 'ratio[1]'")
    return Target(match[1], check_unit(match[2].strip()))
