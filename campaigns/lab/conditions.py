"""Conditions on readings and settings, with units: ``door == closed and coolant > 0.5 L/min``.

Text is read as an expression, and never run. What cannot be read makes a condition unknown, unless the rest of it
decides: an unknown condition neither holds nor fails.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from campaigns.expressions import parsed
from campaigns.units import QUANTITY, check_unit, to_unit
from campaigns.values import Scalar

Values = Mapping[str, Scalar | None]
"""Name to what was read; None where it cannot be read."""

_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.In: "in",
    ast.NotIn: "not in",
}
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_WITH_UNIT = re.compile(
    r"(==|!=|<=|>=|<|>)\s*((?>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?))\s*"
    r"([^\s\d.<>=!()\[\],'\"][^<>=!()\[\],'\"]*?)(?=\s+(?:and|or)\s|\s*[)\],]|\s*$)"
)
"""A comparison with a number that has a unit."""
_ALLOWED = (
    "allowed: comparisons such as 'coolant > 0.5 L/min', 'door == closed' and 'gas in [air, argon]', joined by and, "
    "or, not and brackets"
)
_EXACT = 1e-9
"""Relative difference of numbers that count as equal: that of rounding, when units are converted."""


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A name, how it is compared, and with what: several values for ``in``."""

    name: str
    sign: str
    wanted: tuple[Scalar, ...]

    @property
    def comparisons(self) -> tuple[_Comparison, ...]:
        return (self,)

    def holds(self, values: Values) -> bool | None:
        got = values.get(self.name)
        if got is None or (isinstance(got, float) and math.isnan(got)):
            return None
        if any(isinstance(got, str) != isinstance(one, str) for one in self.wanted):
            return None  # as with the number of a choice where its text is expected
        if self.sign in _ORDER:
            return _ORDER[self.sign](float(got), float(self.wanted[0]))
        found = any(_equal(got, one) for one in self.wanted)
        return found if self.sign in ("==", "in") else not found

    def in_units(self, units: Mapping[str, str]) -> _Comparison:
        return replace(self, wanted=tuple(_converted(one, units.get(self.name, ""), self) for one in self.wanted))


@dataclass(frozen=True, slots=True)
class _Joined:
    """Parts joined by ``and`` (all have to hold) or ``or``."""

    every: bool
    parts: tuple[_Part, ...]

    @property
    def comparisons(self) -> tuple[_Comparison, ...]:
        return tuple(one for part in self.parts for one in part.comparisons)

    def holds(self, values: Values) -> bool | None:
        found = [part.holds(values) for part in self.parts]
        if (not self.every) in found:
            return not self.every
        return None if None in found else self.every

    def in_units(self, units: Mapping[str, str]) -> _Joined:
        return replace(self, parts=tuple(part.in_units(units) for part in self.parts))


@dataclass(frozen=True, slots=True)
class _Negated:
    part: _Part

    @property
    def comparisons(self) -> tuple[_Comparison, ...]:
        return self.part.comparisons

    def holds(self, values: Values) -> bool | None:
        found = self.part.holds(values)
        return None if found is None else not found

    def in_units(self, units: Mapping[str, str]) -> _Negated:
        return replace(self, part=self.part.in_units(units))


