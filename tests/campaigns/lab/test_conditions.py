"""Conditions of a lab file: what they mean, with units, and what cannot be told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import UnitError
from campaigns.lab.conditions import condition
from tests.strategies import numbers


def test_a_condition_is_held_against_readings_in_their_own_units() -> None:
    found = condition("door == closed and coolant.flow > 0.5 L/min").in_units({"coolant.flow": "mL/min"})
    assert found.names == ("door", "coolant.flow")
    assert found.holds({"door": "closed", "coolant.flow": 501.0}) is True
    assert found.holds({"door": "closed", "coolant.flow": 500.0}) is False
    assert found.holds({"door": "open", "coolant.flow": 501.0}) is False


def test_what_cannot_be_read_makes_a_condition_unknown_unless_the_rest_decides() -> None:
    both, either = condition("a > 1 and b == on"), condition("a > 1 or not (b == on)")
    assert both.holds({"a": None, "b": "on"}) is None
    assert both.holds({"b": "off"}) is False
    assert either.holds({"b": "off"}) is True
    assert either.holds({"a": float("nan"), "b": "on"}) is None


def test_a_number_where_a_text_is_expected_is_not_understood_rather_than_different() -> None:
    assert condition("gas == hydrogen").holds({"gas": 1}) is None
    assert condition("gas != hydrogen").holds({"gas": 1}) is None
    assert condition("temperature > 5").holds({"temperature": "hot"}) is None


@pytest.mark.parametrize("number", ["0.3", "3", ".5", "-2.5", "5e3", "1.5e-3", "+4"])
def test_a_number_without_unit_is_one(number: str) -> None:
    assert condition(f"a == {number} and b == 1").holds({"a": float(number), "b": 1}) is True
    assert condition(f"(a > {number})").holds({"a": float(number)}) is False


def test_a_choice_of_several_and_its_contrary() -> None:
    assert condition("gas in [air, argon]").holds({"gas": "argon"}) is True
    assert condition("gas not in [air, argon]").holds({"gas": "argon"}) is False


@given(numbers(-1e3, 1e3), numbers(-1e3, 1e3), st.sampled_from(["<", "<=", ">", ">="]))
def test_a_comparison_of_temperatures_is_that_of_the_same_temperatures(left: float, right: float, sign: str) -> None:
    found = condition(f"t {sign} {right} degC").in_units({"t": "K"})
    assert found.holds({"t": round(left + 273.15, 2)}) is eval(f"{left} {sign} {right}")


@pytest.mark.parametrize("text", ["door", "1 < a < 3", "f(a) > 3", "a + b > 3", "a > closed", "a ==", "a == [1, 2]"])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="got"):
        condition(text)


def test_a_quantity_of_another_kind_is_refused() -> None:
    with pytest.raises(UnitError, match=r"got '0\.5 L', which is"):
        condition("flow > 0.5 L").in_units({"flow": "L/min"})
