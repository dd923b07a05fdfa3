"""Composition as features: statistics of the elements' properties, blind to structure.

The statistics are those of Ward et al., npj Comput. Mater. 2, 16028 (2016), on a smaller set of properties.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from surrogates.features import elements
from surrogates.features.elements import PROPERTIES, Table, atomic_numbers, code_version, scaled_properties
from surrogates.features.embeddings import Embeddings

STATISTICS = ("mean", "mean deviation", "least", "greatest", "range")

COLUMNS = (*(f"{of} {name}" for of in STATISTICS for name in PROPERTIES), "number of elements", "norm of fractions")
"""What each column of the vectors holds."""


@dataclass(frozen=True, slots=True)
class CompositionFeatures:
    """Describe a crystal by what it is made of."""

    @property
    def name(self) -> str:
        """Return the name under which results are cached."""
        return "composition"

    @property
    def version(self) -> str:
        """Return what changes with the code and with the table of elements."""
        return f"pymatgen-{version('pymatgen-core')}-{code_version(__file__, elements.__file__)}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[None]:
        """Return the statistics, n x d, in standard deviations of the property over the elements.

        The mean deviation is ``sum of f |p - mean|``, with f the atomic fractions; the norm is ``sqrt(sum of f^2)``.

        Raises:
            ModelError: a structure holds something that is no known element.
        """
        return Embeddings(None, statistics([atomic_numbers(structure) for structure in structures]))


def statistics(cells: Sequence[NDArray[np.int64]]) -> NDArray[np.float32]:
    """Return the statistics, n x d, of n cells, each given by the atomic numbers of its sites."""
    parts = [np.unique(cell, return_counts=True) for cell in cells]
    numbers, fractions = _padded(parts)
    values = scaled_properties()[numbers]  # n x k x p
    present = (fractions > 0)[:, :, None]
    mean = (fractions[:, :, None] * values).sum(axis=1)
    deviation = (fractions[:, :, None] * np.abs(values - mean[:, None])).sum(axis=1)
    least = np.where(present, values, np.inf).min(axis=1)
    greatest = np.where(present, values, -np.inf).max(axis=1)
    whole = [[len(counts), np.sqrt(np.sum((counts / counts.sum()) ** 2))] for _, counts in parts]
    return np.hstack([mean, deviation, least, greatest, greatest - least, whole]).astype(np.float32)


def _padded(parts: Sequence[tuple[NDArray[np.int64], NDArray[np.int64]]]) -> tuple[NDArray[np.int64], Table]:
    """Return atomic numbers and fractions of the distinct elements, both n x k, padded by zeros."""
    most = max(len(numbers) for numbers, _ in parts)
    numbers, fractions = np.zeros((len(parts), most), np.int64), np.zeros((len(parts), most))
    for row, (found, counts) in enumerate(parts):
        numbers[row, : len(found)] = found
        fractions[row, : len(found)] = counts / counts.sum()
    return numbers, fractions
