"""The elements on the sites of a crystal."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from surrogates.features.elements import atomic_numbers, scaled_properties

_NEIGHBOURS = 6
_REACH = 8.0  # Å: every site of a solid has six neighbours within


def site_features(structures: Sequence[Structure]) -> NDArray[np.float64]:
    """Return the elements' properties on the loosest site, on the tightest, and their mean over the others, n x 3p.

    How loose a site is, is the mean distance of its six nearest neighbours: in ABX3 perovskites A is the loosest and B
    the tightest.
    """
    return np.array([_by_site(structure) for structure in structures])


def _by_site(structure: Structure) -> NDArray[np.float64]:
    values = scaled_properties()[atomic_numbers(structure)]
    ranked = values[np.argsort(_distances(structure))]
    return np.concatenate([ranked[-1], ranked[0], ranked[1:-1].mean(axis=0) if len(ranked) > 2 else ranked[0]])


def _distances(structure: Structure) -> NDArray[np.float64]:
    """Return the mean distance of the six nearest neighbours of each site, n, in Å."""
    near = structure.get_all_neighbors(_REACH)
    return np.array([np.sort([other.nn_distance for other in others])[:_NEIGHBOURS].mean() for others in near])
