"""What a step at a manual station tells a person, and what that person enters when it is done."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from string import Formatter
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, model_validator

from campaigns.config import Config, Constant, OwnRange, Unit
from campaigns.units import to_difference, to_unit
from campaigns.values import Scalar

TEXT = "text"
"""What an ask is written as, in the place of a unit, that takes any text."""
SD = "_sd"
"""How the name ends under which the standard uncertainty of a metric is entered."""
PARAMETERS = "parameters"
"""What instructions name in braces for all parameters of the trial."""
FIELDS = ("sample", "material", "settings", PARAMETERS)
"""What instructions may name in braces beside the settings of the recipe."""


def _ordered(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    if limits is not None and limits[0] >= limits[1]:
        raise ValueError(f"got {limits[0]:g} to {limits[1]:g}; allowed: from the lowest to the highest value")
    return limits


class AskConfig(Config):
    """What a person enters when a manual step is done: a number with a unit, one of several texts, or any text."""

    unit: Unit | None = None
    """Unit of a number; what is entered is converted to it."""
    limits: Annotated[OwnRange | None, AfterValidator(_ordered)] = None
    """Lowest and highest number that is taken, both allowed."""
    choices: tuple[str, ...] = ()
    """The texts that are taken; without them and without unit, any text is."""
    simulated: Constant | None = None
    """What is read in a simulated lab, where nobody enters anything."""

    @model_validator(mode="after")
    def _one_type(self) -> Self:
        if self.choices and self.unit is not None:
            raise ValueError("choices are of a text, and unit is of a number; remove one of them")
        if self.limits is not None and self.unit is None:
            raise ValueError("limits are of a number, which needs unit (1 is the unit of a plain number)")
        if self.simulated is not None:
            self.read(self.simulated)
        return self

    def read(self, given: float | str) -> Scalar:
        """Return what is entered, a number in the unit that is asked for.

        Raises:
            ValueError: it is no finite number, has another kind of unit, or is not among what is taken.
        """
        if self.unit is None:
            text = str(given).strip()
            if not text or (self.choices and text not in self.choices):
                raise ValueError(f"got {given!r}; allowed: {', '.join(self.choices) or 'a text'}")
            return text
        value = to_unit(given, self.unit)
        low, high = self.limits or (-math.inf, math.inf)
        if not math.isfinite(value) or not low <= value <= high:
            allowed = f"{low:g} to {high:g} {self.unit}" if self.limits else f"a finite number in {self.unit}"
            raise ValueError(f"got {given}; allowed: {allowed}".removesuffix(" 1"))
        return value

    @property
    def optional(self) -> bool:
        """Whether it may be left out."""
        return False

    @property
    def example(self) -> str:
        """What is to be filled in, on a command line."""
        if self.unit is None:
            return "|".join(self.choices) or "TEXT"
        return f"VALUE {self.unit}".removesuffix(" 1")


class UncertaintyAsk(AskConfig):
    """The standard uncertainty of a metric, which may be left out: not negative, and 0.3 K is 0.3 degC."""

    def read(self, given: float | str) -> Scalar:
        """Return what is entered, in the unit of the metric; see ``AskConfig``."""
        value = to_difference(given, self.unit or "1")
        if not 0.0 <= value < math.inf:
            raise ValueError(f"got {given}; allowed: a number in {self.unit} that is not negative".removesuffix(" 1"))
        return value

    @property
    def optional(self) -> bool:
        """Whether it may be left out."""
        return True


def _written_out(value: Any) -> Any:
    """Return the mapping that a unit, or ``text``, stands for."""
    if value == 1 and not isinstance(value, bool):
        return {"unit": "1"}
    if not isinstance(value, str):
        return value
    return {} if value == TEXT else {"unit": value}


Ask = Annotated[AskConfig, BeforeValidator(_written_out, json_schema_input_type=AskConfig | str)]
"""What a person enters; ``mg`` is short for ``{unit: mg}``, and ``text`` for ``{}``."""


def unknown_fields(instructions: str, settings: Collection[str]) -> Iterator[str]:
    """Yield what instructions name in braces that is nothing.

    Raises:
        ValueError: the braces do not fit.
    """
    for _, field, spec, conversion in Formatter().parse(instructions):
        if field is not None and (field not in {*FIELDS, *settings} or spec or conversion):
            yield field


def named_fields(instructions: str) -> set[str]:
    """Return what instructions name in braces.

    Raises:
        ValueError: the braces do not fit.
    """
    return {field for _, field, _, _ in Formatter().parse(instructions) if field}
