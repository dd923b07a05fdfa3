"""The search space: parameters, linear constraints between them, and optionally a pool of materials."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from campaigns.base import Config, Name, OwnQuantity, Unit
from campaigns.expressions import LinearConstraint, linear_constraint
from campaigns.pool import PoolConfig
from campaigns.values import Candidate, Scalar


class FloatConfig(Config):
    """A real number between two bounds."""

    kind: Literal["float"]
    unit: Unit
    """Unit of the bounds and of every value."""
    low: OwnQuantity
    """Smallest value, in the unit or with a unit of its own."""
    high: OwnQuantity
    """Largest value."""
    scale: Literal["linear", "log"] = "linear"
    """How the range is covered: log for a quantity that acts by factors, such as a time."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_bounds(self.low, self.high, self.unit)
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"a log scale needs low above zero, got {self.low} {self.unit}")
        return self

    def contains(self, value: Scalar) -> bool:
        """Return whether ``value`` is a number within the bounds."""
        return isinstance(value, int | float) and self.low <= value <= self.high

    def at(self, fraction: float) -> float:
        """Return the value at ``fraction`` (0..1) of the range, on its scale."""
        if self.scale == "log":
            value = math.exp(math.log(self.low) + fraction * (math.log(self.high) - math.log(self.low)))
        else:
            value = self.low + fraction * (self.high - self.low)
        return min(max(value, self.low), self.high)

    def fraction(self, value: Scalar) -> float:
        """Return where ``value`` lies in the range: the inverse of ``at``."""
        number = float(value)
        if self.scale == "log":
            return (math.log(number) - math.log(self.low)) / (math.log(self.high) - math.log(self.low))
        return (number - self.low) / (self.high - self.low)


class IntegerConfig(Config):
    """A whole number between two bounds, both included."""

    kind: Literal["integer"]
    unit: Unit = "1"
    """Unit of the bounds and of every value."""
    low: OwnQuantity
    """Smallest value."""
    high: OwnQuantity
    """Largest value."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_bounds(self.low, self.high, self.unit)
        if not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise ValueError(f"an integer parameter needs whole bounds, got {self.low} and {self.high}")
        return self

    def contains(self, value: Scalar) -> bool:
        """Return whether ``value`` is a whole number within the bounds."""
        return isinstance(value, int) and self.low <= value <= self.high

    def at(self, fraction: float) -> int:
        """Return the whole number at ``fraction`` (0..1): each number owns an equal share."""
        count = int(self.high - self.low) + 1
        return int(self.low) + min(int(fraction * count), count - 1)

    def fraction(self, value: Scalar) -> float:
        """Return where ``value`` lies in the range, 0 at low and 1 at high."""
        return (float(value) - self.low) / (self.high - self.low)


class OrdinalConfig(Config):
    """One of a few numbers whose order and distance matter."""

    kind: Literal["ordinal"]
    unit: Unit
    """Unit of the levels."""
    levels: Annotated[tuple[OwnQuantity, ...], Field(min_length=2)]
    """The numbers allowed, in rising order."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"levels must rise and differ, got {list(self.levels)}")
        return self

    def contains(self, value: Scalar) -> bool:
        """Return whether ``value`` is one of the levels."""
        return value in self.levels

    def at(self, fraction: float) -> float:
        """Return the level at ``fraction`` (0..1): each level owns an equal share."""
        return self.levels[min(int(fraction * len(self.levels)), len(self.levels) - 1)]

    def fraction(self, value: Scalar) -> float:
        """Return where ``value`` lies between the first and the last level."""
        return (float(value) - self.levels[0]) / (self.levels[-1] - self.levels[0])


class CategoricalConfig(Config):
    """One of a few names without order."""

    kind: Literal["categorical"]
    levels: Annotated[tuple[str, ...], Field(min_length=2)]
    """The names allowed."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"levels must differ, got {list(self.levels)}")
        return self

    @property
    def unit(self) -> str:
        """The unit, for symmetry with the other kinds: none."""
        return "1"

    def contains(self, value: Scalar) -> bool:
        """Return whether ``value`` is one of the levels."""
        return value in self.levels

    def at(self, fraction: float) -> str:
        """Return the level at ``fraction`` (0..1): each level owns an equal share."""
        return self.levels[min(int(fraction * len(self.levels)), len(self.levels) - 1)]


ParameterConfig = Annotated[
    FloatConfig | IntegerConfig | OrdinalConfig | CategoricalConfig, Field(discriminator="kind")
]


class SpaceConfig(Config):
    """What may be chosen: parameters, constraints between them, and optionally a pool."""

    parameters: dict[Name, ParameterConfig] = Field(default_factory=dict)
    """Name to parameter; leave it out in a campaign that chooses materials alone."""
    constraints: tuple[Annotated[str, AfterValidator(lambda text: linear_constraint(text).text)], ...] = ()
    """Linear constraints between numeric parameters, each in its own unit: 'temperature + 10 * time <= 1300'."""
    pool: PoolConfig | None = None
    """Candidate materials; leave it out in a campaign of process parameters only."""

    @model_validator(mode="after")
    def _something_to_choose(self) -> Self:
        if not self.parameters and self.pool is None:
            raise ValueError("got neither parameters nor a pool; allowed: parameters, a pool, or both")
        return self

    @model_validator(mode="after")
    def _constraints_name_numbers(self) -> Self:
        numeric = [n for n, p in self.parameters.items() if p.kind != "categorical"]
        for constraint in self.linear_constraints:
            for name in constraint.coefficients:
                if name not in numeric:
                    raise ValueError(f"constraint {constraint.text!r} names {name!r}; allowed: {', '.join(numeric)}")
            if self._largest_slack(constraint) < 0:
                raise ValueError(f"constraint {constraint.text!r} is kept nowhere between the bounds of its parameters")
        return self

    def _largest_slack(self, constraint: LinearConstraint) -> float:
        best = {n: self.parameters[n].at(0.0 if c > 0 else 1.0) for n, c in constraint.coefficients.items()}
        return float(constraint.slack(best))

    @property
    def linear_constraints(self) -> tuple[LinearConstraint, ...]:
        """The constraints as coefficients."""
        return tuple(linear_constraint(text) for text in self.constraints)

    def allows(self, parameters: Mapping[str, Scalar]) -> bool:
        """Return whether the values lie in the space: every parameter in its bounds, every constraint kept."""
        if set(parameters) != set(self.parameters):
            return False
        if not all(p.contains(parameters[name]) for name, p in self.parameters.items()):
            return False
        return all(c.slack(parameters) >= -1e-9 for c in self.linear_constraints)

    def contains(self, candidate: Candidate) -> bool:
        """Return whether a candidate lies in the space (the pool's ids are not known here)."""
        return self.allows(candidate.parameters) and (candidate.material is not None) == (self.pool is not None)


def _check_bounds(low: float, high: float, unit: str) -> None:
    if not low < high:
        raise ValueError(f"low must be below high, got {low} and {high} {unit}")
