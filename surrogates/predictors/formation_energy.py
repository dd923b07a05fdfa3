"""Formation energies from the elements, by CHGNet: a number that needs no measurement."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Composition, Structure

from surrogates.equation_of_state import relax_volume
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.features.embeddings import embed
from surrogates.pools.pool import Pool, in_unit
from surrogates.pools.pool_embeddings import embed_pool
from surrogates.predictors.element_crystals import element_crystal

_EVALUATIONS = 8


@in_unit("eV/atom")
def chgnet_formation_energy(pool: Pool) -> NDArray[np.float64]:
    """Return CHGNet's energy of each entry's cell as it stands, less that of its elements, n, in eV/atom.

    The elements are crystals at the volume that CHGNet prefers (``element_crystals`` says which). The scale of a
    measured formation energy may differ, above all where it is taken against competing compounds: it ranks.

    Raises:
        ModelError: CHGNet cannot represent an entry, or knows no crystal of one of its elements.
    """
    model = ChgnetModel("0.3.0")
    references = np.array([reference_energy(Composition(formula), model) for formula in pool.formulas])
    return embed_pool(pool, model).energy - references


def reference_energy(composition: Composition, model: ChgnetModel) -> float:
    """Return the mean energy of a compound's elements, in eV/atom, weighted by their shares.

    Raises:
        ModelError: there is no crystal of one of them.
    """
    shares = {element.symbol: composition.get_atomic_fraction(element) for element in composition.elements}
    return float(sum(share * element_energy(symbol, model) for symbol, share in shares.items()))


@functools.cache
def element_energy(element: str, model: ChgnetModel) -> float:
    """Return the model's energy of an element's crystal at the volume that it prefers, in eV/atom.

    Raises:
        ModelError: there is no crystal of it.
    """

    def energy(cell: Structure) -> float:
        return float(embed([cell], model).energy[0])

    return relax_volume(element_crystal(element), energy, _EVALUATIONS).energy
