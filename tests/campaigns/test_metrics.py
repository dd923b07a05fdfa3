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


@pytest.mark.parametrize(
    ("limits", "value", "sd", "words"),
    [
        ({"within": [0, 100]}, 91.0, 0.0, ""),
        ({"within": [0, 100]}, 100.9, 0.0, ""),  # a fraction that does not quite add up
        ({"within": [0, 100]}, 110.0, 4.0, ""),
        (
            {"within": [0, 100]},
            110.0,
            3.0,
            "110 percent is impossible; the campaign file says that all are in 0 to 100",
        ),
        ({"within": [0, 1]}, -0.2, 0.0, "-0.2 percent is impossible"),
        ({"floor": 0}, 0.0, 0.0, ""),
        ({"floor": 0}, -2.0, 1.0, ""),
        ({"floor": 0}, -2.0, 0.5, "-2 percent is impossible; the campaign file says that none is below 0 percent"),
        ({"floor": 0}, -2.0, 0.0, "-2 percent is impossible"),
        ({"floor": 0}, -2.0, float("nan"), "-2 percent is impossible"),
    ],
)
def test_what_noise_cannot_carry_beyond_a_limit_is_not_believed(
    limits: dict[str, Any], value: float, sd: float, words: str
) -> None:
    found = measured(**limits).implausible(value, sd)
    assert found.startswith(words)
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("plausible", "ends"),
    [
        ([0, 50], (0.0, 50.0)),
        (["0", "0.5 dimensionless"], (0.0, 50.0)),
        ("[0, 50] percent", (0.0, 50.0)),
        ("[0, 50]", (0.0, 50.0)),
        ("0 to 50 %", (0.0, 50.0)),
        ("-10 % to 0.5 dimensionless", (-10.0, 50.0)),
        ("1e-1..5e1 percent", (0.1, 50.0)),
    ],
)
def test_what_is_plausible_is_read_however_it_is_written(plausible: Any, ends: tuple[float, float]) -> None:
    found = measured(plausible=plausible)
    assert found.plausible == pytest.approx(ends)
    assert not found.implausible(20.0)
    assert found.implausible(60.0) == f"60 percent is implausible; the campaign file says {ends[0]:g} to 50 percent"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"plausible": [50, 0]}, "the lower limit, then the higher one"),
        ({"plausible": "lots"}, "got 'lots'; allowed: two numbers, such as"),
        ({"plausible": "0 to 50 V"}, "a voltage"),
        ({"plausible": [1, 50], "floor": 0}, "excludes the floor of 0"),
        ({"plausible": [120, 150], "within": [0, 100]}, "excludes all of within"),
    ],
)
def test_what_cannot_be_plausible_is_refused_with_words(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        measured(**settings)
