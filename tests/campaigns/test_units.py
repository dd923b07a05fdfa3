import pint
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import CampaignError, UnitError
from campaigns.load import parse_campaign
from campaigns.units import check_unit, convert, has_offset, registry, same_dimension, to_difference, to_unit, with_unit
from tests.stores import CAMPAIGN
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


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("1 slm", "sccm", 1000.0),
        ("760 Torr", "atm", 1.0),
        ("1 mmHg", "Pa", 133.322),
        ("5 wt. %", "wt%", 5.0),
        ("5 weight percent", "wt%", 5.0),
        ("5 at.%", "at%", 5.0),
        ("5 % RH", "%RH", 5.0),
        ("1 kOe", "A/m", 79577.47),
        ("1 emu/g", "A m^2/kg", 1.0),
        ("2 k€", "EUR", 2000.0),
        ("1 mA/cm2", "A/m^2", 10.0),
        ("1 mAh g-1", "mAh/g", 1.0),
        ("1 S·cm⁻¹", "S/m", 100.0),
        ("1 Ω cm", "Ohm*m", 0.01),
        ("5 ℃", "degC", 5.0),
        ("5 deg C", "degC", 5.0),
        ("5 °C/min", "K/min", 5.0),
        ("10 \u212b", "nm", 1.0),
        ("1 μm", "um", 1.0),
        ("1 cm2/Vs", "cm^2/(V s)", 1.0),
        ("1 mPas", "cP", 1.0),
        ("1 W m-1 K-1", "W/(m K)", 1.0),
        ("1 eV/f.u.", "meV/fu", 1000.0),
        ("2 hours", "hr", 2.0),
        ("3 arb. units", "a.u.", 3.0),
    ],
)
def test_units_are_read_as_labs_write_them(text: str, unit: str, value: float) -> None:
    assert to_unit(text, unit) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize(
    ("text", "unit", "reason"),
    [
        ("5 wt%", "at%", "that takes the composition"),
        ("5 mol%", "at%", "that takes the composition"),
        ("5 wt%", "percent", "what it is a share of must be said"),
        ("40 EUR", "USD", "no exchange rate is known"),
        ("40 EUR/kg", "USD/kg", "no exchange rate is known"),
        ("1 sccm", "mL/min", "standard conditions are defined differently"),
        ("1 eV/f.u.", "eV/atom", "that takes the composition"),
        ("1 eV/atom", "eV", "per atom, or of all"),
        ("5 a.u.", "1", "nobody knows what an arbitrary unit is"),
        ("60 rpm", "Hz", "a turn may be meant, or an angle"),
        ("0.1 C", "1/h", "C is coulomb: a temperature is in degC, a C-rate in 1/h"),
    ],
)
def test_what_is_alike_and_not_the_same_is_refused_with_the_reason(text: str, unit: str, reason: str) -> None:
    with pytest.raises(UnitError, match=reason):
        to_unit(text, unit)


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("sscm", "unknown unit 'sscm', did you mean 'sccm'"),
        ("TORR", "unknown unit 'TORR', did you mean 'torr'|'Torr'"),
        ("$", "unknown unit '\\$', did you mean 'USD'"),
        ("Ks", "unknown unit 'Ks'"),
        ("mAhh/g", "unknown unit 'mAhh/g'"),
        ("USD/Kg", "unknown unit 'USD/Kg', did you mean 'USD/kg'"),
        ("KHz", "did you mean 'kHz'"),
        ("degc/min", "did you mean 'degC/min'"),
        ("mA/sqcm", "unknown unit 'mA/sqcm'"),
        ("J/g K", r"may be read in two ways; allowed: with brackets, such as J/\(g K\)"),
    ],
)
def test_an_unknown_unit_is_told_with_what_may_be_meant(unit: str, message: str) -> None:
    with pytest.raises(UnitError, match=message):
        check_unit(unit)


