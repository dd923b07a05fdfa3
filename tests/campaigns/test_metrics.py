"""Measured metrics: what their limits may be, and what cannot be said together with them."""

from typing import Any

import pytest
from pydantic import ValidationError

from campaigns.metrics import MeasuredConfig


def measured(**settings: Any) -> MeasuredConfig:
    return MeasuredConfig.model_validate({"kind": "measured", "unit": "percent", **settings})


def test_limits_are_in_the_metrics_own_unit() -> None:
    assert measured(within=[0, 100]).within == (0.0, 100.0)
    assert measured(within=["0 percent", "100 percent"]).within == (0.0, 100.0)
    assert measured().within is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"within": [1, 0]}, "the lower limit, then the higher one"),
        ({"within": [1, 1]}, "the lower limit, then the higher one"),
        ({"within": [0, 1], "floor": 0}, "within together with floor"),
        ({"within": [0, 1], "proportional_to": "other"}, "within together with proportional_to"),
        ({"within": [0, 1], "prior": "a.b:c", "prior_as": "factor"}, "within together with prior_as: factor"),
    ],
)
def test_limits_that_cannot_be_are_refused_with_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        measured(**settings)
