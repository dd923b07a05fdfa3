"""From points of the unit cube to settings of a space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from campaigns.spaces.mixtures import MixtureConfig
from campaigns.spaces.parameters import FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Scalar
from loop.sampling.rounding import Setting, Vector, satisfy_equalities, tidied, tidy

_LEAST = 1e-12


def settings(space: SpaceConfig, unit_cube: Vector) -> dict[str, Scalar]:
    """Return the parameters at a point of the unit cube (one coordinate each), rounded to what can be set."""
    pairs = zip(space.parameters.items(), unit_cube, strict=True)
    return {name: tidy(parameter, parameter.at(float(x))) for (name, parameter), x in pairs}


@dataclass(frozen=True)
class UnitCube:
    """A unit cube with a coordinate for each parameter, and for each mixture one or two for each component.

    Uniform points become uniform ones of the bounds, of each mixture and, but for what is rejected, of what the linear
    equalities leave.
    """

    space: SpaceConfig

    @property
    def dimensions(self) -> int:
        """The number of coordinates."""
        return len(self.space.parameters) + sum(_width(m) for m in self.space.mixtures.values())

    def settings(self, points: Vector) -> list[Setting]:
        """Return the settings at points, n x d, that lie in the space: up to n, in their order."""
        plain = len(self.space.parameters)
        points = points[screened(self.space, points[:, :plain])]
        found = [settings(self.space, row[:plain]) for row in points]
        if self.space.mixtures:
            found = self._mixed(found, points[:, plain:])
        if len(self.space.system.equal):
            found = satisfy_equalities(self.space, found, evenly=True)
        found = [setting for setting in found if self._bounded(setting)]
        kept = self.space.keeping(found)
        return [self.space.present(setting) for setting, keep in zip(found, kept, strict=True) if keep]

    def _mixed(self, found: list[Setting], points: Vector) -> list[Setting]:
        there = np.full(len(found), True)
        for mixture in self.space.mixtures.values():
            part, points = points[:, : _width(mixture)], points[:, _width(mixture) :]
            amounts, possible = shares(mixture, part)
            there &= possible
            added = [dict(zip(mixture.components, row, strict=True)) for row in amounts.tolist()]
            found = [{**setting, **more} for setting, more in zip(found, added, strict=True)]
        return [tidied(self.space, setting) for setting, kept in zip(found, there, strict=True) if kept]

    def _bounded(self, setting: Setting) -> bool:
        """Return whether what was moved to keep an equality is still in its bounds."""
        names = self.space.system.names
        return all(self.space.all_parameters[name].contains(setting[name]) for name in names)


def screened(space: SpaceConfig, points: Vector) -> NDArray[np.bool_]:
    """Return which points, n x p of the parameters' cube, keep the constraints on what no equality will move.

    Most of a space that constraints make narrow is rejected here, many points at a time.
    """
    moved = {n for n, row in zip(space.system.names, space.system.equal.T, strict=True) if row.any()}
    rules = [c for c in space.parsed_constraints if moved.isdisjoint(c.names) and set(c.names) <= set(space.parameters)]
    places = {name: place for place, name in enumerate(space.parameters)}
    columns = {n: _numbers(space.parameters[n], points[:, places[n]]) for rule in rules for n in rule.names}
    kept = np.full(len(points), True)
    for rule in rules:
        kept &= rule.keeps(columns)
    return kept


def _numbers(parameter: ParameterConfig, fractions: Vector) -> Vector:
    """Return the numbers at fractions of a range, n, rounded as ``tidy`` does but for noise of arithmetic."""
    match parameter:
        case OrdinalConfig(levels=levels):
            return np.array(levels)[np.minimum((fractions * len(levels)).astype(int), len(levels) - 1)]
        case IntegerConfig(low=low, high=high):
            return low + np.minimum((fractions * (high - low + 1)).astype(int), high - low)
        case FloatConfig(low=low, high=high, scale="log"):
            values = np.exp(np.log(low) + fractions * (np.log(high) - np.log(low)))
            return _rounded(values, np.abs(values)).clip(low, high)
        case FloatConfig(low=low, high=high):
            return _rounded(low + fractions * (high - low), np.full(len(fractions), high - low)).clip(low, high)
    raise TypeError("a constraint names numbers only")


def _rounded(values: Vector, reach: Vector) -> Vector:
    """Return values rounded to a thousandth of their reach, at least."""
    digits = 3 - np.floor(np.log10(reach, where=reach > 0.0, out=np.zeros_like(reach)))
    return np.rint(values * 10.0**digits) / 10.0**digits


def _width(mixture: MixtureConfig) -> int:
    count = len(mixture.components)
    return count if mixture.at_most is None else 2 * count + 1


def shares(mixture: MixtureConfig, points: Vector) -> tuple[Vector, NDArray[np.bool_]]:
    """Return the shares, n x c, at points of a unit cube, and which of them are within their bounds.

    Spacings of exponential variables are uniform on a simplex (Devroye 1986, Non-Uniform Random Variate Generation,
    chapter V.2). They share out what is left above the low ends or, where that is less, what is missing below the high
    ends.
    """
    low, high = (np.array(side) for side in zip(*mixture.spans.values(), strict=True))
    there = _there(mixture, points)
    low, high = low * there, high * there
    above, below = mixture.total - low.sum(axis=1), high.sum(axis=1) - mixture.total
    split = -np.log(points[:, -len(mixture.components) :].clip(_LEAST, 1.0 - _LEAST)) * there
    split /= split.sum(axis=1, keepdims=True)
    found = np.where((above <= below)[:, None], low + split * above[:, None], high - split * below[:, None])
    inside = (low - _LEAST <= found) & (found <= high + _LEAST)
    return found, inside.all(axis=1) & (np.minimum(above, below) >= -_LEAST)


def _there(mixture: MixtureConfig, points: Vector) -> NDArray[np.bool_]:
    """Return which components are there, n x c: any number of them, larger numbers more often."""
    count = len(mixture.components)
    if mixture.at_most is None:
        return np.full((len(points), count), True)
    counts = np.array(mixture.counts)
    chosen = counts[np.searchsorted(np.cumsum(counts) / counts.sum(), points[:, 0].clip(0.0, 1.0 - _LEAST))]
    ranks = points[:, 1 : count + 1].argsort(axis=1).argsort(axis=1)
    return np.asarray(ranks < chosen[:, None])
