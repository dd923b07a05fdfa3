"""Units: parsing, conversion and dimension checks, by pint.

pint is imported on first use: it takes a third of a second, and ``athanor --help`` needs none of it.
"""

from __future__ import annotations

import difflib
import math
import re
import unicodedata
from functools import cache
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, Any

from campaigns.errors import UnitError

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
    "standard_volume": "an amount of gas, as its volume at standard conditions",
    "mass_fraction": "a share by mass",
    "atomic_fraction": "a share of the atoms",
    "mole_fraction": "a share of the moles",
    "volume_fraction": "a share by volume",
    "relative_humidity": "a relative humidity",
    "angle": "an angle",
    "currency": "an amount of money in USD",
} | {
    f"currency_{code}": f"an amount of money in {code}"
    for code in ("EUR", "GBP", "JPY", "CNY", "CHF", "KRW", "INR", "CAD", "AUD", "SEK")
}
_APART = (
    ("[currency", "[currency", "no exchange rate is known; convert it yourself"),
    ("_fraction]", "_fraction]", "that takes the composition; convert it yourself"),
    ("_fraction]", "", "what it is a share of must be said in both places, such as wt%"),
    ("[standard_volume]", "", "standard conditions are defined differently; convert it yourself"),
    ("[formula_unit]", "[atom]", "that takes the composition; convert it yourself"),
    ("[atom]", "", "per atom, or of all: say the same in both places"),
    ("[arbitrary]", "", "nobody knows what an arbitrary unit is; say the same in both places"),
    ("[turn]", "", "a turn may be meant, or an angle; say the same in both places"),
)
"""Parts of dimensions, of one unit and of the other, that are not converted into each other, and why."""
_HINTS = {
    "C": "C is coulomb: a temperature is in degC, a C-rate in 1/h",
    "F": "F is farad: a temperature is in degF",
    "A": "A is ampere: a length is in angstrom",
}
_MEANT = {"$": "USD", "US$": "USD", "pct": "percent", "C-rate": "1/h", "Celsius": "degC", "°": "deg"} | {
    "U/min": "rpm",
    "pH": "1",
}
_SPELLINGS = (
    (r"%\s*\(?w/w\)?|\b(?:wt|weight|mass|Gew)\b\.?[-\s]*(?:%|percent\b|pct\b)", "wt_percent"),
    (r"%\s*\(?v/v\)?|\b(?:vol|volume|Vol)\b\.?[-\s]*(?:%|percent\b|pct\b)", "vol_percent"),
    (r"\b(?:at|atomic|atom)\b\.?[-\s]*(?:%|percent\b|pct\b)", "at_percent"),
    (r"\b(?:mol|mole|molar)\b\.?[-\s]*(?:%|percent\b|pct\b)", "mol_percent"),
    (r"%\s*(?:RH|r\.\s?h\.)|\bRH\s*%", "rh_percent"),
    (r"\bf\.\s?u\.", "formula_unit"),
    (r"\b(?:a\.\s?u\.|arb\.?\s?(?:u\.|units?\b|unit\b))", "arbitrary_unit"),
    (r"\b(mm|in)\s+Hg\b", r"\1Hg"),
    (r"€", "EUR"),
    (r"£", "GBP"),
    (r"(?:\b(?:[dD]eg(?:rees?)?|Grad)[ _.]*|°\s*)(?:C|[cC]elsius)\b", "degC"),
    (r"(?:\b(?:[dD]eg(?:rees?)?|Grad)[ _.]*|°\s*)(?:F|[fF]ahrenheit)\b", "degF"),
    (r"(?:\bdeg|°)\s*K\b", "K"),
    (r"°(?![CF])", "degree"),
    (r"[·⋅∙×•]", "*"),
    (r"[−–‐]", "-"),
    (r"[∕⁄]", "/"),
    (r"(?<=[\w)%])\s*√", "*√"),
    (r"√\s*(\([^()]*\)|[^\W\d_]+)", r"\1**0.5"),
    (r"(?<=[A-Za-zμΩÅ%])(?<![0-9.][eE])\^?(-?[0-9]+)(?![0-9.])", r"**\1"),  # cm2, cm^2, g-1
    (r"(?<=[\w%Ω)])\s+(?=[A-Za-zμΩÅ(])", "*"),
)
"""How labs write units, and how pint reads them."""
_STRANGE = re.compile(r"[^\w\s*/^()+.%-]|%(?=\s*%)")  # pint drops them, or reads them as a product
_REFERENCE = re.compile(r"\s(?:vs\.?|versus|gegen|relative to)\s")


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
    if _two_ways(unit):
        raise UnitError(
            f"unit {unit!r} may be read in two ways; allowed: with brackets, such as J/(g K), or as J g-1 K-1"
        )
    if _REFERENCE.search(unit):
        raise UnitError(
            f"unit {unit!r} states a reference, which is no part of a unit and cannot be converted; allowed: the unit "
            "alone, such as V, for numbers that all have the reference of the campaign"
        )
    if unit.strip() not in _MEANT and (strange := _STRANGE.search(_spelled(unit))):
        raise UnitError(f"unknown unit {unit!r}: {strange[0]!r} has no meaning there; allowed: such as mAh/g, J/(g K)")
    try:
        _parsed(unit)
    except (*stumbles, LookupError, SyntaxError, RecursionError) as error:
        raise UnitError(
            f"unknown unit {unit!r}{_near(unit)}; allowed: products of the units in campaigns/units.txt, such as "
            "degC, h, eV, mAh/g, USD/kg, '1'"
        ) from error
    return unit


