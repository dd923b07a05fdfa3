import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import UnitError
from campaigns.units import check_unit, convert, has_offset, registry, same_dimension, to_difference, to_unit
from tests.strategies import METRIC_UNITS, numbers


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("0.4 keV", "eV", 400.0),
        ("923 K", "degC", 649.85),
        ("212 degF", "degC", 100.0),
        ("5 degC/min", "degC/min", 5.0),
        ("5 K/min", "degC/min", 5.0),
        ("9 degF/min", "K/min", 5.0),
        ("5 percent", "1", 0.05),
        ("5%", "percent", 5.0),
        ("1e-3 kg", "g", 1.0),
        ("20°C", "degC", 20.0),
        ("1 eV/atom", "meV/atom", 1000.0),
        ("2 kUSD", "USD", 2000.0),
        ("3.5", "eV", 3.5),
    ],
)
def test_text_is_converted_to_the_unit_that_is_meant(text: str, unit: str, value: float) -> None:
    assert to_unit(text, unit) == pytest.approx(value)


def test_a_bare_number_is_in_the_unit_that_is_meant() -> None:
    assert to_unit(7, "degC") == 7.0


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("0.4 K", "eV", "got '0.4 K', which is a temperature; allowed: an energy"),
        ("3 eV", "h", "which is an energy; allowed: a time"),
        ("1 mAh/g", "V", "a quantity like mAh/g; allowed: a voltage"),
        ("10 delta_degC", "degC", "a difference of temperatures"),
        ("hot", "degC", "which is no quantity"),
        ("nan K", "K", "which is no quantity"),
        ("3 kelvn", "K", "unknown unit 'kelvn', did you mean 'kelvin'"),
        ("1e308 TeV", "eV", "too large"),
    ],
)
def test_what_cannot_be_converted_is_refused_with_what_got_allowed(text: str, unit: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        to_unit(text, unit)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("10 K", "degC", 10.0), ("18 degF", "degC", 10.0), ("10 degC", "K", 10.0), ("10 delta_degC", "degC", 10.0)],
)
def test_a_difference_ignores_where_the_scale_begins(text: str, unit: str, value: float) -> None:
    assert to_difference(text, unit) == pytest.approx(value)
    assert to_difference("100 mV", "V") == pytest.approx(0.1)


def test_only_scales_with_a_zero_of_their_own_have_an_offset() -> None:
    assert has_offset("degC")
    assert has_offset("degF")
    assert not any(has_offset(unit) for unit in [*METRIC_UNITS, "K", "degC/min"])


@pytest.mark.parametrize("unit", ["3 eV", "a b c", "$(", "h**", "1/0", "foo", "eV+V"])
def test_what_is_no_unit_is_refused(unit: str) -> None:
    with pytest.raises(UnitError, match="unknown unit"):
        check_unit(unit)


@given(st.text("abcdefghijkKVWmµ%/*()^0123456789 .-+_°'\"[]{}", max_size=12))
def test_any_text_is_a_unit_or_a_unit_error(text: str) -> None:
    try:
        assert check_unit(text) == text
    except UnitError as error:
        assert "allowed" in str(error)  # noqa: PT017 - both outcomes are right


@given(numbers(), st.sampled_from(METRIC_UNITS), st.sampled_from(METRIC_UNITS))
def test_conversion_there_and_back_is_identity(value: float, unit: str, other: str) -> None:
    if same_dimension(unit, other):
        assert convert(convert(value, unit, other), other, unit) == pytest.approx(value)
    else:
        with pytest.raises(UnitError):
            convert(value, unit, other)


def test_a_measured_nan_stays_nan() -> None:
    assert convert(float("nan"), "mV", "V") != convert(1.0, "mV", "V")


def test_the_unit_list_agrees_with_pint() -> None:
    full = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    for definition in ("dollar = [currency] = USD", "atom = count", "formula_unit = count = fu", "ppb = 1e-9"):
        full.define(definition)
    for name in registry():
        ours = registry().Quantity(2.0, name).to_base_units()
        theirs = full.Quantity(2.0, name).to(str(ours.units))
        assert ours.magnitude == pytest.approx(theirs.magnitude, rel=1e-8), name
