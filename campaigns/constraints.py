"""Constraints on parameters: linear ones, and those of arithmetic and a few functions.

Each is a comparison of two expressions, read without ever running the text as Python. They are evaluated on numbers or
on arrays, each parameter in its own unit.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from campaigns.expressions import parsed

_TOLERANCE = 1e-9
_UNARY = ("exp", "log", "sqrt", "abs")
_MANY = ("min", "max")
_ALLOWED = (
    f"one comparison by <=, >= (or ==, where both sides are linear) of numbers and parameters joined by +, -, *, / and "
    f"**, with {', '.join(_UNARY)}, {' and '.join(_MANY)}"
)


class NotLinearError(ValueError):
    """An expression is no sum of 'number * parameter'."""


@dataclass(frozen=True, slots=True)
class LinearConstraint:
    """``sum(coefficients[name] * value[name]) <= bound``, or ``==``, each parameter in its own unit."""

    text: str
    coefficients: Mapping[str, float]
    bound: float
    equal: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it constrains."""
        return tuple(self.coefficients)

    def slack(self, values: Mapping[str, Any]) -> Any:
        """Return how far the constraint is from being broken: not negative where it holds."""
        slack = self.bound - sum(c * values[name] for name, c in self.coefficients.items())
        return -abs(slack) if self.equal else slack

    def keeps(self, values: Mapping[str, Any]) -> Any:
        """Return whether the constraint holds, within rounding."""
        return self.slack(values) >= -_TOLERANCE * max(1.0, abs(self.bound))


@dataclass(frozen=True, slots=True)
class NonlinearConstraint:
    """``left <= right`` with arithmetic and a few functions; broken where a side is no finite number."""

    text: str
    left: ast.expr
    right: ast.expr
    names: tuple[str, ...]
    """The parameters that it constrains."""

    def slack(self, values: Mapping[str, Any]) -> Any:
        """Return how far the constraint is from being broken; minus infinity where it has no finite value."""
        numbers = {name: np.asarray(values[name], dtype=float) for name in self.names}
        with np.errstate(all="ignore"):
            slack = np.asarray(_value(self.right, numbers) - _value(self.left, numbers))
        return np.where(np.isfinite(slack), slack, -np.inf)

    def keeps(self, values: Mapping[str, Any]) -> Any:
        """Return whether the constraint holds, within rounding."""
        return self.slack(values) >= -_TOLERANCE


Constraint = LinearConstraint | NonlinearConstraint


def constraint(text: str) -> Constraint:
    """Parse text such as ``"temperature * time <= 5e4"`` or ``"a + 2 * b == 1"``.

    Raises:
        ValueError: the text is no such comparison, or constrains nothing.
    """
    try:
        return linear_constraint(text)
    except NotLinearError:
        left, right, equal = _sides(text)
    if equal:
        raise ValueError(f"got {text!r}, an equality that is not linear; allowed: <= and >=, or == of linear sides")
    found = NonlinearConstraint(text, left, right, tuple(dict.fromkeys([*_names(left), *_names(right)])))
    if not found.names:
        raise ValueError(f"got {text!r}, which constrains nothing; allowed: a comparison that names a parameter")
    try:
        found.slack(dict.fromkeys(found.names, 1.0))
    except (RecursionError, OverflowError) as error:
        raise ValueError(f"got {text!r}, which cannot be evaluated: {error}") from error
    except _RefusedError as error:
        raise ValueError(f"got {text!r}, {error}; allowed: {_ALLOWED}") from error
    return found


def linear_constraint(text: str) -> LinearConstraint:
    """Parse text such as ``"2 * temperature + time <= 900"``.

    Raises:
        NotLinearError: the text is not linear.
        ValueError: the text is not a single comparison by <=, >= or ==, or constrains nothing.
    """
    left, right, equal = _sides(text)
    terms: dict[str, float] = {}
    for side, factor in ((left, 1.0), (right, -1.0)):
        for name, coefficient in _linear(side, text).items():
            terms[name] = terms.get(name, 0.0) + factor * coefficient
    bound = -terms.pop("", 0.0)
    if not any(terms.values()):
        raise ValueError(f"got {text!r}, which constrains nothing; allowed: a comparison that names a parameter")
    return LinearConstraint(text, terms, bound, equal)