def is_unit(unit: str) -> bool:
    """Return whether a text is a unit that is known."""
    try:
        check_unit(unit.strip())
    except UnitError:
        return False
    return not unit.strip().isdigit()


def _spelled(unit: str) -> str:
    text = unicodedata.normalize("NFKC", re.sub(r"\^?½", "^0.5", unit.strip()))
    for pattern, spelling in _SPELLINGS:
        text = re.sub(pattern, spelling, text)
    return text


@cache
def _parsed(unit: str) -> Any:
    """Return pint's unit of text as labs write it; what it raises depends on where its parser stumbles."""
    text = _spelled(unit)
    for word in re.findall(r"[^\W\d_]+", text):
        if _plural_of_a_symbol(word):  # pint reads 'Ks' as several kelvins
            raise LookupError(word)
    return registry().Unit(text)


def _plural_of_a_symbol(word: str) -> bool:
    if not word.endswith("s") or word.islower():
        return False
    return all(suffix == "s" for _, _, suffix in registry().parse_unit_name(word))


def _two_ways(unit: str) -> bool:
    """Return whether a product without a sign stands behind a division: J/g K."""
    outside = re.sub(r"\([^()]*\)", "", unit)
    return bool(re.search(r"/\s*[^\s/*()]+\s+[A-Za-zμµΩÅ°]", outside)) and "%" not in outside


def _near(unit: str) -> str:
    """Return what was meant, where there is something like it: with the first unknown word of a product replaced."""
    if (meant := _MEANT.get(unit.strip())) is not None:
        return f", did you mean {meant!r}"
    word = next((word for word in re.findall(r"[^\W\d_]+", unit) if not _is_word(word)), None)
    if word is None:
        return ""
    alike = {name.casefold(): name for name in registry()}.get(word.casefold())
    spellings = [alike or "", word.lower(), word[:1].lower() + word[1:], word[:1].upper() + word[1:].lower()]
    near = difflib.get_close_matches(word, [name for name in registry() if len(name) > 2], n=1)
    better = next((each for each in (*spellings, *near) if each and _is_word(each)), None)
    return "" if better is None else f", did you mean {unit.strip().replace(word, better, 1)!r}"


def _is_word(word: str) -> bool:
    """Return whether one word is a unit, with a prefix or without."""
    return word in _MEANT.values() or (bool(registry().parse_unit_name(word)) and not _plural_of_a_symbol(word))


def split_quantity(text: str) -> tuple[float, str]:
    """Return the number and the unit of text such as ``"0.4 keV"``; the unit may be empty.

    Raises:
        UnitError: the text does not begin with a finite number.
    """
    match = re.fullmatch(QUANTITY, text)
    if match is None or not math.isfinite(float(match[1])):
        raise UnitError(f"got {text!r}, which is no quantity; allowed: a number, or text such as '3.5 eV'")
    if re.match(r",[0-9]", match[2]):
        raise UnitError(f"got {text!r}; allowed: a number with a decimal point, and no commas, such as 0.5 or 1234.5")
    return float(match[1]), match[2]


