"""Mixtures: shares of components that add up to a total, at most so many of them at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator

from campaigns.config import Config, Count, Name, Number, OwnQuantity, Unit
from campaigns.spaces.parameters import FloatConfig

EXACT = 1e-9
"""How exactly the shares add up, of the total."""
MOST_ROUNDING = 0.01
"""By how much shares that somebody wrote may miss the total, of the total, however few digits they have."""


class ComponentConfig(Config):
    """One component of a mixture; its share is in the unit of the mixture."""

    low: Annotated[Number, Field(ge=0)] = 0.0
    """Smallest share; with at_most, the smallest share of a component that is present."""
    high: Annotated[Number, Field(gt=0)] | None = None
    """Largest share; without it, the total."""


class MixtureConfig(Config):
    """Components whose shares add up to a total; each share is a parameter with the name of the component."""

    unit: Unit = "1"
    """Unit of the shares."""
    total: OwnQuantity = 1.0
    """What the shares add up to."""
    components: Annotated[dict[Name, ComponentConfig], Field(min_length=2)]
    """Name to component."""
    at_most: Annotated[Count, Field(gt=0)] | None = None
    """Largest number of components present at once; the others are zero. Without it, all of them."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for name, (low, high) in self.spans.items():
            if not low < high:
                raise ValueError(
                    f"got low {low:g} and high {high:g} for {name!r}; allowed: low below high and the total"
                )
        if self.at_most is not None and self.at_most > len(self.spans):
            raise ValueError(f"got at_most {self.at_most}; allowed: up to the number of components, {len(self.spans)}")
        least = 0.0 if self.at_most else sum(low for low, _ in self.spans.values())
        most = sum(sorted((high for _, high in self.spans.values()), reverse=True)[: self.at_most])
        if least > self.total * (1 + EXACT):
            raise ValueError(f"the low bounds add up to {least:g}; allowed: at most the total, {self.total:g}")
        if most < self.total * (1 - EXACT):
            raise ValueError(f"the high bounds add up to {most:g}; allowed: at least the total, {self.total:g}")
        return self

    @property
    def spans(self) -> dict[str, tuple[float, float]]:
        """Component to the smallest and largest share of it where it is there."""
        total = self.total
        return {n: (c.low, total if c.high is None else min(c.high, total)) for n, c in self.components.items()}

    @property
    def parameters(self) -> dict[str, FloatConfig]:
        """The shares as parameters."""
        lows = {name: 0.0 if self.at_most else low for name, (low, _) in self.spans.items()}
        return {
            name: FloatConfig(kind="float", unit=self.unit, low=lows[name], high=high)
            for name, (_, high) in self.spans.items()
        }

    @property
    def counts(self) -> tuple[int, ...]:
        """How many components may be there at once so that their shares can add up."""
        if self.at_most is None:
            return (len(self.components),)
        highs = sorted((high for _, high in self.spans.values()), reverse=True)
        lows = sorted(low for low, _ in self.spans.values())
        total, some = self.total, range(1, self.at_most + 1)
        return tuple(k for k in some if sum(lows[:k]) <= total * (1 + EXACT) and sum(highs[:k]) >= total * (1 - EXACT))

    def rounded(self, shares: Mapping[str, float], steps: Mapping[str, float]) -> dict[str, float] | None:
        """Return shares that add up exactly, where those that are written miss the total by no more than rounding.

        Args:
            shares: component to its share as it is written.
            steps: component to what one more in the last digit that is written would add.

        Returns:
            The shares, scaled within their bounds; None where they miss the total by more than rounding can explain.
        """
        there = {name: share for name, share in shares.items() if share}
        miss = self.total - sum(there.values())
        if abs(miss) <= EXACT * self.total:
            return dict(shares)
        allowed = min(sum(0.5 * steps.get(name, 0.0) for name in there), MOST_ROUNDING * self.total)
        if abs(miss) > allowed * (1 + 1e-6):
            return None
        found, free = dict(shares), set(there)
        while free and abs(miss) > EXACT * self.total:
            whole = sum(found[name] for name in free)
            moved = {name: found[name] + miss * found[name] / whole for name in free}
            held = {n: min(max(v, self.spans[n][0]), self.spans[n][1]) for n, v in moved.items()}
            free = {name for name in free if held[name] == moved[name]}
            found |= held
            miss = self.total - sum(found.values())
        return found if abs(miss) <= EXACT * self.total else None

    def allows(self, values: Mapping[str, Any]) -> Any:
        """Return whether shares add up to the total, and each is in its bounds or, where it may be, zero.

        Args:
            values: component to its share, or to n of them.
        """
        shares = np.stack([np.asarray(values[name], dtype=float) for name in self.components])
        low, high = np.array(list(self.spans.values())).T.reshape(2, len(shares), *[1] * (shares.ndim - 1))
        there = np.full(shares.shape, True) if self.at_most is None else shares != 0.0
        exact = np.abs(shares.sum(axis=0) - self.total) <= EXACT * self.total
        within = (~there | ((low <= shares) & (shares <= high))).all(axis=0)
        return exact & within & (there.sum(axis=0) <= (self.at_most or len(shares)))
