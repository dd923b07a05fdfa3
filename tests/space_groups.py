"""Crystals by their space group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from pymatgen.core import Lattice, Structure
from pymatgen.symmetry.groups import SpaceGroup


def crystal_of(
    group: str,
    lattice: Lattice,
    species: Sequence[str | Mapping[str, float]],
    coords: Sequence[Any],
) -> Structure:
    """Return the full cell of sites (n x 3, fractional) of an asymmetric unit; see ``Structure.from_spacegroup``."""
    _kept(group)
    return Structure.from_spacegroup(group, lattice, species, coords)


@cache
def _kept(group: str) -> SpaceGroup:
    """Return a space group; pymatgen forgets it with its last user, and a cubic one takes .3 s to make."""
    return SpaceGroup(group)
