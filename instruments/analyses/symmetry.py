"""The symmetry of a crystal, by spglib through pymatgen."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from pymatgen.symmetry.analyzer import SpacegroupAnalyzer


def rotations(structure: Structure, slack: float) -> NDArray[np.float64]:
    """Return the rotations of the point group in space, g x 3 x 3; where symmetry is unclear, the identity.

    Args:
        structure: the crystal.
        slack: distance within which atoms obey a symmetry [Å].
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces that it will raise where it returns None
        try:
            found = SpacegroupAnalyzer(structure, symprec=slack).get_point_group_operations(cartesian=True)
        except (ValueError, TypeError):
            return np.eye(3)[None]
    return np.array([operation.rotation_matrix for operation in found])


def primitive(structure: Structure, slack: float) -> Structure:
    """Return the primitive cell; where symmetry is unclear, the crystal as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return SpacegroupAnalyzer(structure, symprec=slack).find_primitive() or structure
        except (ValueError, TypeError):
            return structure
