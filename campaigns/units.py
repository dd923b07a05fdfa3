"""Units: parsing, conversion and dimension checks, by pint.

pint is imported on first use: it takes a third of a second, and ``athanor --help`` needs none of it.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from campaigns.errors import UnitError

if TYPE_CHECKING:
    from pint import UnitRegistry


@cache
def registry() -> UnitRegistry[float]:
    """Return the one unit registry, with currencies and the battery field's names added."""
    import pint

    units: UnitRegistry[float] = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    units.define("USD = [currency] = usd")
    units.define("@alias percent = pct")
    return units


@cache
def check_unit(unit: str) -> str:
    """Return ``unit`` unchanged.

    Raises:
        UnitError: the unit is unknown.
    """
    import pint

    try:
        registry().Unit(unit)
    except (pint.PintError, ValueError, TypeError, AttributeError) as error:
        raise UnitError(f"unknown unit {unit!r}; allowed: any pint unit, such as degC, h, eV, mAh/g, '1'") from error
    return unit


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
    import pint

    check_unit(unit)
    try:
        number, text = _split(value)
        quantity = registry().Quantity(number, text or unit)
        return float(quantity.to(unit).magnitude)
    except pint.DimensionalityError as error:
        raise UnitError(
            f"got {value!r}, which is no {_kind(unit)}; allowed: a number or a quantity in {unit}"
        ) from error
    except (pint.PintError, ValueError, TypeError, AttributeError) as error:
        raise UnitError(
            f"got {value!r}, which is no quantity; allowed: a number or text such as '3.5 {unit}'"
        ) from error


def same_dimension(left: str, right: str) -> bool:
    """Return whether two units measure the same kind of quantity."""
    units = registry()
    return bool(units.Unit(left).dimensionality == units.Unit(right).dimensionality)


def _split(text: str) -> tuple[float, str]:
    """Split ``"0.4 keV"`` into number and unit; the unit may be missing."""
    head, _, tail = text.strip().partition(" ")
    return float(head), tail.strip()


def _kind(unit: str) -> str:
    dimensionality = registry().Unit(unit).dimensionality
    return f"quantity of dimension {dimensionality}" if dimensionality else "dimensionless number"
