"""Uniform points of what linear constraints leave of the bounds, where too little is left for trial and error.

Hit-and-run (Smith 1984, Oper. Res. 32, 1296) from the centre of the largest ball inside, in the directions that keep
the equalities.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import null_space
from scipy.optimize import linprog

from campaigns.spaces.linear_system import LinearSystem
from campaigns.spaces.parameters import CategoricalConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Scalar
from loop.sampling.rounding import Setting, Vector, satisfy_equalities, tidied
from loop.sampling.space_filling import farthest_first

_FACES = 8  # choices of components that are tried in a round
_CHAINS = (16, 256)  # in each of them: in the first rounds, and later
_FIRST = 4  # rounds
_STEPS = (20, 5)  # of each chain for each dimension: to its first point, and from one to the next
_FLAT = 1e-9


@dataclass(frozen=True)
class _Face:
    """What linear constraints leave, in coordinates from 0 to 1 between the bounds of what is not fixed."""

    system: LinearSystem
    chains: dict[int, Vector] = field(default_factory=dict, compare=False)

    @cached_property
    def _free(self) -> NDArray[np.intp]:
        return np.flatnonzero(self.system.high > self.system.low)

    @cached_property
    def _span(self) -> Vector:
        return (self.system.high - self.system.low)[self._free]

    @cached_property
    def _equal(self) -> tuple[Vector, Vector]:
        matrix, known = self.system.equal, self.system.equal @ self.system.low
        return matrix[:, self._free] * self._span, self.system.equal_to - known

    @cached_property
    def _upper(self) -> tuple[Vector, Vector]:
        one = np.eye(len(self._free))
        rows = self.system.upper[:, self._free] * self._span
        left = self.system.upper_to - self.system.upper @ self.system.low
        return np.vstack([rows, one, -one]), np.concatenate([left, np.ones(len(one)), np.zeros(len(one))])

    @cached_property
    def _along(self) -> Vector:
        """The directions that keep the equalities, f x k."""
        return null_space(self._equal[0]) if len(self._equal[0]) else np.eye(len(self._free))

    @cached_property
    def centre(self) -> tuple[Vector, float] | None:
        """The centre of the largest ball inside, and its radius; None if nothing is inside."""
        (rows, most), (equal, to) = self._upper, self._equal
        reach = np.linalg.norm(rows @ self._along, axis=1)
        padded = np.column_stack([equal, np.zeros(len(equal))])
        found = linprog(
            np.append(np.zeros(len(self._free)), -1.0),
            A_ub=np.column_stack([rows, reach]),
            b_ub=most,
            A_eq=padded if len(padded) else None,
            b_eq=to if len(padded) else None,
            bounds=[(0.0, 1.0)] * len(self._free) + [(0.0, 1.0)],
        )
        return (found.x[:-1], float(found.x[-1])) if found.status == 0 else None

    def walk(self, count: int, generator: np.random.Generator) -> Vector:
        """Return one more point, count x d, of each of so many chains."""
        if self.centre is None:
            return np.empty((0, len(self.system.low)))
        start, radius = self.centre
        at = self.chains.get(count, np.tile(start, (count, 1)))
        if radius > _FLAT:
            for _ in range(_STEPS[count in self.chains] * (1 + self._along.shape[1])):
                at = self._step(at, generator)
            self.chains[count] = at
        found = np.tile(self.system.low, (count, 1))
        found[:, self._free] += at * self._span
        return found

    def _step(self, at: Vector, generator: np.random.Generator) -> Vector:
        rows, most = self._upper
        way = generator.normal(size=(len(at), self._along.shape[1])) @ self._along.T
        speed, left = way @ rows.T, (most - at @ rows.T).clip(0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            reached = left / speed
        ahead = np.where(speed > _FLAT, reached, np.inf).min(axis=1)
        behind = np.where(speed < -_FLAT, reached, -np.inf).max(axis=1)
        return at + way * (behind + (ahead - behind) * generator.random(len(at)))[:, None]


def interior(space: SpaceConfig, seed: int) -> Iterator[list[Setting]]:
    """Yield different settings that lie in the space, round by round without an end."""
    generator = np.random.default_rng(seed)
    faces: dict[tuple[str, ...], _Face] = {}
    sparse = any(mixture.at_most is not None for mixture in space.mixtures.values())
    for number in range(10**9):
        chains = _CHAINS[number >= _FIRST]
        found: list[Setting] = []
        for _ in range(_FACES if sparse else 1):
            absent = _absent(space, generator)
            face = faces.setdefault(absent, _Face(_without(space, absent)))
            found += [_setting(space, row, generator) for row in face.walk(chains, generator)]
        kept = [setting for setting in satisfy_equalities(space, found) if space.allows(space.present(setting))]
        yield [space.present(kept[place]) for place in _order(space, kept, generator)]


def _order(space: SpaceConfig, found: list[Setting], generator: np.random.Generator) -> list[int]:
    system = space.system
    span = np.maximum(system.high - system.low, _FLAT)
    points = np.array([[float(s[name]) for name in system.names] for s in found]).reshape(len(found), len(span))
    return [int(place) for place in farthest_first(points / span, generator)]


def _absent(space: SpaceConfig, generator: np.random.Generator) -> tuple[str, ...]:
    """Return components that are not there, drawn as for the unit cube."""
    names: list[str] = []
    for mixture in space.mixtures.values():
        if mixture.at_most is None:
            continue
        counts = np.array(mixture.counts)
        count = int(generator.choice(counts, p=counts / counts.sum()))
        names += [str(n) for n in generator.permutation(list(mixture.components))[count:]]
    return tuple(sorted(names))


def _without(space: SpaceConfig, absent: tuple[str, ...]) -> LinearSystem:
    """Return the linear constraints where some components are not there, and all others are."""
    lows = {n: low for m in space.mixtures.values() for n, (low, _) in m.spans.items()}
    system = space.system
    low = [0.0 if n in absent else lows.get(n, least) for n, least in zip(system.names, system.low, strict=True)]
    high = [0.0 if n in absent else most for n, most in zip(system.names, system.high, strict=True)]
    return replace(system, low=np.array(low), high=np.array(high))


def _setting(space: SpaceConfig, row: Vector, generator: np.random.Generator) -> Setting:
    """Return a setting with the numbers of the constraints given, and all others at random."""
    given: Mapping[str, float] = dict(zip(space.system.names, row.tolist(), strict=True))
    found = {
        name: _nearest(parameter, given[name]) if name in given else parameter.at(float(generator.random()))
        for name, parameter in space.all_parameters.items()
    }
    return tidied(space, found)


def _nearest(parameter: ParameterConfig, value: float) -> Scalar:
    match parameter:
        case IntegerConfig():
            return round(value)
        case OrdinalConfig(levels=levels):
            return min(levels, key=lambda level: abs(level - value))
        case CategoricalConfig():
            raise TypeError("a constraint names numbers only")
        case _:
            return value
