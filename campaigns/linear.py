"""The linear constraints of a space as matrices, and whether all of them can be kept together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaigns.constraints import LinearConstraint
from campaigns.mixtures import MixtureConfig

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


def solvable(system: LinearSystem, whole: Sequence[str], mixtures: Sequence[MixtureConfig]) -> bool:
    """Return whether anything keeps a system with some whole numbers, and mixtures of at most so many components."""
    from scipy.optimize import Bounds, LinearConstraint, milp  # a third of a second, which few campaigns need

    sparse = [m for m in mixtures if m.at_most is not None]
    there = [name for m in sparse for name in m.components]
    d, size = len(system.names), len(system.names) + len(there)
    rows = [LinearConstraint(_padded(system.equal, size), system.equal_to, system.equal_to)] * (len(system.equal) > 0)
    rows += [LinearConstraint(_padded(system.upper, size), -np.inf, system.upper_to)] * (len(system.upper) > 0)
    for mixture in sparse:
        count = np.zeros(size)
        for name, (low, high) in mixture.spans.items():
            share, switch = system.names.index(name), d + there.index(name)
            count[switch] = 1.0
            above, below = np.zeros(size), np.zeros(size)
            above[[share, switch]], below[[share, switch]] = (1.0, -low), (1.0, -high)
            rows += [LinearConstraint(above, 0.0, np.inf), LinearConstraint(below, -np.inf, 0.0)]
        rows.append(LinearConstraint(count, 0.0, mixture.at_most))
    bounds = Bounds(np.append(system.low, np.zeros(len(there))), np.append(system.high, np.ones(len(there))))
    integers = np.append(np.isin(system.names, list(whole)), np.ones(len(there)))
    found = milp(np.zeros(size), integrality=integers, bounds=bounds, constraints=rows)
    return found.status != 2


def _padded(matrix: Vector, width: int) -> Vector:
    return np.pad(matrix, ((0, 0), (0, width - matrix.shape[1])))