def with_unit(value: float | str, unit: str) -> str:
    """Return a quantity of a campaign file in words: with its own unit, or with ``unit`` where it states none."""
    text = value if isinstance(value, str) else f"{value:g}"
    return text if unit in ("1", "") or split_quantity(text)[1] else f"{text} {unit}"


def last_digit(text: str, unit: str) -> float:
    """Return what one more in the last digit of a quantity such as ``33.3 percent`` adds, in ``unit``.

    Raises:
        UnitError: the text is no quantity, or its unit is of another dimension.
    """
    match = re.fullmatch(QUANTITY, text)
    if match is None:
        raise UnitError(f"got {text!r}, which is no quantity; allowed: a number, or text such as '3.5 eV'")
    return abs(convert_difference(step_of(match[1]), match[2] or unit, unit))


def step_of(number: str) -> float:
    """Return what one more in the last digit of a number such as ``33.3`` or ``1.5e-3`` adds."""
    mantissa, _, power = number.lower().partition("e")
    return float(f"1e{int(power or 0) - len(mantissa.partition('.')[2])}")


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
        return float(value) + 0.0  # no negative zero
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


def quantity(value: float, unit: str) -> Any:
    """Return pint's quantity of a number in a unit."""
    return registry().Quantity(value, _parsed(check_unit(unit)))


@cache
def has_offset(unit: str) -> bool:
    """Return whether zero of ``unit`` is not zero of its base unit, as for degC."""
    return float(registry().Quantity(0.0, _parsed(check_unit(unit))).to_base_units().magnitude) != 0.0


def same_dimension(left: str, right: str) -> bool:
    """Return whether two units measure the same kind of quantity."""
    return bool(_parsed(left).dimensionality == _parsed(right).dimensionality)


def same_numbers(left: str, right: str) -> bool:
    """Return whether numbers in both units are the same; not of units that are unknown or of different dimensions."""
    try:
        return abs(convert(1.0, left, right) - 1.0) < 1e-9 and abs(convert(0.0, left, right)) < 1e-9
    except UnitError:
        return False


def _converted(text: str, number: float, given: str, unit: str) -> float:
    import pint

    if given == unit:
        return number + 0.0  # no negative zero
    try:
        found = float(registry().Quantity(number, _parsed(given)).to(_parsed(unit)).magnitude)
        # 1116.95 K are 843.8 degC, the same setting, and not 843.8000000000001.
        return float(f"{found:.12g}") + 0.0
    except pint.PintError as error:
        allowed = f"allowed: {_kind(unit)}, as a number (in {unit}) or with its unit"
        raise UnitError(f"got {text!r}, which is {_kind(given)}; {allowed}{_why_not(given, unit)}") from error


def _why_not(given: str, unit: str) -> str:
    """Return why one kind of quantity is not converted to another that is like it."""
    one, other = (set(_parsed(each).dimensionality) for each in (given, unit))
    for first, second, why in _APART:
        for left, right in ((one - other, other - one), (other - one, one - other)):
            if any(first in name for name in left) and (not second or any(second in name for name in right)):
                return f"; {why}"
    return f" ({_HINTS[given]})" if given in _HINTS else ""


def _finite(number: float, text: str) -> float:
    if not math.isfinite(number):
        raise UnitError(f"got {text!r}, which is too large; allowed: a finite quantity")
    return number


def _difference_unit(unit: str) -> str:
    return f"delta_{_parsed(unit):~}".replace("°", "deg") if has_offset(unit) else unit


def _kind(unit: str) -> str:
    dimensionality = _parsed(unit).dimensionality
    if not dimensionality:
        return "a number without dimension"
    if unit.startswith("delta_"):
        return "a difference of temperatures"
    return _kinds().get(str(dimensionality), f"a quantity like {unit}")


@cache
def _kinds() -> dict[str, str]:
    return {str(registry().get_dimensionality(f"[{name}]")): words for name, words in _NAMED.items()}
