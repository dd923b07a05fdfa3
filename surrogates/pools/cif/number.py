"""Numbers as a CIF writes them: ``0.998(5)``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from surrogates.pools.cif.problems import UnreadableError

_NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+))(?:[eE]([-+]?\d+))?(?:\((\d+)\)?)?")
_FRACTION = re.compile(r"([-+]?\d+)/([1-9]\d*)")


@dataclass(frozen=True, slots=True)
class CifNumber:
    """A number with what its digits say of it.

    Attributes:
        unit: one unit of its last digit; 0 for an integer or a fraction, which are exact.
        error: its standard uncertainty, the number in parentheses; 0 where there is none.
    """

    value: float
    unit: float = 0.0
    error: float = 0.0


def parse_number(text: str, what: str) -> CifNumber:
    """Return a number.

    Raises:
        UnreadableError: it is none; the message calls it ``what``.
    """
    text = text.strip()
    if found := _FRACTION.fullmatch(text):
        return CifNumber(int(found[1]) / int(found[2]))
    found = _NUMBER.fullmatch(text)
    if found is None:
        hint = "; write decimals with a point" if "," in text else ""
        raise UnreadableError(f"got {text!r} as {what}; allowed: a number such as 0.25 or 0.2500(3){hint}")
    scale = 10.0 ** int(found[2] or 0)
    decimals = len(found[1].partition(".")[2])
    last = 10.0**-decimals * scale
    return CifNumber(float(found[1]) * scale, last if decimals else 0.0, float(found[3] or 0) * last)
