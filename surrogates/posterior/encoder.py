"""From candidates to the rows that models and objective see.

A row holds, in this order: the parameters (unit cube, one column per level of a categorical), the material's embedding,
and the material's known numbers (priors and computed metrics), so that everything is a pure function of the row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from campaigns.space import CategoricalConfig, SpaceConfig
from campaigns.values import Candidate, Scalar

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class MaterialTable:
    """What is known of each material before any experiment.

    Attributes:
        ids: n pool ids.
        embedding: n x e, scaled so that two materials are one apart on average.
        numbers: name to n values, such as priors and computed metrics.
    """

    ids: tuple[str, ...]
    embedding: NDArray[np.float64]
    numbers: Mapping[str, Vector]


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
        return sum(len(p.levels) if isinstance(p, CategoricalConfig) else 1 for p in self.space.parameters.values())

    @property
    def embedding_columns(self) -> int:
        """The number of columns that hold the embedding; 0 without a pool."""
        return self.materials.embedding.shape[1] if self.materials else 0

    def column(self, number: str) -> int:
        """Return the column of a known number of the material.

        Raises:
            ValueError: there is no such number.
        """
        names = list(self.materials.numbers) if self.materials else []
        return self.parameter_columns + self.embedding_columns + names.index(number)

    def encode(self, candidates: Sequence[Candidate]) -> Tensor:
        """Return the rows, n x d in double precision, of n candidates."""
        parameters = np.array([self._parameters(c.parameters) for c in candidates])
        if self.materials is None:
            return torch.from_numpy(parameters)
        rows = [self._index[str(c.material)] for c in candidates]
        numbers = [self.materials.numbers[name][rows] for name in self.materials.numbers]
        return torch.from_numpy(np.column_stack([parameters, self.materials.embedding[rows], *numbers]))

    def encode_product(self, settings: Sequence[Mapping[str, Scalar]], materials: Sequence[int]) -> Tensor:
        """Return the rows of all pairs of a material (by its place in the table) and a setting, material by material.

        Args:
            settings: s points of the parameters.
            materials: m places in the table; ignored in a campaign without materials.

        Returns:
            (m * s) x d; s x d without materials.
        """
        parameters = np.array([self._parameters(values) for values in settings])
        if self.materials is None:
            return torch.from_numpy(parameters)
        known = np.column_stack([self.materials.embedding, *self.materials.numbers.values()])[list(materials)]
        pairs = [np.tile(parameters, (len(known), 1)), np.repeat(known, len(parameters), axis=0)]
        return torch.from_numpy(np.hstack(pairs))

    def _parameters(self, values: Mapping[str, Scalar]) -> list[float]:
        row: list[float] = []
        for name, parameter in self.space.parameters.items():
            if isinstance(parameter, CategoricalConfig):
                row += [float(values[name] == level) for level in parameter.levels]
            else:
                row.append(parameter.fraction(values[name]))
        return row


def principal_components(vectors: NDArray[np.float32], components: int = 40) -> NDArray[np.float64]:
    """Project embeddings, n x d, on their first principal components, n x min(components, n, d), not whitened.

    The result is scaled to a root-mean-square distance of one between two rows, and the sign of each component is fixed
    by its largest loading, so that it is the same on every machine.
    """
    centred = vectors.astype(np.float64) - vectors.mean(axis=0, dtype=np.float64)
    _, _, loadings = np.linalg.svd(centred, full_matrices=False)
    loadings = loadings[: min(components, len(centred))]
    signs = np.sign(loadings[np.arange(len(loadings)), np.abs(loadings).argmax(axis=1)])
    projected = centred @ (loadings * signs[:, None]).T
    spread = float(np.sqrt(2.0 * projected.var(axis=0).sum()))
    return projected / spread if spread > 0 else projected