_Part = _Comparison | _Joined | _Negated


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition, as somebody wrote it, and as it is evaluated."""

    text: str
    _root: _Part

    @property
    def names(self) -> tuple[str, ...]:
        """What it is about, each once, in order."""
        return tuple(dict.fromkeys(one.name for one in self._root.comparisons))

    @property
    def compared(self) -> tuple[tuple[str, Scalar], ...]:
        """Each name with each value that it is compared with, in order."""
        return tuple((one.name, value) for one in self._root.comparisons for value in one.wanted)

    def in_units(self, units: Mapping[str, str]) -> Condition:
        """Return the condition with every number in the unit of what it is compared with.

        Args:
            units: name to unit of the numbers that will be read; empty, or left out, for text and plain numbers.

        Raises:
            UnitError: a number has another kind of unit.
        """
        return replace(self, _root=self._root.in_units(units))

    def holds(self, values: Values) -> bool | None:
        """Return whether it holds; None where that cannot be told, as something cannot be read."""
        return self._root.holds(values)

    def found(self, values: Values, units: Mapping[str, str]) -> str:
        """Return what was read of all that it is about, for people."""
        return ", ".join(f"{name} {_shown(values.get(name), units.get(name, ''))}" for name in self.names)


def condition(text: str) -> Condition:
    """Parse text such as ``"door == closed and coolant > 0.5 L/min"``.

    Raises:
        ValueError: the text is no condition.
    """
    try:
        tree = parsed(_WITH_UNIT.sub(_quoted, text))
    except ValueError as error:
        hint = "; write == to compare" if re.search(r"(?<![=!<>])=(?!=)", text) else ""
        raise ValueError(f"got {text!r}, which is no condition{hint}; {_ALLOWED}") from error
    return Condition(text, _part(tree, text))


def _quoted(found: re.Match[str]) -> str:
    """Return a comparison with a quantity as Python can read it."""
    sign, number, unit = found.groups()
    return f"{sign} {f'{number} {unit.strip()}'!r}"


def _part(node: ast.expr, text: str) -> _Part:
    match node:
        case ast.BoolOp(op=op, values=values):
            return _Joined(isinstance(op, ast.And), tuple(_part(one, text) for one in values))
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return _Negated(_part(inner, text))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SIGNS:
            return _comparison(_name(left, text), _SIGNS[type(op)], _values(right, text), text)
    raise ValueError(f"got {text!r}, where {ast.unparse(node)!r} is no comparison; {_ALLOWED}")


def _comparison(name: str, sign: str, wanted: tuple[Scalar, ...], text: str) -> _Comparison:
    if len(wanted) != 1 and "in" not in sign:
        raise ValueError(f"got {text!r}, which compares {name} with {len(wanted)} values by {sign}; {_ALLOWED}")
    if sign in _ORDER and isinstance(wanted[0], str) and re.fullmatch(QUANTITY, wanted[0]) is None:
        raise ValueError(f"got {text!r}, where {wanted[0]!r} is no number, so that {sign} says nothing; {_ALLOWED}")
    return _Comparison(name, sign, wanted)


def _name(node: ast.expr, text: str) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_name(value, text)}.{attr}"
    raise ValueError(f"got {text!r}, where {ast.unparse(node)!r} is no name; {_ALLOWED}")


def _values(node: ast.expr, text: str) -> tuple[Scalar, ...]:
    match node:
        case ast.List(elts=inner) | ast.Tuple(elts=inner) | ast.Set(elts=inner):
            return tuple(value for one in inner for value in _values(one, text))
        case ast.Constant(value=int() | float() | str() as value):
            return (value,)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=ast.Constant(value=int() | float() as value)):
            return (-value if isinstance(sign, ast.USub) else value,)
    return (_name(node, text),)


def _converted(wanted: Scalar, unit: str, where: _Comparison) -> Scalar:
    if not isinstance(wanted, str) or re.fullmatch(QUANTITY, wanted) is None:
        return wanted
    if unit or where.sign in _ORDER:
        return to_unit(wanted, check_unit(unit or "1"))
    return wanted


def _equal(got: Scalar, wanted: Scalar) -> bool:
    if isinstance(got, str) or isinstance(wanted, str):
        return got == wanted
    return math.isclose(got, wanted, rel_tol=_EXACT, abs_tol=0.0)


def _shown(value: Scalar | None, unit: str) -> str:
    if value is None:
        return "cannot be read"
    return f"is {value}" if isinstance(value, str) else f"is {value:g}{'' if unit in ('', '1') else f' {unit}'}"
