"""The small languages of the campaign file: products of metrics, and constraints on parameters."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_PRODUCTS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


NAMES_OF_LABS = ("yield",)
"""Keywords of Python that are names in campaign files, as chemists call what they maximise so."""
_STAND_IN = "\N{GREEK SMALL LETTER XI}"
"""With what such a name is read: a letter that no name has."""


@dataclass(frozen=True, slots=True)
class Product:
    """A product of powers of metrics, such as ``capacity * mean_voltage``."""

    text: str

    def __post_init__(self) -> None:
        """Refuse anything but names, numbers, ``*``, ``/`` and ``**``."""
        if not self.names:
            raise ValueError(f"got {self.text!r}, which names no metric")
        try:
            self(dict.fromkeys(self.names, 1.0))
        except OverflowError as error:
            raise ValueError(f"got {self.text!r}, which is too large to evaluate") from error

    @property
    def names(self) -> tuple[str, ...]:
        """The names used, in order of appearance."""
        return tuple(dict.fromkeys(n.id for n in ast.walk(parsed(self.text)) if isinstance(n, ast.Name)))

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Evaluate on numbers, arrays, tensors or pint quantities."""
        return self._value(parsed(self.text), values)

    def _value(self, node: ast.expr, values: Mapping[str, Any]) -> Any:
        match node:
            case ast.Name(id=name):
                return values[name]
            case ast.Constant(value=int() | float() as number) if number > 0:
                return float(number)
            case ast.BinOp(left=left, op=ast.Pow(), right=ast.Constant(value=int() | float() as power)) if power <= 9:
                return self._value(left, values) ** power
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _PRODUCTS:
                return _PRODUCTS[type(op)](self._value(left, values), self._value(right, values))
        raise ValueError(
            f"got {self.text!r}; allowed: names of metrics and numbers above zero, joined by *, / and ** (up to 9)"
        )


def parsed(text: str) -> ast.expr:
    """Return the syntax tree of an expression, in which keywords that are names of labs are names.

    Raises:
        ValueError: it is none.
    """
    readable = re.sub(rf"\b({'|'.join(NAMES_OF_LABS)})\b", rf"\g<1>{_STAND_IN}", text.strip())
    try:
        tree = ast.parse(readable, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"got {text!r}, which cannot be read: {error}") from error
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            node.id = node.id.removesuffix(_STAND_IN)
    return tree
