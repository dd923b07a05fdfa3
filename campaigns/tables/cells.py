"""Numbers as people and programs write them in tables: decimal commas, groups of digits, uncertainties, units.

What can be read in two ways is never guessed: the other cells of the column, then of the table, say which mark stands
before the decimals, and where they do not, the cell is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields

from campaigns.errors import TableError, UnitError
from campaigns.tables.files import Typed
from campaigns.units import check_unit, is_unit, step_of

_MISSING = frozenset(
    ("", "-", "--", "---", "–", "—", "?", ".", "..", "na", "n/a", "n.a.", "nan", "none", "null", "nil", "nd", "n.d.")
) | {"n/d", "tbd", "missing", "not measured"}
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u2009\u202f\u200a"), " ")
_THIN = re.compile(r"(?<=[0-9])[\u00a0\u2007\u2009\u202f\u200a](?=[0-9]{3}(?![0-9]))")  # nobody types them
_SIGNS = {ord("−"): "-", ord("‐"): "-", ord("‑"): "-", ord("’"): "'", ord("＋"): "+"}
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")

_MANTISSA = r"[-+]?(?:[0-9][0-9.,' ]*|[.,][0-9]+)"
_EXPONENT = r"(?:[eE][-+]?[0-9]+|\s*[x×*·]\s*10\s*\^?\s*[-+]?[0-9]+)"
_CELL = re.compile(
    rf"\(?\s*(?P<value>{_MANTISSA})(?P<power>{_EXPONENT})?\s*"
    rf"(?:\((?P<last>[0-9][0-9.,]*)\)(?P<later>{_EXPONENT})?)?\s*"
    rf"(?:(?:±|\+/-|\+-)\s*(?P<sd>{_MANTISSA})(?P<sd_power>{_EXPONENT})?)?\s*"
    rf"(?P<close>\))?(?P<whole>{_EXPONENT})?\s*(?P<unit>[^\s].*)?"
)
_BLANKS = r"[0-9]{1,2}(?: [0-9]{3})+(?![0-9 ])|[0-9]{3}(?: [0-9]{3}){2,}(?![0-9 ])"  # not 168 172: two readings?
_PLAIN = re.compile(r"[-+]?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_EXCEL_ERROR = re.compile(r"#(?:N/A|DIV/0!|REF!|VALUE!|NUM!|NAME\?|NULL!|SPILL!|CALC!)|#+", re.IGNORECASE)
_MONTH = (
    r"(?:jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez|fév|avr|aoû|ene|abr|ago|dic|gen|mag|giu|"
    r"lug|set|ott)[a-zé]*\.?"
)
_DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?|\d{1,2}([./-])\d{1,2}\1(?:\d{4}|\d{2})|\d{1,2}:\d{2}(?::\d{2})?"
    rf"|\d{{1,2}}[-. /]*{_MONTH}(?:[-. /]*\d{{2,4}})?|{_MONTH}[-. /]*\d{{1,4}}",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number in a cell.

    Attributes:
        value: in the unit that the cell states, or else in that of its column.
        sd: the standard uncertainty that stands beside it in the cell; None where there is none.
        step: what one more in the last digit that is written, or stored, would add.
        unit: what the cell states; empty where it states none.
    """

    value: float
    sd: float | None = None
    step: float = 0.0
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Marks:
    """What cells say about the marks in numbers, where they are unambiguous.

    Attributes:
        comma: a comma stands before decimals.
        point: a point stands before decimals.
        grouping_comma: a comma stands between groups of three digits.
        grouping_point: a point stands between groups of three digits.
        grouping_blank: a blank stands between groups of three digits, and not between two numbers.
    """

    comma: bool = False
    point: bool = False
    grouping_comma: bool = False
    grouping_point: bool = False
    grouping_blank: bool = False

    @classmethod
    def of(cls, cells: Iterable[str]) -> Marks:
        """Return what some cells tell."""
        found: set[str] = set()
        for cell in cells:
            if isinstance(cell, Typed) or cell.isdecimal() or (_PLAIN.fullmatch(cell) and "point" in found):
                continue  # which tells nothing new: most cells, in large tables
            if not _DATE.fullmatch(cell) and (match := _CELL.fullmatch(_tidy(cell))):
                found |= _told(match["value"]) | _told(match["sd"] or "")
        return cls(**dict.fromkeys(found, True))

    def __or__(self, other: Marks) -> Marks:
        """Return what both tell."""
        return Marks(*(getattr(self, one.name) or getattr(other, one.name) for one in fields(self)))

    def __bool__(self) -> bool:
        """Return whether anything is known of points and commas."""
        return self.comma or self.point or self.grouping_comma or self.grouping_point

    @property
    def decimal_comma(self) -> bool:
        """Whether a comma stands before decimals, by all cells."""
        return self.comma or self.grouping_point

    @property
    def decimal_point(self) -> bool:
        """Whether a point stands before decimals, by all cells."""
        return self.point or self.grouping_comma


