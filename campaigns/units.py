"""Units: parsing, conversion and dimension checks, by pint.

pint is imported on first use: it takes a third of a second, and ``athanor --help`` needs none of it.
"""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING

from campaigns.errors import UnitError, suggestion

if TYPE_CHECKING:
    from pint import UnitRegistry

QUANTITY = r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(.*?)\s*"
"""Pattern of a quantity: a number, then a unit or nothing."""

_NAMED = {
    "length": "a length",
    "mass": "a mass",
    "time": "a time",
    "temperature": "a temperature",
    "energy": "an energy",
    "power": "a power",
    "pressure": "a pressure",
    "frequency": "a frequency",
    "current": "an electric current",
    "electric_potential": "a voltage",
    "charge": "an electric charge",
    "currency": "an amount of money",
}


@cache
def registry() -> UnitRegistry[float]:
    """Return the one unit registry; ``units.txt`` lists what it knows."""
    import pint

    return pint.UnitRegistry(str(Path(__file__).with_name("units.txt")), autoconvert_offset_to_baseunit=True)


@cache
def check_unit(unit: str) -> str:
    """Return ``unit`` unchanged.

    Raises:
        UnitError: the unit is unknown.
    """
    import pint

    # What pint raises for text that is no unit depends on where its parser stumbles.
    stumbles = (pint.PintError, TokenError, ValueError, TypeError, AttributeError, ArithmeticError, AssertionError)
    try:
        registry().Unit(unit)
    except (*stumbles, LookupError, SyntaxError, RecursionError) as error:
        near = suggestion(unit, (name for name in registry() if len(name) > 2))
        raise UnitError(
            f"unknown unit {unit!r}{near}; allowed: products of the units in campaigns/units.txt, such as "
            "degC, h, eV, mAh/g, USD/kg, '1'"
        ) from error
    return unit


def split_quantity(text: str) -> tuple[float, str]:
    """Return the number and the unit of text such as ``"0.4 keV"``; the unit may be empty.

    Raises:
        UnitError: the text does not begin with a finite number.
    """
    match = re.fullmatch(QUANTITY, text)
    if match is None or not math.isfinite(float(match[1])):
        raise UnitError(f"got {text!r}, which is no quantity; allowed: a number, or text such as '3.5 eV'")
    return float(match[1]), match[2]


def convert(value: float, given: str, unit: str) -> float:
    """Return a number given in one unit in another; what is not finite stays so.

    Raises:
        UnitError: a unit is unknown, or the two are of different dimensions.
    """
    return _converted(f"{value:g} {given}", float(value), check_unit(given), check_unit(unit))


def convert_difference(value: float, given: str, unit: str) -> float:
    """Return a difference, such as an uncertainty, given in one unit in another: 10 K are 10 degC and 18 degF.

    Raises:
        UnitError: a unit is unknown, or the two are of different dimensions.
    """
    differences = _difference_unit(check_unit(given)), _difference_unit(check_unit(unit))
    return _converted(f"{value:g} {given}", float(value), *differences)


def to_unit(value: float | str, unit: str) -> float:
    """Return ``value`` in ``unit``; a bare number is taken to be in ``unit`` already.

    Args:
        value: a number, or text such as ``"0.4 keV"``.
        unit: the unit that is meant.

    Raises:
        UnitError: the text is no quantity, or its unit is of another dimension.
    """
    if not isinstance(value, str):
        return float(value)
    number, given = split_quantity(value)
    return _finite(_converted(value, number, check_unit(given or unit), check_unit(unit)), value)


def to_difference(value: float | str, unit: str) -> float:
    """Return a difference of two quantities in ``unit``: 10 K and 18 degF are both 10 in degC.

    Raises:
        UnitError: the text is no quantity, or its unit is of another dimension.
    """
    if not isinstance(value, str):
        return float(value)
    number, given = split_quantity(value)
    return _finite(_converted(value, number, _difference_unit(given or unit), _difference_unit(unit)), value)


@cache
def has_offset(unit: str) -> bool:
    """Return whether zero of ``unit`` is not zero of its base unit, as for degC."""
    return float(registry().Quantity(0.0, check_unit(unit)).to_base_units().magnitude) != 0.0


def same_dimension(left: str, right: str) -> bool:
    """Return whether two units measure the same kind of quantity."""
    units = registry()
    return bool(units.Unit(left).dimensionality == units.Unit(right).dimensionality)


def _converted(text: str, number: float, given: str, unit: str) -> float:
    import pint

    if given == unit:
        return number
    try:
        return float(registry().Quantity(number, given).to(unit).magnitude)
    except pint.PintError as error:
        raise UnitError(
            f"got {text!r}, which is {_kind(given)}; allowed: {_kind(unit)}, as a number (in {unit}) or with its unit"
        ) from error


def _finite(number: float, text: str) -> float:
    if not math.isfinite(number):
        raise UnitError(f"got {text!r}, which is too large; allowed: a finite quantity")
    return number


def _difference_unit(unit: str) -> str:
    return f"delta_{registry().Unit(unit):~}".replace("°", "deg") if has_offset(unit) else unit


def _kind(unit: str) -> str:
    dimensionality = registry().Unit(unit).dimensionality
    if not dimensionality:
        return "a number without dimension"
    if unit.startswith("delta_"):
        return "a difference of temperatures"
    return _kinds().get(str(dimensionality), f"a quantity like {unit}")


@cache
def _kinds() -> dict[str, str]:
    return {str(registry().get_dimensionality(f"[{name}]")): words for name, words in _NAMED.items()}
