"""Setpoints of plain devices are written with units, and contradictions are refused."""

from typing import Any

import pytest
from pydantic import ValidationError

from campaigns.lab.setpoints import SetpointConfig


def test_limits_are_converted_and_a_tolerance_is_a_difference() -> None:
    given = {"unit": "degC", "limits": "273.15 to 373.15 K", "tolerance": "0.5 K", "dwell": "1 min", "timeout": "2 h"}
    found = SetpointConfig.model_validate(given)
    assert found.limits == pytest.approx((0.0, 100.0))
    assert (found.tolerance, found.dwell, found.timeout) == (0.5, 60.0, 7200.0)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"unit": "mm", "limits": [5, 1]}, "got 5 to 1; allowed: from the lowest to the highest value"),
        ({"limits": ["-5 cm", "5 cm"]}, "got '-5 cm', and no unit to convert it to; add unit, or write numbers"),
        ({"limits": "0 to 5 cm"}, "got '0 to 5 cm', and no unit to convert it to"),
        ({"tolerance": "0.5 K"}, "no unit to convert it to; add unit"),
        ({"unit": "mm", "tolerance": 0}, "greater than 0"),
        ({"choices": ["air"], "unit": "mm"}, "choices are of a text, and unit is of a number"),
        ({"signal": "a b"}, "match pattern"),
    ],
)
def test_what_contradicts_itself_is_refused(config: Any, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        SetpointConfig(**config)
