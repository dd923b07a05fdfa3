import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import LimitError
from instruments.limits import Limits

LIMITS = Limits("oven", {"temperature": (100.0, 1200.0)}, {"atmosphere": ("air", "argon")})


@given(st.floats() | st.integers() | st.text())
def test_only_a_number_within_the_limits_passes(value: float | str) -> None:
    inside = isinstance(value, (int, float)) and 100.0 <= value <= 1200.0
    if inside:
        LIMITS.check({"temperature": value})
    else:
        with pytest.raises(LimitError, match="allowed: 100 to 1200"):
            LIMITS.check({"temperature": value})


@pytest.mark.parametrize("unreadable", [(0, 0), (None, None), (5.0, 1.0), (math.nan, 1.0), (0.0, math.inf)])
def test_limits_that_cannot_be_read_allow_nothing(unreadable: tuple[float | None, float | None]) -> None:
    with pytest.raises(LimitError, match="cannot be read"):
        Limits("oven", {"temperature": unreadable}, {}).check({"temperature": 0.5})


def test_a_text_has_to_be_one_of_the_choices() -> None:
    LIMITS.check({"atmosphere": "argon"})
    with pytest.raises(LimitError, match="got 'vacuum'; allowed: air, argon"):
        LIMITS.check({"atmosphere": "vacuum"})


def test_an_unknown_setting_is_named_with_those_that_exist() -> None:
    with pytest.raises(LimitError, match="no setting 'pressure'; allowed: atmosphere, temperature"):
        LIMITS.check({"pressure": 1.0})
