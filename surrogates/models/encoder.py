"""From candidates to the rows that models and objective see.

A row holds the parameters and, in a campaign with a pool, the place of the material in it. A number stands in the unit
cube, components of a mixture in one scale for all of them; a categorical has a column for each level, or for each of
its descriptors. What does not apply stands in the middle, so that only the parameter by which it does not apply tells.
What is known of a material (views, priors, computed metrics) is looked up by that place, so that rows stay small
however many features there are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, ParameterConfig
from campaigns.spaces.settings_table import Table
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, Scalar
from surrogates.models.distances import lifted

Vector = NDArray[np.float64]
_FLAT = 1e-9  # not tuned: spread of features that is rounding


@dataclass(frozen=True)
class MaterialTable:
    """What is known of each material before any experiment.

    Attributes:
        ids: n pool ids.
        views: name to n x e features, scaled so that two materials are one apart in the root mean square; a view that
            cannot tell materials apart is all zeros.
        numbers: name to n values, such as priors and computed metrics.
        formulas: n chemical formulas; empty where they are not known.
    """

    ids: tuple[str, ...]
    views: Mapping[str, NDArray[np.float64]]
    numbers: Mapping[str, Vector]
    formulas: Sequence[str] = ()

    @cached_property
    def double(self) -> dict[str, Tensor]:
        """The views as lifted points."""
        return {name: lifted(torch.from_numpy(view)) for name, view in self.views.items()}

    @cached_property
    def single(self) -> dict[str, Tensor]:
        """The views as lifted points, in single precision."""
        return {name: lifted(torch.from_numpy(view).float()) for name, view in self.views.items()}


@dataclass(frozen=True)
class Encoder:
    """The layout of a row and the way into it.

    Attributes:
        space: the parameters.
        materials: the pool; None in a campaign without one.
    """

    space: SpaceConfig
    materials: MaterialTable | None = None
    _index: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        ids = self.materials.ids if self.materials else ()
        object.__setattr__(self, "_index", {name: i for i, name in enumerate(ids)})

    @property
    def parameter_columns(self) -> int:
        """The number of columns that hold parameters."""
        return sum(map(_width, self.space.all_parameters.values()))

    @cached_property
    def levels(self) -> tuple[tuple[int, ...], ...]:
        """The columns of each categorical."""
        found, start = [], 0
        for parameter in self.space.all_parameters.values():
            width = _width(parameter)
            found += [tuple(range(start, start + width))] if isinstance(parameter, CategoricalConfig) else []
            start += width
        return tuple(found)

    @property
    def numeric(self) -> tuple[int, ...]:
        """The columns that hold numbers."""
        categorical = {column for columns in self.levels for column in columns}
        return tuple(column for column in range(self.parameter_columns) if column not in categorical)

    @cached_property
    def scales(self) -> dict[str, float]:
        """Component to the width of its mixture, from the smallest share to the largest."""
        spans = [(mixture, mixture.spans.values()) for mixture in self.space.mixtures.values()]
        widths = [(m, max(high for _, high in each) - min(low for low, _ in each)) for m, each in spans]
        return {name: width for mixture, width in widths for name in mixture.components}

    def place(self, material: str) -> int:
        """Return the place of a material in the pool.

        Raises:
            KeyError: there is no such material.
        """
        return self._index[material]

    def places(self, rows: Tensor) -> NDArray[np.int64]:
        """Return the places in the pool, ..., of rows, ... x d."""
        return rows[..., -1].detach().numpy().astype(np.int64)

    def number(self, name: str, rows: Tensor) -> Tensor:
        """Return a known number of the materials, ..., of rows, ... x d.

        Raises:
            KeyError: there is no such number, or no pool.
        """
        if self.materials is None:
            raise KeyError(name)
        return torch.from_numpy(self.materials.numbers[name][self.places(rows)])

    def formulas(self, rows: Tensor) -> tuple[str, ...]:
        """Return the chemical formulas of the materials of n rows, n x d; none where they are not known."""
        if self.materials is None or not self.materials.formulas:
            return ()
        return tuple(self.materials.formulas[place] for place in self.places(rows))

    def encode(self, candidates: Sequence[Candidate]) -> Tensor:
        """Return the rows, n x d in double precision, of n candidates."""
        rows = self._parameters([c.parameters for c in candidates])
        if self.materials is None:
            return rows
        places = [float(self._index[str(c.material)]) for c in candidates]
        return torch.cat([rows, torch.tensor(places, dtype=torch.float64).unsqueeze(-1)], dim=1)

    def encode_product(
        self, settings: Sequence[Mapping[str, Scalar]], places: Sequence[int] | NDArray[np.int64]
    ) -> Tensor:
        """Return the rows of all pairs of a material (by its place) and a setting, material by material.

        Args:
            settings: s points of the parameters, or a table of them; one empty point in a campaign without parameters.
            places: m places in the pool; ignored in a campaign without one.

        Returns:
            (m * s) x d; s x d without materials.
        """
        parameters = self._parameters(settings)
        if self.materials is None:
            return parameters
        column = torch.as_tensor(np.asarray(places), dtype=torch.float64).repeat_interleave(len(settings))
        return torch.cat([parameters.repeat(len(places), 1), column.unsqueeze(-1)], dim=1)

    def encode_columns(self, values: Mapping[str, Tensor], places: Tensor | None = None) -> Tensor:
        """Return the rows, n x d, of n settings that are given as columns; there is a gradient along every number.

        Args:
            values: parameter to n values: numbers in their unit, of a categorical the places of its levels, and
                anything where it does not apply.
            places: n places in the pool; None in a campaign without one.
        """
        codes = {name: column.detach().numpy() for name, column in values.items()}
        columns = [self._relaxed(name, values[name], codes) for name in self.space.all_parameters]
        return torch.cat([*columns, *([] if places is None else [places.unsqueeze(-1)])], dim=-1)

    def _relaxed(self, name: str, values: Tensor, codes: Mapping[str, Vector]) -> Tensor:
        """Return the columns of one parameter, n x c."""
        parameter = self.space.all_parameters[name]
        if isinstance(parameter, CategoricalConfig):
            features = torch.from_numpy(level_features(parameter))
            found, middle = features[values.detach().long()], features.mean(dim=0)
        else:
            found, middle = self._number(name, parameter, values).unsqueeze(-1), torch.tensor([0.5]).double()
        if not parameter.when:
            return found
        applies = torch.from_numpy(self.space.applies(name, codes)).unsqueeze(-1)
        return torch.where(applies, found, middle)

    def _number(self, name: str, parameter: ParameterConfig, values: Tensor) -> Tensor:
        """Return the column, n, of a number."""
        if name in self.scales:
            return values / self.scales[name]
        low, high = float(parameter.at(0.0)), float(parameter.at(1.0))
        if isinstance(parameter, FloatConfig) and parameter.scale == "log":
            return (values.log() - math.log(low)) / (math.log(high) - math.log(low))
        return (values - low) / (high - low)

    def _parameters(self, settings: Sequence[Mapping[str, Scalar]]) -> Tensor:
        """Return the columns of the parameters, n x p."""
        table = Table.of(self.space.all_parameters, settings)
        columns = [self._columns(table, name) for name in table.parameters]
        return torch.from_numpy(np.concatenate([np.empty((len(table), 0)), *columns], axis=1))

    def _columns(self, table: Table, name: str) -> NDArray[np.float64]:
        """Return the columns of one parameter, n x c."""
        parameter = table.parameters[name]
        if not isinstance(parameter, CategoricalConfig):
            numbers = table.column(name) / self.scales[name] if name in self.scales else table.fractions(name)
            return np.nan_to_num(numbers, nan=0.5)[:, None]
        features = level_features(parameter)
        places = table.column(name)
        if not parameter.when:
            return features[places.astype(np.int64)]
        return np.vstack([features, features.mean(axis=0)])[np.nan_to_num(places, nan=len(features)).astype(np.int64)]


def _width(parameter: ParameterConfig) -> int:
    return level_features(parameter).shape[1] if isinstance(parameter, CategoricalConfig) else 1


def level_features(parameter: CategoricalConfig) -> NDArray[np.float64]:
    """Return what is known of each level, levels x c: its descriptors, or without any that it differs from all others.

    Descriptors are standardised, and scaled together so that two levels are on average as far apart (in the root mean
    square) as without descriptors.
    """
    if not parameter.descriptors:
        return np.eye(len(parameter.levels))
    values = np.array(list(parameter.descriptors.values())).T
    standard = (values - values.mean(axis=0)) / values.std(axis=0)
    count, width = standard.shape
    return standard * np.sqrt((count - 1) / (count * width))


def embedding_view(vectors: NDArray[np.float32], components: int = 40) -> NDArray[np.float64]:
    """Project embeddings, n x d, on their first principal components, n x min(components, d), not whitened.

    The result is scaled to a root-mean-square distance of one between two rows, and the sign of each component is fixed
    by its largest loading, so that it is the same on every machine.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, loadings = np.linalg.eigh(centred.T @ centred)
    loadings = loadings[:, ::-1][:, :components]
    signs = np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(loadings.shape[1])])
    projected = centred @ (loadings * signs)
    spread = float(np.sqrt(2.0 * projected.var(axis=0).sum()))
    return projected / spread if spread > _FLAT else np.zeros_like(projected)


def feature_view(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    """Bring features of different kinds, n x d, to one scale each, and project them as ``embedding_view`` does."""
    values = vectors.astype(np.float64)
    spread = values.std(axis=0)
    varying = spread > _FLAT * np.maximum(np.abs(values).max(axis=0), 1.0)
    if not varying.any():
        return np.zeros((len(values), 1))
    kept = (values[:, varying] - values[:, varying].mean(axis=0)) / spread[varying]
    return embedding_view(kept.astype(np.float32))
