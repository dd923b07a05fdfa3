"""A laboratory of a user's own that is not whole yet, and an analysis with a setting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ophyd.sim import SynAxis

from campaigns.values import Measurement, MetricValue
from instruments.lab import Lab


class Halfway:
    """Has a clock and can be closed, but gives no instrument."""

    clock = None

    def close(self) -> None:
        """Close nothing."""


def without_instruments() -> Lab:
    return Halfway()  # type: ignore[return-value]


def scaled(data: Mapping[str, Any], context: Any, factor: float = 1.0) -> Measurement:
    return Measurement({"height": MetricValue(factor * data["height"], 0.1, "1")})


class Eager(SynAxis):
    """An axis that moves while it is made."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.set(5.0)