def missing(cell: str) -> bool:
    """Return whether a cell says that there is no number."""
    return cell.strip().casefold() in _MISSING


def read_number(cell: str, marks: Marks) -> Number | None:
    """Return the number in a cell, or None where the cell says that there is none.

    Args:
        cell: its text.
        marks: what the other cells tell.

    Raises:
        TableError: it is no number, or may be several.
    """
    if isinstance(cell, Typed):
        return _typed(cell)
    if missing(cell):
        return None
    if _PLAIN.fullmatch(cell) and not marks.decimal_comma:
        return Number(_finite(cell), None, step_of(cell))
    text = _tidy(cell)
    _check_words(text)
    match = _CELL.fullmatch(text)
    if match is None or (match["close"] is None) != (not text.startswith("(")):
        raise TableError(f"is no number{_hint(text)}")
    return _number(match, marks)


def _typed(cell: str) -> Number:
    match = re.fullmatch(r"(-?[0-9.]*(?:e[-+]?[0-9]+)?|-?inf|nan)\s*(.*)", cell)
    number, unit = match.groups() if match else (cell, "")
    if unit and not is_unit(unit):
        raise TableError(f"is shown with {unit!r}, which is no unit that is known; change the format of the cell")
    return Number(_finite(number), None, step_of(number), "percent" if unit == "%" else unit)


def _tidy(cell: str) -> str:
    text = _THIN.sub("'", cell).translate(_SPACES).translate(_SIGNS).strip()
    return re.sub(r"(?<=10)([⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺]+)", lambda m: "^" + m[1].translate(_SUPERSCRIPTS), text)


def _check_words(text: str) -> None:
    """Refuse what spreadsheets write in the place of numbers, and bounds.

    Raises:
        TableError: it is such a text.
    """
    if _EXCEL_ERROR.fullmatch(text):
        raise TableError("is an error of the spreadsheet; correct the formula there")
    if _DATE.fullmatch(text):
        raise TableError("is a date or a time, into which spreadsheets turn numbers; write the number again, as text")
    if text.startswith("="):
        raise TableError("is a formula that has never been calculated; open it in a spreadsheet program, and save it")
    if re.fullmatch("~~.*~~", text):
        raise TableError("is struck through; delete it, or take the line away")
    if text[:1] in "<>≤≥":
        raise TableError("is a bound, not a value")
    if text[:1] in "~≈∼" or text.casefold().startswith(("ca.", "ca ", "approx", "about")):
        raise TableError("is an approximate value; write the number with its uncertainty")
    if text.casefold().lstrip("+-") in ("inf", "infinity", "∞"):
        raise TableError("is not finite")


def _hint(text: str) -> str:
    return "; allowed: such as 800.5, 800,5, 8.005e2, 800.5 ± 0.3, 800.5(3), 12%, or nothing" if text else ""


def _number(match: re.Match[str], marks: Marks) -> Number:
    exponent = sum(_exponent(match[key] or "") for key in ("power", "later", "whole"))
    mantissa = _plain(match["value"].strip(), marks)
    step = step_of(f"{mantissa}e{exponent}")
    unit = _unit(match["unit"] or "")
    value, sd = _finite(f"{mantissa}e{exponent}"), None
    if match["close"] is not None and match["sd"] is None and match["last"] is None:
        raise TableError("stands in brackets, which may mean that it is negative; write it without them")
    if match["last"] is not None:
        if match["sd"] is not None:
            raise TableError("states two uncertainties; allowed: one")
        sd = _last_digits(match["last"], step, exponent)
        apart = match.string[: match.start("last") - 1].endswith(" ")
        if apart or (sd >= abs(value) and (step >= 1 or len(match["last"]) > 2)):
            raise TableError(f"may be two numbers; write the uncertainty as {match['value'].strip()} ± ...")
    if match["sd"] is not None:
        if unit and match["close"] is None and match["unit"].startswith("%"):
            raise TableError("may mean percent of the value or of the whole; write the uncertainty in the value's unit")
        own = float(_plain(match["sd"].strip(), marks)) * 10.0 ** _exponent(match["sd_power"] or match["whole"] or "")
        if own < 0:
            raise TableError("has an uncertainty that is negative")
        sd = own
    return Number(value, sd, step, unit)


