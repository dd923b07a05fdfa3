"""The base of all sections of the campaign file: frozen, unknown keys refused, quantities converted."""

from __future__ import annotations

import keyword
import math
import re
import textwrap
from collections.abc import Callable, Mapping
from functools import cache
from itertools import pairwise
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    Strict,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

from campaigns.constraints import linear_sum
from campaigns.expressions import NAMES_OF_LABS
from campaigns.units import QUANTITY, check_unit, split_quantity, to_unit


class Config(BaseModel):
    """Base of all sections of a campaign file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the JSON schema, in which the text below each attribute describes it.

        Pydantic's own ``use_attribute_docstrings`` reads the sources whenever a campaign file is read, which takes a
        fifth of the time that ``validate`` has.
        """
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in _described(cls).items():
            if name in properties:
                rest = dict(properties[name])
                last = {"title": rest.pop("title")} if "title" in rest else {}
                properties[name] = {**rest, "description": text, **last}
        return schema


@cache
def schema_of(config: type[Config]) -> Mapping[str, Any]:
    """Return the JSON schema of a section, made once: that takes about as long as all else that ``validate`` does."""
    return config.model_json_schema()


def _described(config: type) -> dict[str, str]:
    """Return attribute to the text below it, of a class and its bases."""
    import ast
    import inspect

    found: dict[str, str] = {}
    for one in reversed([c for c in config.__mro__ if issubclass(c, Config)]):
        (node,) = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        body = node.body if isinstance(node, ast.ClassDef) else []
        for line, below in pairwise(body):
            match line, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                    found[name] = inspect.cleandoc(text)
    return found


def _number_or_text(value: Any) -> float | str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"got {value!r}; allowed: a number, or text with a unit")  # noqa: TRY004 - pydantic reports it
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"got {value}; allowed: a finite number")
    return value


def _in_own_unit(value: Any, info: ValidationInfo) -> float:
    value = _number_or_text(value)
    if not isinstance(value, str):
        return float(value) + 0.0  # no negative zero
    unit = info.data.get("unit")
    # A unit that was itself refused is missing here: its own error says enough.
    return split_quantity(value)[0] if unit is None else to_unit(value, unit)


def _is_quantity(value: Any) -> float | str:
    value = _number_or_text(value)
    if isinstance(value, str):
        check_unit(split_quantity(value)[1])
    return value


def _no_keyword(name: str) -> str:
    if keyword.iskeyword(name) and name not in NAMES_OF_LABS:
        raise ValueError(f"got {name!r}, a keyword of Python, which no expression can use; allowed: another name")
    return name


def _unit_text(value: Any) -> Any:
    return "1" if type(value) is int and value == 1 else value


def converted_to(unit: str) -> Callable[[Any], float]:
    """Return a validator that converts a quantity to ``unit``."""
    return lambda value: to_unit(_number_or_text(value), unit)


def _sum_in(unit: str) -> Callable[[Any], float | str]:
    def check(value: Any) -> float | str:
        value = _number_or_text(value)
        try:
            return to_unit(value, unit)
        except ValueError:
            if not isinstance(value, str) or re.fullmatch(r"\s*[\d.]+\s*[^-+*\d\s.][^-+*]*", value):
                raise  # a number with a unit, and no sum
        try:
            return linear_sum(value).text
        except ValueError as error:
            raise ValueError(f"{error}; or a number, or text in {unit}") from error

    return check


def _quantity_schema(unit: str) -> WithJsonSchema:
    text = {"type": "string", "pattern": r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?.*$"}
    return WithJsonSchema({"anyOf": [{"type": "number"}, text], "x-unit": unit})


def own_difference_schema() -> WithJsonSchema:
    """Return the JSON schema of a difference in the unit that stands beside it."""
    return _quantity_schema("its own unit")


Number = Annotated[float, Strict()]
"""A number; text and true/false are refused."""

Count = Annotated[int, Strict()]
"""A whole number; text and true/false are refused."""

Unit = Annotated[str, BeforeValidator(_unit_text), AfterValidator(check_unit)]
"""A pint unit, such as degC, h, mAh/g or 1."""

OwnQuantity = Annotated[float, BeforeValidator(_in_own_unit), _quantity_schema("its own unit")]
"""A number in the unit that stands beside it (declared before it), or text with a unit of its own."""


def _range(value: Any) -> Any:
    """Return the two ends that text such as ``[0, 400] mAh/g`` or ``0 to 400 mAh/g`` says."""
    if isinstance(value, list | tuple) and len(value) == 2:
        return value
    text = str(value)
    bracketed = re.fullmatch(r"\s*[\[(]([^,;]*)[,;]([^,;]*)[\])](.*)", text)
    match = bracketed or re.fullmatch(r"(.*?)(?:\s+to\s+|\.\.)(.*?)()", text)
    ends = [] if match is None else [re.fullmatch(QUANTITY, end) for end in match.groups()[:2]]
    if match is None or not all(ends):
        raise ValueError(f"got {value!r}; allowed: two numbers, such as [0, 400], '[0, 400] mAh/g' or '0 to 400 mAh/g'")
    (low, own), (high, last) = (end.groups() for end in ends if end is not None)
    unit = match[3].strip() or last
    return [f"{low} {own or unit}".strip(), f"{high} {last or unit}".strip()]


OwnRange = Annotated[
    tuple[OwnQuantity, OwnQuantity],
    BeforeValidator(_range),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 2, "maxItems": 2},
                {"type": "string"},
            ],
            "x-unit": "its own unit, from and to",
        }
    ),
]
"""Two quantities, from and to: ``[0, 400]``, ``[0 mAh/g, 0.4 Ah/g]``, or text such as ``0 to 400 mAh/g``."""

Quantity = Annotated[float | str, BeforeValidator(_is_quantity), _quantity_schema("the metric's unit")]
"""A number, or text with a unit; the unit of a bare number is that of a metric, checked later."""

StockAmount = Annotated[float | str, BeforeValidator(_is_quantity), _quantity_schema("its own unit")]
"""An amount of something that is counted: a number of pieces, or text with a unit."""

Constant = Annotated[float | str, BeforeValidator(_number_or_text)]
"""A number, or any text."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), AfterValidator(_no_keyword)]
"""A name that an expression can use."""

STRATEGY_PATTERN = r"^(ax|[A-Za-z_][\w.]*:[A-Za-z_]\w*)$"
"""Of a generation strategy: Ax's own, or the dotted path of one."""
DottedPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A Python object, written package.module:name."""

Seconds = Annotated[float, BeforeValidator(converted_to("s")), Field(gt=0), _quantity_schema("s")]
"""A duration in seconds, or text such as 3 min."""

DollarsOrSum = Annotated[float | str, BeforeValidator(_sum_in("USD")), _quantity_schema("USD")]
"""A cost in USD, text such as 40 USD, or a sum of parameters in USD such as 2 + 0.5 * time."""

MilligramsOrSum = Annotated[float | str, BeforeValidator(_sum_in("mg")), _quantity_schema("mg")]
"""A mass in mg, text such as 0.5 g, or a sum of parameters in mg such as 2 + 0.5 * dose."""

SecondsOrSum = Annotated[float | str, BeforeValidator(_sum_in("s")), _quantity_schema("s")]
"""A duration in seconds, text such as 3 min, or a sum of parameters in seconds such as 600 + 3600 * time."""

Dollars = Annotated[float, BeforeValidator(converted_to("USD")), Field(ge=0), _quantity_schema("USD")]
"""A cost in USD, or text such as 40 USD."""