def _sides(text: str) -> tuple[ast.expr, ast.expr, bool]:
    """Return the smaller side, the larger side, and whether they must be equal."""
    match parsed(text):
        case ast.Compare(left=left, ops=[ast.LtE()], comparators=[right]):
            return left, right, False
        case ast.Compare(left=left, ops=[ast.GtE()], comparators=[right]):
            return right, left, False
        case ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]):
            return left, right, True
    raise ValueError(f"got {text!r}; allowed: one comparison by <=, >= or ==, such as 'a + 2 * b <= 10'")


def _linear(node: ast.expr, text: str) -> dict[str, float]:
    """Return the coefficients of a linear expression; the constant stands under the empty name."""
    match node:
        case ast.Name(id=name):
            return {name: 1.0}
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
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
    raise NotLinearError(f"got {text!r}, which is not linear; allowed: sums of 'number * parameter'")


def _scaled(left: dict[str, float], right: dict[str, float], op: ast.operator, text: str) -> dict[str, float]:
    if set(left) <= {""} and isinstance(op, ast.Mult):
        left, right = right, left
    if not set(right) <= {""}:
        raise NotLinearError(f"got {text!r}, which multiplies two parameters; allowed: sums of 'number * parameter'")
    factor = right.get("", 0.0)
    if factor == 0.0 and isinstance(op, ast.Div):
        raise ValueError(f"got {text!r}, which divides by zero")
    return {name: c * factor if isinstance(op, ast.Mult) else c / factor for name, c in left.items()}


@dataclass(frozen=True, slots=True)
class LinearSum:
    """``constant + sum(coefficients[name] * value[name])``, each parameter in its own unit."""

    text: str
    coefficients: Mapping[str, float]
    constant: float

    def __call__(self, values: Mapping[str, Any]) -> float:
        """Return the sum for the values of parameters; others may be among them."""
        return self.constant + sum(c * float(values[name]) for name, c in self.coefficients.items())


@cache
def linear_sum(text: str) -> LinearSum:
    """Parse text such as ``"2 + 0.5 * time"``.

    Raises:
        ValueError: the text is not linear.
    """
    terms = _linear(parsed(text), text)
    return LinearSum(text, terms, terms.pop("", 0.0))


class _RefusedError(Exception):
    """A piece of an expression that is not allowed."""


def _names(node: ast.expr) -> list[str]:
    functions = {id(n.func) for n in ast.walk(node) if isinstance(n, ast.Call)}
    return [n.id for n in ast.walk(node) if isinstance(n, ast.Name) and id(n) not in functions]


def _value(node: ast.expr, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Name(id=name):
            return values[name]
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -_value(inner, values)
        case ast.BinOp(left=left, op=op, right=right):
            return _joined(_value(left, values), _value(right, values), op)
        case ast.Call(func=ast.Name(id=name), args=given, keywords=[]):
            return _called(name, [_value(one, values) for one in given])
    raise _RefusedError(f"where {ast.unparse(node)!r} is none of these")


def _joined(left: Any, right: Any, op: ast.operator) -> Any:
    match op:
        case ast.Add():
            return left + right
        case ast.Sub():
            return left - right
        case ast.Mult():
            return left * right
        case ast.Div():
            return np.true_divide(left, right)
        case ast.Pow():
            return np.float_power(left, right)
    raise _RefusedError(f"where {type(op).__name__} is none of these")


def _called(name: str, given: list[Any]) -> Any:
    if name in _UNARY and len(given) == 1:
        return getattr(np, name)(given[0])
    if name in _MANY and len(given) > 1:
        return getattr(np, name)(np.broadcast_arrays(*given), axis=0)
    raise _RefusedError(f"where {name}() with {len(given)} arguments is none of these")
