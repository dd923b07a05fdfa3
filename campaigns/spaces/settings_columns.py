"""Settings in the columns of a table, in the units of the campaign, and what cannot be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from campaigns.errors import TableError, suggestion
from campaigns.spaces.mixtures import MixtureConfig
from campaigns.spaces.parameters import (
    CategoricalConfig,
    IntegerConfig,
    OrdinalConfig,
    ParameterConfig,
    allowed_values,
    unit_after,
)
from campaigns.tables.files import Line
from campaigns.tables.sheet import Sheet
from campaigns.tables.unused_rows import Remark
from campaigns.values import Scalar

if TYPE_CHECKING:
    from campaigns.spaces.space import SpaceConfig

_SAME = 1e-9
"""Relative difference below which a converted number is the level, or the bound, that is meant."""


@dataclass
class Settings:
    """The settings of n rows.

    Attributes:
        values: parameter to its n values; None where there is none.
        steps: number to what one more in the last digit that is written would add, n.
        wrong: row and parameter to what is wrong there.
    """

    rows: Sequence[Line]
    values: dict[str, list[Scalar | None]] = field(default_factory=dict)
    steps: dict[str, list[float]] = field(default_factory=dict)
    wrong: dict[tuple[int, str], Remark] = field(default_factory=dict)

    def setting(self, place: int) -> dict[str, Scalar]:
        """Return what is known of a row."""
        return {name: v for name, each in self.values.items() if (v := each[place]) is not None}


def read_settings(sheet: Sheet, space: SpaceConfig) -> Settings:
    """Return the settings in a table that has a column for each parameter.

    Shares of a mixture that miss its total by no more than the rounding of what is written are scaled to it.

    Raises:
        UnitError: the unit of a column is of another dimension.
    """
    found = Settings(sheet.rows)
    for name, parameter in space.all_parameters.items():
        if not isinstance(parameter, CategoricalConfig):
            sheet.check_unit(name, parameter.unit)
        _read_column(found, sheet, name, parameter)
    for mixture in space.mixtures.values():
        _round(found, mixture)
    return found


def broken_mixture(name: str, mixture: MixtureConfig, values: Mapping[str, Scalar]) -> str | None:
    """Return what is wrong with the shares of a mixture, and by how much, or None."""
    shares = {component: float(values[component]) for component in mixture.components}
    if mixture.allows(shares):
        return None
    unit = unit_after(mixture.unit)
    whole, there = sum(shares.values()), [component for component, share in shares.items() if share]
    if abs(whole - mixture.total) > _SAME * mixture.total:
        how = f"{abs(whole - mixture.total):.4g}{unit} {'more' if whole > mixture.total else 'less'} than"
        return f"the components of {name} add up to {whole:.6g}{unit}, {how} the total of {mixture.total:g}{unit}"
    if mixture.at_most is not None and len(there) > mixture.at_most:
        return f"{len(there)} components of {name} are there; allowed: at most {mixture.at_most}"
    outside = next(n for n, (low, high) in mixture.spans.items() if not low <= shares[n] <= high)
    low, high = mixture.spans[outside]
    return f"{outside} is {shares[outside]:g}{unit}; allowed: {low:g} to {high:g}{unit}"


def _read_column(found: Settings, sheet: Sheet, name: str, parameter: ParameterConfig) -> None:
    values: list[Scalar | None] = []
    steps = []
    for place, row in enumerate(sheet.rows):
        value: Scalar | None = None
        step = 0.0
        try:
            value, step = _value(sheet, row, name, parameter)
        except TableError as error:
            found.wrong[place, name] = Remark(row.number, f"{name} {error}", sheet.text(row, name))
        values.append(value)
        steps.append(step)
    found.values[name], found.steps[name] = values, steps


def _value(sheet: Sheet, row: Line, name: str, parameter: ParameterConfig) -> tuple[Scalar | None, float]:
    """Return a value and the step of its last digit.

    Raises:
        TableError: the parameter can have no such value.
    """
    if isinstance(parameter, CategoricalConfig):
        return _level(parameter, sheet.text(row, name)), 0.0
    number = sheet.number(row, name, parameter.unit)
    if number is None:
        return None, 0.0
    value = _snapped(parameter, number.value)
    if isinstance(parameter, IntegerConfig) and not isinstance(value, int):
        raise TableError("is no whole number")
    if not parameter.contains(value):
        raise TableError(f"lies outside of the space; {allowed_values(parameter)}")
    return value, number.step


def _level(parameter: CategoricalConfig, text: str) -> str | None:
    if text in parameter.levels:
        return text
    alike = [level for level in parameter.levels if level.strip().casefold() == text.casefold()]
    if len(alike) == 1:
        return alike[0]
    if not text:
        return None
    raise TableError(f"is no level{suggestion(text, parameter.levels)}; {allowed_values(parameter)}")


def _snapped(parameter: ParameterConfig, value: float) -> Scalar:
    """Return a number as the parameter has it: whole, or the level or bound that it differs from by arithmetic only."""
    marks = parameter.levels if isinstance(parameter, OrdinalConfig) else (parameter.at(0.0), parameter.at(1.0))
    near = [float(mark) for mark in marks if abs(float(mark) - value) <= _SAME * max(abs(value), abs(float(mark)))]
    value = near[0] if near else value
    whole = isinstance(parameter, IntegerConfig) and value == round(value)
    return int(value) if whole else value


def _round(found: Settings, mixture: MixtureConfig) -> None:
    """Scale shares that add up to the total but for rounding."""
    names = list(mixture.components)
    for place in range(len(found.rows)):
        shares = {name: float(v) for name in names if (v := found.values[name][place]) is not None}
        if len(shares) < len(names):
            continue
        rounded = mixture.rounded(shares, {name: found.steps[name][place] for name in names})
        for name, share in (rounded or {}).items():
            found.values[name][place] = share
