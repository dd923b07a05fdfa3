"""From the rows of models back to parameters: the inverse of ``Encoder``, for spaces without a pool."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.values import Candidate, Scalar
from loop.sampling.rounding import tidied
from surrogates.models.encoder import Encoder, level_features


@dataclass(frozen=True)
class RowDecoder:
    """Gives the parameters of rows."""

    encoder: Encoder

    @cached_property
    def columns(self) -> dict[str, range]:
        """Parameter to its columns."""
        found, start = {}, 0
        for name, parameter in self.encoder.space.all_parameters.items():
            width = len(level_features(parameter)[0]) if isinstance(parameter, CategoricalConfig) else 1
            found[name] = range(start, start + width)
            start += width
        return found

    def number(self, name: str, rows: Tensor) -> Tensor:
        """Return the values of a numeric parameter, ..., of rows, ... x d, in its unit; they have a gradient.

        Raises:
            TypeError: the parameter is a categorical.
        """
        fraction = rows[..., self.columns[name].start]
        if name in self.encoder.scales:
            return fraction * self.encoder.scales[name]
        match self.encoder.space.all_parameters[name]:
            case FloatConfig(low=low, high=high, scale="log"):
                return (math.log(low) + fraction * (math.log(high) - math.log(low))).exp()
            case FloatConfig(low=low, high=high) | IntegerConfig(low=low, high=high):
                return low + fraction * (high - low)
            case OrdinalConfig(levels=levels):
                return levels[0] + fraction * (levels[-1] - levels[0])
        raise TypeError(f"{name} is no number")

    def candidate(self, row: Tensor) -> Candidate:
        """Return the candidate nearest to a row, d, that can be set; the row may break constraints of the space."""
        parameters = self.encoder.space.all_parameters
        found = {name: self._value(name, parameter, row) for name, parameter in parameters.items()}
        space = self.encoder.space
        return Candidate(space.present(tidied(space, found)))

    def _value(self, name: str, parameter: ParameterConfig, row: Tensor) -> Scalar:
        if isinstance(parameter, CategoricalConfig):
            away = torch.from_numpy(level_features(parameter)) - row[list(self.columns[name])]
            return parameter.levels[int(away.square().sum(dim=-1).argmin())]
        value = float(self.number(name, row))
        match parameter:
            case IntegerConfig(low=low, high=high):
                return int(min(max(round(value), low), high))
            case OrdinalConfig(levels=levels):
                return min(levels, key=lambda level: abs(level - value))
            case _:
                return value
