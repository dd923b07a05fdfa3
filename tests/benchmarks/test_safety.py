"""Whatever a laboratory, its drivers, faults and operators do, no setpoint arrives that is not allowed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.safety import drive


@pytest.mark.slow
@settings(max_examples=42, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 2**32))
def test_no_setpoint_outside_of_limits_none_against_an_interlock_and_none_in_an_emergency(seed: int) -> None:
    assert drive(seed, 250).wrong == []


def test_setpoints_arrive_where_they_are_allowed_and_parts_outside_come_back() -> None:
    driven = [drive(seed, 100) for seed in (0, 1, 6, 16, 24)]
    assert sum(one.setpoints for one in driven) > 30
    assert sum(one.back for one in driven) > 0
