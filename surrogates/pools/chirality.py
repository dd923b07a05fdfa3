"""Left and right: crystals that are mirror images of each other, and no rotation makes equal."""

from __future__ import annotations

import warnings
from itertools import product

import numpy as np
import spglib
from numpy.typing import NDArray
from pymatgen.core import Structure

REACH = 2.2  # mean spacings
_WIDTH = 0.7  # mean spacings; how fast neighbours count less with their distance
_MIRRORED = 0.35  # of the difference; the twist of mirror images adds up to nothing
_SYMPREC = 0.1  # Å


def mirrored(one: Structure, other: Structure) -> bool:
    """Return whether two crystals that are equal but for a reflection are equal only by it."""
    if not (_is_chiral(one) and _is_chiral(other)):
        return False
    left, right = twist(one), twist(other)
    return bool(np.linalg.norm(left + right) < _MIRRORED * np.linalg.norm(left - right))


def twist(structure: Structure) -> NDArray[np.float64]:
    """Return pseudoscalars of the bonds of each ordered pair of elements: a reflection changes their signs.

    Each is the mean of u_ij . (v_i x v_j), or of u_ij . ax(M_i M_j - M_j M_i), over the bonds u_ij, where v_i and M_i
    are the first and second moments of the neighbours' directions about an atom. They are the same for every choice of
    the cell, origin, order and orientation.
    """
    spacing = (structure.volume / len(structure)) ** (1 / 3)
    first, second, image, distance = structure.get_neighbor_list(REACH * spacing)
    numbers = np.array(structure.atomic_numbers)
    steps = structure.frac_coords[second] + image - structure.frac_coords[first]
    along = steps @ structure.lattice.matrix / distance[:, None]
    weight = np.exp(-((distance / spacing / _WIDTH) ** 2))
    around = weight * (1 + numbers[second] / numbers.max())  # so that elements count differently
    vectors, tensors = np.zeros((len(structure), 3)), np.zeros((len(structure), 3, 3))
    np.add.at(vectors, first, around[:, None] * along)
    np.add.at(tensors, first, around[:, None, None] * along[:, :, None] * along[:, None, :])
    turned = np.cross(vectors[first], vectors[second])
    both = tensors[first] @ tensors[second]
    axial = np.stack([both[:, b, c] - both[:, c, b] for b, c in ((1, 2), (2, 0), (0, 1))], axis=1)
    values = np.stack([np.sum(along * turned, axis=1), np.sum(along * axial, axis=1)])
    pairs = product(np.unique(numbers), repeat=2)
    chosen = [weight * ((numbers[first] == a) & (numbers[second] == b)) for a, b in pairs if a <= b]
    return np.concatenate([values @ each for each in chosen]) / len(structure)


def _is_chiral(structure: Structure) -> bool:
    """Return whether no operation of the crystal, within 0.1 Å, is a reflection, an inversion, or made with one."""
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces that it will raise where it returns None
        found = spglib.get_symmetry(cell, symprec=_SYMPREC)
    return found is None or bool((np.linalg.det(found["rotations"]) > 0).all())
