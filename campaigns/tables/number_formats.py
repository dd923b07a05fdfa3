"""Number formats of workbooks: what a cell shows around its number, such as a unit, and how the number is scaled."""

from __future__ import annotations

import operator
import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|\[\$(?P<money>[^\]-]*)(?:-[^\]]*)?\]|\[[^\]]*\]|_.|\*.'
    r"|(?P<general>General)|(?P<digits>[0#?](?:[0#?.,'/ ]*[0#?.])?(?:[Ee][-+][0#?]+)?)(?P<thousands>,*)|(?P<other>.)",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)\s*(-?[0-9.]+)\]")
_HOLDS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "=": operator.eq,
    "<>": operator.ne,
}
_MONEY = {"$": "USD", "US$": "USD", "€": "EUR", "£": "GBP"} | {
    code: code for code in ("USD", "EUR", "GBP", "JPY", "CNY", "CHF", "KRW", "INR", "CAD", "AUD", "SEK")
}
_NO_TEXT = " -+()@"  # outside of quotes: signs, and room for them


@dataclass(frozen=True, slots=True)
class Shown:
    """What a format shows beside a number.

    Attributes:
        before: text before the number.
        after: text behind it, such as its unit.
        factor: what is shown, over what is stored.
    """

    before: str = ""
    after: str = ""
    factor: float = 1.0


def displayed(value: float, number_format: str) -> Shown:
    """Return what a format shows beside a number: ``0.0%`` a hundredfold of it, ``0.0"%"`` the number itself."""
    before, after, factor, seen = "", "", 1.0, False
    for match in _TOKEN.finditer(_section(value, number_format)):
        text = match["quoted"] or match["escaped"] or match["money"] or ""
        if match["general"] or match["digits"]:
            seen = True
            factor /= 1000 ** len(match["thousands"] or "")
        elif match["other"] == "%":
            factor *= 100
            text = "%"
        elif match["other"] and match["other"] not in _NO_TEXT:
            text = match["other"]
        before, after = (before, after + text) if seen else (before + text, after)
    before, after = before.strip(), after.strip()
    if before in _MONEY and not after:
        before, after = "", before
    if before == "%":
        before, after = "", "%" + after
    return Shown(before, _MONEY.get(after, after), factor)


def _section(value: float, number_format: str) -> str:
    """Return the part of a format that holds for a number: by its conditions, or else by its sign."""
    sections = re.findall(r'(?:^|;)((?:"[^"]*"|\\.|\[[^\]]*\]|[^;])*)', number_format)[:3] or [""]
    conditions = [_CONDITION.search(section) for section in sections]
    if any(conditions):
        for section, condition in zip(sections, conditions, strict=True):
            if condition is None or _HOLDS[condition[1]](value, float(condition[2])):
                return str(section)
    place = 1 if value < 0 else 2 if value == 0 else 0
    return str(sections[place] if place < len(sections) else sections[0])
