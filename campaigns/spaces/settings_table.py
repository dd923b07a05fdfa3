"""Many settings at once, as a matrix."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, IntegerConfig, ParameterConfig
from campaigns.values import Scalar

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Table(Sequence[dict[str, Scalar]]):
    """Settings in rows: each row is read as a mapping, and all of them as columns.

    Attributes:
        parameters: p parameters by name.
        values: n x p; of a categorical parameter the place of the level, and NaN where a parameter does not apply.
    """

    parameters: Mapping[str, ParameterConfig]
    values: Vector

    @classmethod
    def of(cls, parameters: Mapping[str, ParameterConfig], settings: Sequence[Mapping[str, Scalar]]) -> Table:
        """Return settings as a table; a table is returned as it is."""
        if isinstance(settings, Table):
            return settings
        values = np.empty((len(settings), len(parameters)))
        for column, (name, parameter) in enumerate(parameters.items()):
            values[:, column] = _numbers(parameter, [row.get(name) for row in settings])
        return cls(parameters, values)

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, place: int) -> dict[str, Scalar]: ...
    @overload
    def __getitem__(self, place: slice) -> Table: ...
    def __getitem__(self, place: int | slice) -> dict[str, Scalar] | Table:
        if isinstance(place, slice):
            return Table(self.parameters, self.values[place])
        pairs = zip(self.parameters.items(), self.values[place].tolist(), strict=True)
        return {name: _scalar(parameter, value) for (name, parameter), value in pairs if value == value}

    def __iter__(self) -> Iterator[dict[str, Scalar]]:
        return (self[place] for place in range(len(self)))

    def take(self, places: Any) -> Table:
        """Return some of the rows: by their places, or where a mask of n is true."""
        return Table(self.parameters, self.values[places])

    def column(self, name: str) -> Vector:
        """Return the n values of a parameter."""
        return self.values[:, list(self.parameters).index(name)]

    def fractions(self, name: str) -> Vector:
        """Return where the n values of a number lie in its range, 0..1 on its scale; NaN where it does not apply."""
        parameter, values = self.parameters[name], self.column(name)
        low, high = float(parameter.at(0.0)), float(parameter.at(1.0))
        if isinstance(parameter, FloatConfig) and parameter.scale == "log":
            low, high, values = math.log(low), math.log(high), np.log(values)
        return (values - low) / (high - low)

    def place(self, setting: Mapping[str, Scalar]) -> int | None:
        """Return where a setting stands, or None."""
        row = Table.of(self.parameters, [setting]).values + 0.0
        return self._places.get(row.tobytes())

    def near(self, setting: Mapping[str, Scalar], reach: Mapping[str, float]) -> int | None:
        """Return where the one setting stands that another is, but for rounding; None where there is none, or several.

        Args:
            setting: levels as they are, numbers as somebody wrote them.
            reach: number to how far off it may be.
        """
        wanted = Table.of(self.parameters, [setting]).values
        most = np.array([reach.get(name, 0.0) for name in self.parameters]) * (1 + 1e-9)
        places = np.flatnonzero(np.isclose(self.values, wanted, rtol=1e-12, atol=most, equal_nan=True).all(axis=1))
        return int(places[0]) if len(places) == 1 else None

    @cached_property
    def _places(self) -> dict[bytes, int]:
        rows = np.ascontiguousarray(self.values + 0.0)  # no negative zeros
        return {row.tobytes(): place for place, row in enumerate(rows)}


def _numbers(parameter: ParameterConfig, values: Sequence[Scalar | None]) -> Vector:
    if isinstance(parameter, CategoricalConfig):
        places = {level: float(i) for i, level in enumerate(parameter.levels)}
        return np.array([np.nan if v is None else places[str(v)] for v in values])
    return np.array([np.nan if v is None else float(v) for v in values])


def _scalar(parameter: ParameterConfig, value: float) -> Scalar:
    match parameter:
        case CategoricalConfig(levels=levels):
            return levels[int(value)]
        case IntegerConfig():
            return int(value)
        case _:
            return value
