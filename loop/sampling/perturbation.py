"""Small moves within a search space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from campaigns.spaces.mixtures import MixtureConfig
from campaigns.spaces.parameters import CategoricalConfig, OrdinalConfig, ParameterConfig
from campaigns.spaces.settings_table import Table
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Scalar
from loop.sampling.rounding import Setting, satisfy_equalities, tidied, tidy

_LEVEL_CHANGE = 0.2  # how often a neighbour has another level, or other components
_EXCHANGES = 2  # pairs of components that exchange at most


@dataclass(frozen=True)
class Perturbation:
    """Moves from settings of a space to ones nearby.

    Attributes:
        radius: standard deviation of the moves of numbers, in their range.
    """

    space: SpaceConfig
    radius: float
    generator: np.random.Generator

    def moved(self, old: Setting) -> Setting:
        """Return a neighbour, which may lie outside the space."""
        values = {name: self._parameter(p, old.get(name)) for name, p in self.space.parameters.items()}
        if not len(self.space.system.equal):
            return self.space.present(values)
        for mixture in self.space.mixtures.values():
            values |= self._mixture(mixture, {name: float(old[name]) for name in mixture.components})
        (found,) = satisfy_equalities(self.space, [tidied(self.space, self._projected(values))])
        return self.space.present(found)

    def _parameter(self, parameter: ParameterConfig, old: Scalar | None) -> Scalar:
        if old is None:  # it did not apply, and does perhaps now
            return tidy(parameter, parameter.at(float(self.generator.random())))
        if isinstance(parameter, CategoricalConfig | OrdinalConfig):
            changes = self.generator.random() < _LEVEL_CHANGE or old not in parameter.levels
            return parameter.levels[self.generator.integers(len(parameter.levels))] if changes else old
        x = float(np.clip(parameter.fraction(old) + self.generator.normal(0.0, self.radius), 0.0, 1.0))
        return tidy(parameter, parameter.at(x))

    def _mixture(self, mixture: MixtureConfig, shares: dict[str, float]) -> dict[str, float]:
        """Return shares of which some went from one component to another, or from one that leaves to a new one."""
        there = [name for name, share in shares.items() if share > 0.0]
        absent = [name for name in shares if name not in there]
        if mixture.at_most is not None:
            if absent and (len(there) == 1 or self.generator.random() < _LEVEL_CHANGE):
                return self._replaced(mixture, shares, (there, absent))
            if len(there) > 1 and self.generator.random() < _LEVEL_CHANGE / 2:
                leaves, stays = (str(name) for name in self.generator.choice(there, 2, replace=False))
                return shares | {leaves: 0.0, stays: shares[stays] + shares[leaves]}
        taken = there if mixture.at_most is not None else list(shares)
        for _ in range(self.generator.integers(1, _EXCHANGES, endpoint=True) if len(taken) > 1 else 0):
            giver, taker = (str(name) for name in self.generator.choice(taken, 2, replace=False))
            shares = self._exchanged(mixture, shares, (giver, taker))
        return shares

    def _exchanged(self, mixture: MixtureConfig, shares: dict[str, float], pair: tuple[str, str]) -> dict[str, float]:
        giver, taker = pair
        spans = mixture.spans
        reach = max(high - low for low, high in spans.values())
        amount = abs(float(self.generator.normal(0.0, self.radius))) * reach
        amount = max(min(amount, shares[giver] - spans[giver][0], spans[taker][1] - shares[taker]), 0.0)
        return shares | {giver: shares[giver] - amount, taker: shares[taker] + amount}

    def _replaced(
        self, mixture: MixtureConfig, shares: dict[str, float], sides: tuple[list[str], list[str]]
    ) -> dict[str, float]:
        """Let a component come in, for another one or beside it."""
        there, absent = sides
        leaves, comes = (str(self.generator.choice(side)) for side in (there, absent))
        beside = len(there) < (mixture.at_most or 0) and self.generator.random() < 0.5
        part = float(self.generator.random()) if beside else 1.0
        amount = max(shares[leaves] * part, mixture.spans[comes][0]) if beside else shares[leaves]
        return shares | {comes: amount, leaves: shares[leaves] - amount}

    def _projected(self, values: Setting) -> Setting:
        """Return the nearest values that keep all equalities, in the floats that may move."""
        system = self.space.system
        sparse = [m for m in self.space.mixtures.values() if m.at_most is not None]
        absent = {name for mixture in sparse for name in mixture.components if not values[name]}
        free = [self.space.all_parameters[n].kind == "float" and n not in absent for n in system.names]
        span = (system.high - system.low) * free
        now = np.array([float(values[name]) for name in system.names])
        off = system.equal_to - system.equal @ now
        new = now + span * np.linalg.lstsq(system.equal * span, off, rcond=None)[0]
        return values | {n: float(x) for n, x, moves in zip(system.names, new, free, strict=True) if moves}


def nearest_rows(table: Table, setting: Setting, count: int) -> Table:
    """Return the rows of a table that are next to a setting, nearest first.

    The distance is Euclidean, each number in its range; another level, and applying or not, are one apart.
    """
    one = Table.of(table.parameters, [setting])
    total = np.zeros(len(table))
    for name, parameter in table.parameters.items():
        if isinstance(parameter, CategoricalConfig):
            away = (table.column(name) != one.column(name)).astype(float)
            away[np.isnan(table.column(name)) & np.isnan(one.column(name))] = 0.0
        else:
            away = np.abs(table.fractions(name) - one.fractions(name))
            away = np.where(np.isnan(away), np.isnan(table.column(name)) != np.isnan(one.column(name)), away)
        total += away**2
    order = np.argsort(total, kind="stable")[: count + 1]
    return table.take(order[total[order] > 0.0][:count])