def test_a_cost_in_another_currency_is_refused_and_no_syntax_error() -> None:
    text = CAMPAIGN.replace("cost: 60 USD", "cost: 60 EUR").replace("cost: 900 USD", "cost: 900 sscm")
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, "small.yaml")
    found = {problem.where: problem.message for problem in caught.value.problems}
    assert "no exchange rate is known" in found["workflow[0].cost"]
    assert "unknown unit 'sscm'" in found["budget.cost"]


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


_OTHERWISE = {"gauss", "G", "oersted", "Oe", "Nm"}  # in SI here; "Nm" is newton metre, not a number of yarn


def test_the_unit_list_agrees_with_pint() -> None:
    full: pint.UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    full.define("ppb = 1e-9")
    apart = (
        "currency",
        "fraction",
        "humidity",
        "standard",
        "turn",
        "atom",
        "formula",
        "angle",
        "arbitrary",
    )  # pint knows of none
    for name in set(registry()) & set(full) - _OTHERWISE:
        if any(word in str(registry().Unit(name).dimensionality) for word in apart):
            continue
        ours = registry().Quantity(2.0, name).to_base_units()
        theirs = full.Quantity(2.0, name).to(str(ours.units))
        assert ours.magnitude == pytest.approx(theirs.magnitude, rel=1e-8), name


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("1116.95 K", "degC", 843.8), ("33.3 %", "1", 0.333), ("1153.15 K", "degC", 880.0), ("0.1 h", "min", 6.0)],
)
def test_a_setting_in_another_unit_is_the_same_setting(text: str, unit: str, value: float) -> None:
    assert to_unit(text, unit) == value


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("1 muB", "J/T", 9.2740100657e-24),
        ("1 MPa√m", "Pa m^0.5", 1e6),
        ("1 MPa·√m", "Pa m^0.5", 1e6),
        ("1 MPa m^½", "Pa m^0.5", 1e6),
        ("1 nV/√Hz", "V Hz^-0.5", 1e-9),
        ("1 V/√(Hz)", "V Hz^-0.5", 1.0),
        ("1 mAh∕g", "Ah/kg", 1.0),
        ("1 g⁄cm³", "kg/m^3", 1000.0),
        ("1 mAh g‑1", "Ah/kg", 1.0),
        ("5 degrees Celsius", "K", 278.15),
        ("5 Grad Celsius", "K", 278.15),
        ("5 °Celsius", "K", 278.15),
        ("41 degrees Fahrenheit", "degC", 5.0),
    ],
)
def test_roots_slashes_and_words_are_read(text: str, unit: str, value: float) -> None:
    assert to_unit(text, unit) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("unit", ["g÷cm", "a\\b", "m?", "m:s", "¡m", "#m", "%%", "% %", "m'", "m;s", "{K}", "m,", "K$"])
def test_a_sign_that_is_part_of_no_unit_is_named(unit: str) -> None:
    with pytest.raises(UnitError, match="has no meaning there"):
        check_unit(unit)


@pytest.mark.parametrize("unit", ["V vs. RHE", "V vs Li/Li+", "V versus SHE"])
def test_a_reference_is_no_unit(unit: str) -> None:
    with pytest.raises(UnitError, match="states a reference, which is no part of a unit"):
        check_unit(unit)


@pytest.mark.parametrize(("unit", "meant"), [("U/min", "rpm"), ("pH", "1"), ("$", "USD")])
def test_what_was_meant_is_said(unit: str, meant: str) -> None:
    with pytest.raises(UnitError, match=f"did you mean '{meant}'"):
        check_unit(unit)


def test_a_quantity_is_shown_with_the_unit_that_it_is_in() -> None:
    assert with_unit(25, "kg/kg") == "25 kg/kg"
    assert with_unit("25", "kg/kg") == "25 kg/kg"
    assert with_unit("3700 mV", "V") == "3700 mV"
    assert with_unit(0.8, "1") == "0.8"
