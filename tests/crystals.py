"""Two well-known cathodes, from their published crystal structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from pymatgen.core import Lattice

from simulators.materials import Material, theoretical_capacity
from tests.space_groups import crystal_of


@cache
def lithium_iron_phosphate() -> Material:
    """Return LiFePO4; cell of Streltsov et al., Acta Cryst. B 49, 147 (1993)."""
    lattice = Lattice.orthorhombic(10.332, 6.010, 4.692)
    sites: Sites = {
        "Li": [(0, 0, 0)],
        "Fe": [(0.2822, 0.25, 0.9747)],
        "P": [(0.0948, 0.25, 0.4182)],
        "O": [(0.0968, 0.25, 0.7428), (0.4571, 0.25, 0.2060), (0.1656, 0.0465, 0.2848)],
    }
    return _material("LiFePO4", "Pnma", lattice, sites, 3.45, two_phase=True)


@cache
def lithium_cobalt_oxide() -> Material:
    """Return LiCoO2; cell of Orman, Wiseman, Acta Cryst. C 40, 12 (1984)."""
    lattice = Lattice.hexagonal(2.8161, 14.0536)
    sites: Sites = {"Li": [(0, 0, 0.5)], "Co": [(0, 0, 0)], "O": [(0, 0, 0.2605)]}
    return _material("LiCoO2", "R-3m", lattice, sites, 3.9, two_phase=False)


Sites = Mapping[str, Sequence[Sequence[float]]]
"""Fractional coordinates by element."""


def _material(
    name: str,
    group: str,
    lattice: Lattice,
    sites: Sites,
    voltage: float,
    *,
    two_phase: bool,
) -> Material:
    species = [element for element, places in sites.items() for _ in places]
    coords = [place for places in sites.values() for place in places]
    structure = crystal_of(group, lattice, species, coords)
    host = structure.copy()
    host.remove_species(["Li"])
    return Material(name, structure, theoretical_capacity(structure, host), voltage, two_phase)
