"""The four types of parameter: a real number, a whole number, one of a few numbers, one of a few names."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from campaigns.config import Config, Name, Number, OwnQuantity, Unit
from campaigns.values import Scalar

When = Annotated[
    dict[Name, Annotated[tuple[Number | str, ...], Field(min_length=1)]],
    Field(
        description="Categorical or ordinal parameter to the levels of it for which this parameter applies; without "
        "it, always."
    ),
]
"""Where a parameter applies."""


NARROWEST = 1.5e-5
"""Width of a range, in the parameter's unit, below which Ax refuses to hold it (``ax.core.parameter``, 100 ``EPS``)."""


class FloatConfig(Config):
    """A real number between two bounds."""

    kind: Literal["float"]
    unit: Unit
    """Unit of the bounds and of every value."""
    low: OwnQuantity
    """Smallest value, in the unit or with a unit of its own."""
    high: OwnQuantity
    """Largest value."""
    lowest: OwnQuantity | None = None
    """How far low may be extended automatically while the best trials lie close to it; without it, not at all."""
    highest: OwnQuantity | None = None
    """How far high may be extended automatically while the best trials lie close to it; without it, not at all."""
    scale: Literal["linear", "log"] = "linear"
    """How the range is covered: log for a quantity whose factors matter, such as a time."""
    when: When = Field(default_factory=dict)
    otherwise: OwnQuantity | None = None
    """Value that a step gets where the parameter does not apply."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        _check_bounds(self.low, self.high, self.unit)
        if 0.0 < self.high - self.low < NARROWEST:
            raise ValueError(
                f"got low and high {self.high - self.low:g} {self.unit} apart; allowed: {NARROWEST:g} {self.unit} at "
                "least; take a smaller unit, such as nm for m"
            )
        _check_growth(self)
        least = ("low", self.low) if self.lowest is None else ("lowest", self.lowest)
        if self.scale == "log" and least[1] <= 0:
            raise ValueError(f"got {least[0]} {least[1]} {self.unit}; allowed with scale: log: above zero")
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
        """Return where ``value`` lies in the range: the inverse of ``at``, and 0 where it is held at one value."""
        if self.low == self.high:
            return 0.0
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
    lowest: OwnQuantity | None = None
    """How far low may be extended automatically while the best trials lie close to it; without it, not at all."""
    highest: OwnQuantity | None = None
    """How far high may be extended automatically while the best trials lie close to it; without it, not at all."""
    when: When = Field(default_factory=dict)
    otherwise: OwnQuantity | None = None
    """Value that a step gets where the parameter does not apply."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        _check_bounds(self.low, self.high, self.unit)
        _check_growth(self)
        bounds = [bound for bound in (self.low, self.high, self.lowest, self.highest) if bound is not None]
        if not all(float(bound).is_integer() for bound in bounds):
            raise ValueError(f"got the bounds {' and '.join(map(str, bounds))}; allowed for an integer: whole numbers")
        return self

    def contains(self, value: Scalar) -> bool:
        """Return whether ``value`` is a whole number within the bounds."""
        return isinstance(value, int) and self.low <= value <= self.high

    def at(self, fraction: float) -> int:
        """Return the whole number at ``fraction`` (0..1): each number owns an equal share."""
        count = int(self.high - self.low) + 1
        return int(self.low) + min(int(fraction * count), count - 1)

    def fraction(self, value: Scalar) -> float:
        """Return where ``value`` lies in the range, 0 at low and 1 at high; 0 where it is held at one value."""
        return 0.0 if self.low == self.high else (float(value) - self.low) / (self.high - self.low)


class OrdinalConfig(Config):
    """One of a few numbers whose order and distance matter."""

    kind: Literal["ordinal"]
    unit: Unit
    """Unit of the levels."""
    levels: Annotated[tuple[OwnQuantity, ...], Field(min_length=2)]
    """The numbers allowed, in rising order."""
    when: When = Field(default_factory=dict)
    otherwise: OwnQuantity | None = None
    """Value that a step gets where the parameter does not apply."""

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if list(self.levels) != sorted(set(self.levels)):
            raise ValueError(f"got the levels {list(self.levels)}; allowed: numbers in rising order, each once")
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
    descriptors: dict[Name, tuple[Number, ...]] = Field(default_factory=dict)
    """Property to its values, one per level in their order: the model treats levels with similar values as similar."""
    when: When = Field(default_factory=dict)
    otherwise: str | None = None
    """Value that a step gets where the parameter does not apply."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.levels)) != len(self.levels):
            raise ValueError(f"got the levels {list(self.levels)}; allowed: each once")
        return self

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        for name, values in self.descriptors.items():
            if len(values) != len(self.levels):
                raise ValueError(
                    f"descriptor {name!r} has {len(values)} values; allowed: {len(self.levels)}, one per level"
                )
            if len(set(values)) == 1:
                raise ValueError(f"descriptor {name!r} is {values[0]:g} for all levels; allowed: values that differ; "
                                 "remove it")  # fmt: skip
        for i, level in enumerate(self.levels if self.descriptors else ()):
            twin = next((other for other in self.levels[:i] if self.described(other) == self.described(level)), None)
            if twin is not None:
                raise ValueError(f"levels {twin!r} and {level!r} have the same descriptors; add one that differs")
        return self

    def described(self, level: str) -> tuple[float, ...]:
        """Return the descriptors of a level."""
        return tuple(values[self.levels.index(level)] for values in self.descriptors.values())

    @property
    def unit(self) -> str:
        """The unit, for symmetry with the other types: none."""
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


def only_value(parameter: ParameterConfig) -> Scalar | None:
    """Return the value of a parameter that is held at one; None of one that may have others."""
    if isinstance(parameter, CategoricalConfig | OrdinalConfig):
        return parameter.levels[0] if len(parameter.levels) == 1 else None
    return parameter.low if parameter.low == parameter.high else None


def allowed_values(parameter: ParameterConfig) -> str:
    """Return what a parameter may be, in words."""
    match parameter:
        case CategoricalConfig():
            return f"allowed: {', '.join(parameter.levels)}"
        case OrdinalConfig():
            return f"allowed: {', '.join(map(str, parameter.levels))}{unit_after(parameter.unit)}"
        case _:
            number = "whole numbers" if parameter.kind == "integer" else "numbers"
            return f"allowed: {number} from {parameter.low:g} to {parameter.high:g}{unit_after(parameter.unit)}"


def unit_after(unit: str) -> str:
    """Return a unit with a blank before it; nothing for a number without dimension."""
    return "" if unit == "1" else f" {unit}"


def _check_growth(parameter: FloatConfig | IntegerConfig) -> None:
    lowest, highest, unit = parameter.lowest, parameter.highest, parameter.unit
    if lowest is not None and lowest > parameter.low:
        raise ValueError(f"got lowest {lowest} {unit}; allowed: at most low, {parameter.low} {unit}")
    if highest is not None and highest < parameter.high:
        raise ValueError(f"got highest {highest} {unit}; allowed: at least high, {parameter.high} {unit}")


def _check_bounds(low: float, high: float, unit: str) -> None:
    if not low < high:
        raise ValueError(f"got low {low} and high {high} {unit}; allowed: low below high")