def _finite(text: str) -> float:
    number = float(text) + 0.0  # no negative zero
    if not math.isfinite(number):
        raise TableError("is too large")
    return number


def _exponent(text: str) -> int:
    found = re.search(r"(?:[eE]|10\s*\^?\s*)([-+]?[0-9]+)$", text)
    return int(found[1]) if found else 0


def _last_digits(text: str, step: float, exponent: int) -> float:
    """Return the uncertainty of 120.5(12), which is 1.2: in the last digits unless it has decimals itself."""
    if text.isdigit():
        return int(text) * step
    return float(f"{text.replace(',', '.')}e{exponent}")


def _unit(text: str) -> str:
    if not text:
        return ""
    try:
        return check_unit(text)
    except UnitError as error:
        raise TableError(f"is no number{_hint(text)}") from error


def _told(mantissa: str) -> set[str]:
    """Return what the marks of a number tell for certain."""
    text = mantissa.strip().lstrip("+-")
    if re.match(_BLANKS, text):
        return {"grouping_blank"} | _told(text.replace(" ", ""))
    text = text.replace("'", "").replace(" ", "")
    commas, points = text.count(","), text.count(".")
    if commas and points:
        last = "comma" if text.rfind(",") > text.rfind(".") else "point"
        return {last, "grouping_point" if last == "comma" else "grouping_comma"}
    if commas > 1 or points > 1:
        return {"grouping_comma" if commas else "grouping_point"}
    if (commas or points) and not _may_group(text):
        return {"comma" if commas else "point"}
    return set()


def _may_group(text: str) -> bool:
    """Return whether the one mark of a number may stand between groups of digits: 1,234 and 12.345, not 0,123."""
    return bool(re.fullmatch(r"[1-9][0-9]{0,2}[.,][0-9]{3}", text))


def _plain(mantissa: str, marks: Marks) -> str:
    """Return a number as Python writes it.

    Raises:
        TableError: it is none, or may be several.
    """
    sign = "-" if mantissa.startswith("-") else ""
    text = mantissa.lstrip("+-")
    if re.search(r"[ ']", text):
        whole = re.match(r"[0-9' ]*", text)
        if whole is None or not re.fullmatch(r"[0-9]{1,3}(?:[ '][0-9]{3})+", whole[0].strip()):
            raise TableError("has digits in groups that are no thousands; write it without blanks")
        if re.fullmatch(r"[0-9]{3} [0-9]{3}(?:[.,][0-9]*)?", text) and not marks.grouping_blank:
            raise TableError("may be two numbers, or one in groups of digits; write one number, without blanks")
        text = re.sub(r"[ ']", "", text)
        if _may_group(text):
            return sign + text.replace(",", ".")  # thousands are distinguished by blanks already
    return sign + _without_groups(text, marks)


def _without_groups(text: str, marks: Marks) -> str:
    commas, points = text.count(","), text.count(".")
    if not commas and not points:
        return text
    if text.endswith(","):
        raise TableError("is no number: it ends in a comma")
    if commas and points:
        mark, group = (",", ".") if text.rfind(",") > text.rfind(".") else (".", ",")
        whole, _, decimals = text.partition(mark)
        if not re.fullmatch(rf"[0-9]{{1,3}}(?:\{group}[0-9]{{3}})+", whole) or not decimals.isdigit():
            raise TableError("is no number: points and commas stand where they mean nothing")
        return f"{whole.replace(group, '')}.{decimals}"
    mark = "," if commas else "."
    if commas + points > 1:
        if not re.fullmatch(rf"[0-9]{{1,3}}(?:\{mark}[0-9]{{3}})+", text):
            raise TableError("is no number: points and commas stand where they mean nothing")
        return text.replace(mark, "")
    if not _may_group(text):
        return text.replace(",", ".")
    return _by_others(text, mark, marks)


def _by_others(text: str, mark: str, marks: Marks) -> str:
    """Return a number of which only the other cells can tell whether its mark stands before decimals."""
    if mark == ".":
        decimal, groups = not marks.decimal_comma, marks.grouping_point and not marks.decimal_point
    else:
        decimal = marks.decimal_comma and not marks.decimal_point
        groups = marks.grouping_comma and not marks.decimal_comma
    if decimal:
        return text.replace(",", ".")
    if groups:
        return text.replace(mark, "")
    as_decimal, as_whole = text.replace(",", "."), text.replace(mark, "")
    raise TableError(f"may be {as_decimal} or {as_whole}; write {as_decimal}0 or {as_whole}")
