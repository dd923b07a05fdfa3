"""The small languages of the campaign file: products of metrics, and linear sums and constraints of parameters."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_PRODUCTS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


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
        return tuple(dict.fromkeys(n.id for n in ast.walk(_parse(self.text)) if isinstance(n, ast.Name)))

    def __call__(self, values: Mapping[str, Any]) -> Any:
        """Evaluate on numbers, arrays, tensors or pint quantities."""
        return self._value(_parse(self.text), values)

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


@dataclass(frozen=True, slots=True)
class LinearConstraint:
    """``sum(coefficients[name] * value[name]) <= bound``, each parameter in its own unit."""

    text: str
    coefficients: Mapping[str, float]
    bound: float

    def slack(self, values: Mapping[str, Any]) -> Any:
        """Return how far the constraint is from being broken: not negative where it holds."""
        return self.bound - sum(c * values[name] for name, c in self.coefficients.items())


@dataclass(frozen=True, slots=True)
class LinearSum:
    """``constant + sum(coefficients[name] * value[name])``, each parameter in its own unit."""

    text: str
    coefficients: Mapping[str, float]
    constant: float

    def __call__(self, values: Mapping[str, Any]) -> float:
        """Return the sum for the values of parameters; others may be among them."""
        return self.constant + sum(c * float(values[name]) for name, c in self.coefficients.items())


def linear_sum(text: str) -> LinearSum:
    """Parse text such as ``"2 + 0.5 * time"``.

    Raises:
        ValueError: the text is not linear.
    """
    terms = _linear(_parse(text), text)
    constant = terms.pop("", 0.0)
    return LinearSum(text, terms, constant)


def linear_constraint(text: str) -> LinearConstraint:
    """Parse text such as ``"2 * temperature + time <= 900"``.

    Raises:
        ValueError: the text is not linear, or not a single comparison by <= or >=.
    """
    node = _parse(text)
    match node:
        case ast.Compare(left=left, ops=[ast.LtE()], comparators=[right]):
            sign = 1.0
        case ast.Compare(left=left, ops=[ast.GtE()], comparators=[right]):
            sign = -1.0
        case _:
            raise ValueError(f"got {text!r}; allowed: one comparison by <= or >=, such as 'a + 2 * b <= 10'")
    terms: dict[str, float] = {}
    for side, factor in ((left, sign), (right, -sign)):
        for name, coefficient in _linear(side, text).items():
            terms[name] = terms.get(name, 0.0) + factor * coefficient
    bound = -terms.pop("", 0.0)
    if not any(terms.values()):
        raise ValueError(f"got {text!r}, which constrains nothing; allowed: a comparison that names a parameter")
    return LinearConstraint(text, terms, bound)


def _linear(node: ast.expr, text: str) -> dict[str, float]:
    """Return the coefficients of a linear expression; the constant stands under the empty name."""
    match node:
        case ast.Name(id=name):
            return {name: 1.0}
        case ast.Constant(value=int() | float() as number):
            return {"": float(number)}
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return {name: -c for name, c in _linear(inner, text).items()}
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as op, right=right):
            sign = 1.0 if isinstance(op, ast.Add) else -1.0
            total = _linear(left, text)
            for name, c in _linear(right, text).items():
                total[name] = total.get(name, 0.0) + sign * c
            return total
        case ast.BinOp(left=left, op=ast.Mult() | ast.Div() as op, right=right):
            return _scaled(_linear(left, text), _linear(right, text), op, text)
    raise ValueError(f"got {text!r}, which is not linear; allowed: sums of 'number * parameter'")


def _scaled(left: dict[str, float], right: dict[str, float], op: ast.operator, text: str) -> dict[str, float]:
    if set(left) <= {""} and isinstance(op, ast.Mult):
        left, right = right, left
    if not set(right) <= {""}:
        raise ValueError(f"got {text!r}, which multiplies two parameters; allowed: sums of 'number * parameter'")
    factor = right.get("", 0.0)
    if factor == 0.0 and isinstance(op, ast.Div):
        raise ValueError(f"got {text!r}, which divides by zero")
    return {name: c * factor if isinstance(op, ast.Mult) else c / factor for name, c in left.items()}


def _parse(text: str) -> ast.expr:
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"got {text!r}, which cannot be read: {error}") from error
