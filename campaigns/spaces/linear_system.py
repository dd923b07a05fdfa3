"""The linear constraints of a space as matrices, and whether all of them can be kept together."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaigns.constraints import LinearConstraint
from campaigns.spaces.mixtures import MixtureConfig

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """``equal @ x == equal_to``, ``upper @ x <= upper_to`` and ``low <= x <= high`` for d numbers.

    Attributes:
        names: the parameters, d.
        equal, equal_to: e x d and e.
        upper, upper_to: u x d and u.
        low, high: d each.
    """

    names: tuple[str, ...]
    equal: Vector
    equal_to: Vector
    upper: Vector
    upper_to: Vector
    low: Vector
    high: Vector

    @classmethod
    def of(cls, constraints: Sequence[LinearConstraint], spans: Mapping[str, tuple[float, float]]) -> LinearSystem:
        """Return the system of some constraints; ``spans`` holds the bounds of all parameters in them."""
        names = tuple(spans)
        rows = {c.text: np.array([c.coefficients.get(n, 0.0) for n in names]) for c in constraints}
        equal, upper = ([c for c in constraints if c.equal is side] for side in (True, False))
        low, high = np.array(list(spans.values()), dtype=float).reshape(len(names), 2).T
        return cls(
            names,
            np.array([rows[c.text] for c in equal]).reshape(len(equal), len(names)),
            np.array([c.bound for c in equal]),
            np.array([rows[c.text] for c in upper]).reshape(len(upper), len(names)),
            np.array([c.bound for c in upper]),
            low,
            high,
        )


def sum_of(name: str, mixture: MixtureConfig) -> LinearConstraint:
    """Return that the shares of a mixture add up."""
    text = f"{' + '.join(mixture.components)} == {mixture.total:g}  # {name}"
    return LinearConstraint(text, dict.fromkeys(mixture.components, 1.0), mixture.total, equal=True)


_Row = tuple[Mapping[object, float], float, float]
"""Coefficients by what they belong to, and the least and the largest sum."""


def solvable(
    system: LinearSystem,
    whole: Collection[str],
    levels: Mapping[str, Sequence[float]],
    mixtures: Sequence[MixtureConfig],
) -> bool:
    """Return whether anything keeps a system.

    Args:
        system: what is to be kept.
        whole: those of its numbers that are whole.
        levels: those of its numbers of which only some values are allowed, with these.
        mixtures: those whose components stand in it.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp  # a third of a second, which few campaigns need

    rows = [*_kept(system), *(row for m in mixtures if m.at_most for row in _few(m, m.at_most))]
    rows += [row for name, values in levels.items() for row in _one_of(name, values)]
    switches = dict.fromkeys(key for row, _, _ in rows for key in row if not isinstance(key, str))
    column = {key: i for i, key in enumerate([*system.names, *switches])}
    matrix = np.zeros((len(rows), len(column)))
    for i, (row, _, _) in enumerate(rows):
        matrix[i, [column[key] for key in row]] = list(row.values())
    least, most = (np.array([row[side] for row in rows]) for side in (1, 2))
    bounds = Bounds(np.append(system.low, np.zeros(len(switches))), np.append(system.high, np.ones(len(switches))))
    integers = np.append(np.isin(system.names, list(whole)), np.ones(len(switches)))
    constraints = LinearConstraint(matrix, least, most)
    return milp(np.zeros(len(column)), integrality=integers, bounds=bounds, constraints=constraints).status != 2


def _kept(system: LinearSystem) -> Iterator[_Row]:
    for row, to in zip(system.equal.tolist(), system.equal_to.tolist(), strict=True):
        yield dict(zip(system.names, row, strict=True)), to, to
    for row, to in zip(system.upper.tolist(), system.upper_to.tolist(), strict=True):
        yield dict(zip(system.names, row, strict=True)), -np.inf, to


def _few(mixture: MixtureConfig, at_most: int) -> Iterator[_Row]:
    """Yield that a share lies in its span if its component is there, and that few are there."""
    for name, (low, high) in mixture.spans.items():
        yield {name: 1.0, (name,): -low}, 0.0, np.inf
        yield {name: 1.0, (name,): -high}, -np.inf, 0.0
    yield {(name,): 1.0 for name in mixture.components}, 0.0, at_most


def _one_of(name: str, values: Sequence[float]) -> Iterator[_Row]:
    """Yield that a number is one of some values."""
    yield {(name, value): 1.0 for value in values}, 1.0, 1.0
    yield {name: -1.0, **{(name, value): value for value in values}}, 0.0, 0.0
