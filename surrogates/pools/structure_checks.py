"""Whether a crystal can be a candidate: known elements, each site full, no atoms on each other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pymatgen.core import DummySpecies, Element, Species, Structure

CLOSEST = 0.5
"""Å. The shortest bond, that of H2, is 0.74 Å long (Huber and Herzberg, Constants of Diatomic Molecules, 1979)."""

BONDED = 0.95
"""Å. The shortest bond without hydrogen, that of N2, is 1.10 Å long (the same source)."""

FARTHEST = 6.0
"""Å. The reach of CHGNet's bonds (Deng et al., Nat. Mach. Intell. 5, 1031 (2023)): beyond it, it sees no atom."""

HEAVIEST = 94
"""Plutonium: heavier elements are in no training set of a universal potential."""

_DENSEST = CLOSEST**3 / np.sqrt(2)  # Å3 per atom when equal spheres of this diameter are close-packed
_SPARSEST = 1000.0  # Å3 per atom; ten times that of caesium: whatever it is, it is no crystal


def defect(structure: Structure) -> str | None:
    """Return why a crystal cannot be a candidate, or None."""
    if not len(structure):
        return "holds no atoms"
    return _cell_defect(structure) or _site_defect(structure) or _overlap(structure) or _lone_atom(structure)


def crowding(structure: Structure) -> str | None:
    """Return which atoms of a valid crystal are nearer to each other than any but hydrogen can be, or None."""
    heavy = [number for number, site in enumerate(structure) if _symbol(next(iter(site.species))) != "H"]
    found = _closest(structure, BONDED, heavy)
    return (
        None if found is None else f"{found[0]} are {found[1]:.2f} Å apart, which is no bond: check its cell and axes"
    )


def unknown(symbol: str) -> bool:
    """Return whether a symbol names no element from H to Pu; isotopes such as D count as unknown."""
    return not Element.is_valid_symbol(symbol) or symbol in ("D", "T") or Element(symbol).Z > HEAVIEST


def _cell_defect(structure: Structure) -> str | None:
    volume = float(structure.lattice.volume)
    if not (np.isfinite(structure.lattice.matrix).all() and np.isfinite(volume)):
        return "its cell is not finite"
    if not np.isfinite(structure.frac_coords).all():
        return "a coordinate is not finite"
    if volume < _DENSEST * len(structure):
        return f"its cell of {volume:.3g} Å3 is too small for {len(structure)} atoms {CLOSEST} Å apart"
    if volume > _SPARSEST * len(structure):
        return f"its cell of {volume:.3g} Å3 is all but empty: {len(structure)} atoms of at most {_SPARSEST:g} Å3 each"
    return None


def _site_defect(structure: Structure) -> str | None:
    for number, site in enumerate(structure, 1):
        if len(site.species) != 1 or abs(sum(site.species.values()) - 1) > 1e-3:
            label = "" if site.label == site.species_string else f", {site.label} in the file,"
            return f"site {number} ({site.species_string}){label} is partly occupied; order the structure first"
        symbol = _symbol(next(iter(site.species)))
        if unknown(symbol):
            return f"site {number} holds {symbol}; allowed: elements from H to Pu, isotopes by their element"
    return None


def _symbol(specie: Element | Species | DummySpecies) -> str:
    """Return the symbol as it was written: pymatgen calls deuterium an element named D with the symbol H."""
    if isinstance(specie, DummySpecies):
        return str(specie.symbol)
    return str(specie.name if isinstance(specie, Element) else specie.element.name)


def _overlap(structure: Structure) -> str | None:
    shortest = min(structure.lattice.get_lll_reduced_lattice().abc)
    if shortest < CLOSEST:
        return f"atoms are {shortest:.2f} Å from their own images; at least {CLOSEST} Å is allowed"
    found = _closest(structure, CLOSEST, range(len(structure)))
    return None if found is None else f"{found[0]} are {found[1]:.2f} Å apart; at least {CLOSEST} Å is allowed"


def _closest(structure: Structure, reach: float, among: Sequence[int]) -> tuple[str, float] | None:
    """Return which two of some sites are closest to each other, and how far apart in Å, if they are within reach."""
    if not len(among):
        return None
    # In a reduced cell the search has to look at the nearest images alone, however skewed the given cell is.
    lattice = structure.lattice.get_lll_reduced_lattice()
    coords = structure.cart_coords[list(among)]
    reduced = Structure(lattice, ["H"] * len(among), coords, coords_are_cartesian=True)
    first, second, _, distance = reduced.get_neighbor_list(reach)
    if not len(distance):
        return None
    closest = int(np.argmin(distance))
    sites = sorted((among[int(first[closest])], among[int(second[closest])]))
    names = " and ".join(f"{structure[site].species_string} (site {site + 1})" for site in sites)
    return names, float(distance[closest])


def _lone_atom(structure: Structure) -> str | None:
    if structure.lattice.volume < FARTHEST**3 / np.sqrt(2):
        return None  # its own images are nearer, as equal spheres cannot be packed more densely
    first, _, _, _ = structure.get_neighbor_list(FARTHEST)
    lone = np.setdiff1d(np.arange(len(structure)), first)
    if not len(lone):
        return None
    site = int(lone[0])
    return f"{structure[site].species_string} (site {site + 1}) has no neighbour within {FARTHEST:g} Å: no crystal"
