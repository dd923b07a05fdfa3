"""What an instrument may be set to: limits and choices that it states itself, and interlocks that forbid to start."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from campaigns.errors import LimitError
from campaigns.values import Scalar


@dataclass(frozen=True, slots=True)
class Limits:
    """What the settings of an instrument may be, as read from the device.

    Attributes:
        name: name of the instrument.
        ranges: numeric setting to lowest and highest value, both allowed, in the unit of the setting.
        choices: text setting to the values that it may take.
    """

    name: str
    ranges: Mapping[str, tuple[float, float]]
    choices: Mapping[str, tuple[str, ...]]

    @property
    def unreadable(self) -> list[str]:
        """The settings whose limits, or choices, cannot be read."""
        numbers = [key for key, ends in self.ranges.items() if not readable(*ends)]
        return [*numbers, *(key for key, texts in self.choices.items() if not texts)]

    def check(self, recipe: Mapping[str, Scalar]) -> None:
        """Check every setting of a recipe.

        Raises:
            LimitError: a setting is unknown, lies outside its limits, or has limits that cannot be read.
        """
        for key, value in recipe.items():
            if key in self.choices:
                self._check_choice(key, value)
            elif key in self.ranges:
                self._check_range(key, value)
            else:
                allowed = ", ".join(sorted([*self.ranges, *self.choices]))
                raise LimitError(f"{self.name} has no setting {key!r}; allowed: {allowed}; correct the step's recipe")

    def _check_choice(self, key: str, value: Scalar) -> None:
        if value not in self.choices[key]:
            allowed = ", ".join(self.choices[key]) or "nothing (it states no choices)"
            raise LimitError(f"{self.name}: {key} got {value!r}; allowed: {allowed}; nothing was moved")

    def _check_range(self, key: str, value: Scalar) -> None:
        low, high = self.ranges[key]
        if not readable(low, high):
            raise LimitError(
                f"{self.name}: the limits of {key} cannot be read (got {low} to {high}), so that nothing was moved; "
                "set them in the device"
            )
        if not isinstance(value, (int, float)) or not low <= value <= high:
            raise LimitError(f"{self.name}: {key} got {value!r}; allowed: {low:g} to {high:g}; nothing was moved")


def readable(low: float | None, high: float | None) -> bool:
    """Return whether two numbers are limits; EPICS gives (0, 0), or none, where there are no limits."""
    return low is not None and high is not None and math.isfinite(low) and math.isfinite(high) and low < high
