"""Whether two crystals are one phase, however they are written.

The tolerances are not tuned: each has room for the rounding of CIFs and for the lattices of density functionals, and
none for a polymorph; ``DISPLACEMENT`` is half the default of pymatgen's StructureMatcher.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from pymatgen.analysis.structure_matcher import AbstractComparator, StructureMatcher
from pymatgen.core import Composition, Structure

from instruments.analyses.symmetry import primitive

SHARE = 0.03  # of all atoms, by which two compositions of one phase may differ (Fe0.95O is wüstite, too)
OCCUPANCY = 0.1  # by which the occupancies of matching sites may differ
LENGTH, ANGLE = 0.05, 3.0  # relative and deg, of cell edges: lattices of density functionals are up to 4 % too long
VOLUME = 0.12  # relative, per atom
SLACK = 0.1  # Å, by which atoms may lie off their special positions
DISPLACEMENT = 0.15  # root mean square over sites, in units of the cube root of the volume per atom


class _SimilarOccupancy(AbstractComparator):
    """Sites are alike when their elements' occupancies are, whatever charges or spins are written on them."""

    def are_equal(self, sp1: Composition, sp2: Composition) -> bool:
        """Return whether the occupancies of two sites differ by no more than the tolerance."""
        first, second = (Composition(sp).element_composition for sp in (sp1, sp2))
        return all(abs(first[e] - second[e]) <= OCCUPANCY for e in {*first, *second})

    def get_hash(self, composition: Composition) -> int:  # noqa: ARG002  compositions are compared before
        """Return one hash for all: sites are compared one by one."""
        return 1


_MATCHER = StructureMatcher(
    ltol=LENGTH, stol=DISPLACEMENT, angle_tol=ANGLE, primitive_cell=True, scale=True, comparator=_SimilarOccupancy()
)


def same_phase(first: Structure, second: Structure) -> bool:
    """Return whether two crystals are one phase: like composition, lattice and sites.

    Setting, origin, supercell, order of axes and sites, charges and spins do not matter. Polymorphs differ.
    """
    if not _like_composition(first.composition, second.composition):
        return False
    return _same(*sorted((first.to(fmt="json"), second.to(fmt="json"))))


def distinct(structures: Iterable[tuple[str, Structure]]) -> list[tuple[str, Structure]]:
    """Return named crystals without those that are the same phase as an earlier one."""
    kept: list[tuple[str, Structure]] = []
    for name, structure in structures:
        if not any(same_phase(structure, other) for _, other in kept):
            kept.append((name, structure))
    return kept


@lru_cache(maxsize=4096)
def _same(first: str, second: str) -> bool:
    one, other = (_plain(Structure.from_str(text, fmt="json")) for text in (first, second))
    volumes = [s.volume / s.composition.num_atoms for s in (one, other)]
    return max(volumes) <= (1 + VOLUME) * min(volumes) and bool(_MATCHER.fit(one, other))


def _plain(structure: Structure) -> Structure:
    """Return the primitive cell, without charges, spins and labels: its sites are named by element only."""
    species = [site.species.element_composition for site in structure]
    return primitive(Structure(structure.lattice, species, structure.frac_coords), SLACK)


def _like_composition(first: Composition, second: Composition) -> bool:
    one, other = (c.element_composition.fractional_composition for c in (first, second))
    return all(abs(one[e] - other[e]) <= SHARE for e in {*one, *other})
