"""What a step does with the sample of its trial, and the places where samples lie."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from campaigns.config import Config, Count, MilligramsOrSum, Name
from campaigns.constraints import LinearSum, linear_sum

ALL = "all"
"""What a step consumes that leaves nothing of the sample."""


class SampleConfig(Config):
    """What a step does with the sample of its trial."""

    makes: MilligramsOrSum | None = None
    """The step makes the sample, of this mass: a quantity, or a sum of parameters in mg."""
    consumes: Literal["all"] | MilligramsOrSum | None = None
    """How much of the sample the step uses up: a quantity, a sum of parameters in mg, or all."""
    at: Name | None = None
    """Position of the lab file at which the sample lies meanwhile."""
    moves_to: Name | None = None
    """Position at which it lies afterwards; by default, it stays where it is."""
    splits: Annotated[Count, Field(ge=2, le=100)] | None = None
    """Number of equal parts that the step divides the sample into. The first one goes on; another one takes its place
    where it is lost."""

    @property
    def sums(self) -> dict[str, LinearSum]:
        """The key of what depends on parameters to how it does."""
        given = {"makes": self.makes, "consumes": self.consumes}
        return {key: linear_sum(value) for key, value in given.items() if isinstance(value, str) and value != ALL}

    @property
    def positions(self) -> tuple[str, ...]:
        """The positions that it needs, each once."""
        return tuple(dict.fromkeys(name for name in (self.at, self.moves_to) if name is not None))


class PositionConfig(Config):
    """A place where samples lie: a holder, a tray, a shelf."""

    capacity: Annotated[Count, Field(ge=1)] | None = None
    """How many samples it takes; by default, any number. A full one lets no job begin that needs it."""


def mass_of(given: float | str | None, parameters: Mapping[str, Any]) -> float | None:
    """Return a mass in mg with the values of parameters; None where nothing is stated."""
    if given is None or given == ALL:
        return None
    return max(linear_sum(given)(parameters), 0.0) if isinstance(given, str) else given
