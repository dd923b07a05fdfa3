"""What steps use up: powders, solvents, crucibles, with a stock that all campaigns on a lab file share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from campaigns.config import Config, StockAmount
from campaigns.constraints import LinearSum, linear_sum
from campaigns.units import split_quantity, to_unit


def _positive(value: float | str) -> float | str:
    number = split_quantity(value)[0] if isinstance(value, str) else value
    if number < 0:
        raise ValueError(f"got {value!r}; allowed: nothing below zero")
    return value


Amount = Annotated[StockAmount, AfterValidator(_positive)]
"""An amount of a consumable: a quantity, or a plain number of pieces."""


class ConsumableConfig(Config):
    """What steps use up, and how much of it there is."""

    stock: Amount
    """How much there is when the first campaign begins to count: a quantity, or a number of pieces. Later,
    'athanor consumable refill' and 'count' say what there is."""
    reorder_at: Amount = 0
    """Amount below which people are asked to refill it."""

    @model_validator(mode="after")
    def _same_kind(self) -> Self:
        to_unit(self.reorder_at, self.unit)
        return self

    @property
    def unit(self) -> str:
        """Unit in which it is counted; 1 for pieces."""
        return (split_quantity(self.stock)[1] or "1") if isinstance(self.stock, str) else "1"

    def read(self, given: float | str) -> float:
        """Return an amount in its unit.

        Raises:
            ValueError: it is no amount, or of another kind of unit.
        """
        return to_unit(given, self.unit)

    def used(self, given: float | str) -> LinearSum:
        """Return how much a step uses, by the parameters, in its unit.

        Raises:
            ValueError: it is neither an amount of this kind nor a sum of parameters.
        """
        try:
            amount = self.read(given)
        except ValueError:
            if not isinstance(given, str) or not any(sign in given for sign in "+-*"):
                raise
            return linear_sum(given)
        if amount < 0:
            raise ValueError(f"got {given!r}; allowed: nothing below zero")
        return LinearSum(str(given), {}, amount)


def used_amount(config: ConsumableConfig, given: float | str, parameters: Mapping[str, Any]) -> float:
    """Return how much of a consumable a job uses, in its unit."""
    return max(config.used(given)(parameters), 0.0)
