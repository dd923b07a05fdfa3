"""What all types of the campaign file share: frozen, unknown keys refused, quantities converted where they stand."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema

from campaigns.errors import UnitError
from campaigns.units import check_unit, to_unit


class Config(BaseModel):
    """Base of everything that stands in a campaign file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True)


def _in_own_unit(value: Any, info: ValidationInfo) -> Any:
    unit = info.data.get("unit")
    if unit is None or not isinstance(value, str):
        return value
    return to_unit(value, unit)


def _is_quantity(value: float | str) -> float | str:
    if isinstance(value, str):
        number, _, unit = value.strip().partition(" ")
        try:
            float(number)
        except ValueError:
            raise UnitError(
                f"got {value!r}, which is no quantity; allowed: a number or text such as '3.5 eV'"
            ) from None
        check_unit(unit or "1")
    return value


_NUMBER_OR_TEXT = WithJsonSchema(
    {"anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^\s*[-+0-9.eE]+(\s+\S.*)?$"}]}
)

Unit = Annotated[str, AfterValidator(check_unit)]
"""A pint unit, such as degC, h, mAh/g or 1."""

OwnQuantity = Annotated[float, BeforeValidator(_in_own_unit), _NUMBER_OR_TEXT]
"""A number in the unit that stands beside it (declared before it), or text with a unit of its own."""

Quantity = Annotated[float | str, AfterValidator(_is_quantity), _NUMBER_OR_TEXT]
"""A number, or text with a unit; what unit is meant is known only to the whole campaign."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
"""A name that can stand in an expression."""

DottedPath = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$")]
"""A Python object, written package.module:name."""


def converted_to(unit: str) -> BeforeValidator:
    """Return a validator that converts a quantity to ``unit``."""
    return BeforeValidator(lambda value: to_unit(value, unit) if isinstance(value, str) else value)


Seconds = Annotated[float, converted_to("s"), Field(gt=0), _NUMBER_OR_TEXT]
"""A duration in seconds, or text such as 3 min."""

Dollars = Annotated[float, converted_to("USD"), Field(ge=0), _NUMBER_OR_TEXT]
"""A cost in USD, or text such as 40 USD."""
