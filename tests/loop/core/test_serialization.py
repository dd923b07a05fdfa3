"""Records become JSON that every reader takes."""

from __future__ import annotations

import json
import math

import pytest

from campaigns.values import Candidate
from loop.core.proposals import Alternative
from loop.core.serialization import plain, positive_zero


def test_records_inside_of_records_become_plain_values() -> None:
    found = plain({3: (Alternative(Candidate({"x": 0.5, "gas": "air"}, "LiF"), -1.5),)})
    assert found == {
        "3": [{"candidate": {"parameters": {"x": 0.5, "gas": "air"}, "material": "LiF"}, "acquisition": -1.5}]
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_json_has_no_number_for_is_null(value: float) -> None:
    assert json.dumps(plain([value, 1.0]), allow_nan=False) == "[null, 1.0]"


def test_no_zero_is_negative_and_no_other_value_changes() -> None:
    assert str(plain(-0.0)) == "0.0"
    assert str(positive_zero(-0.0)) == "0.0"
    assert [positive_zero(value) for value in (-1.5, 0, "air", None)] == [-1.5, 0, "air", None]
