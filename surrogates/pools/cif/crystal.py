"""The crystal that a data block of a CIF describes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Lattice, Structure

from surrogates.pools.cif.atoms import Atoms, atoms_of
from surrogates.pools.cif.block import Block, parse
from surrogates.pools.cif.cell import candidate_groups, lattice_of
from surrogates.pools.cif.claims import ConsistencyCheck, check_unconfirmed, verdict
from surrogates.pools.cif.filling import filled
from surrogates.pools.cif.group import Group
from surrogates.pools.cif.hints import hints
from surrogates.pools.cif.orbits import Site, sites_of
from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.structure_checks import defect

_MODULATED = (
    *("_cell_modulation_dimension", "_cell_wave_vector", "_space_group_ssg", "_space_group_symop_ssg"),
    *("_space_group_symop_magn_ssg", "_space_group_magn_ssg", "_atom_site_fourier"),
    *("_atom_site_displace", "_atom_site_occ_special", "_cell_subsystem"),
)
_CHARGED = 0.1  # elementary charges; averaged ones are rounded
_SAME_PLACE = 0.01  # fractions


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the atoms make in one group."""

    group: Group
    structure: Structure
    verdict: ConsistencyCheck
    notes: tuple[str, ...]


def read_cif(text: str) -> tuple[Structure, tuple[str, ...]]:
    """Return the structure of one data block, and notes of what was not taken as it stands.

    Raises:
        UnreadableError: it holds none, contradicts itself, or does not say enough.
    """
    block = parse(text)
    if modulated := next((tag for tag in block.columns if tag.startswith(_MODULATED)), None):
        raise UnreadableError(f"is a modulated structure ({modulated}), which no cell of three dimensions describes")
    notes: list[str] = []
    if any(tag.startswith("_atom_site_moment") for tag in block.columns):
        notes.append("its magnetic moments are left out")
    lattice = lattice_of(block, notes)
    atoms = atoms_of(block, lattice)
    groups = candidate_groups(block, lattice, notes)
    chosen = _chosen(_drafts(_different(groups), lambda group: _draft(block, atoms, group, lattice)), notes)
    if chosen.verdict.against:
        raise UnreadableError(chosen.verdict.against[0])
    check_unconfirmed(atoms.outliers, chosen.verdict)
    return chosen.structure, (*notes, *atoms.notes, *atoms.outliers, *chosen.notes)


def _different(groups: list[Group]) -> list[Group]:
    return [group for place, group in enumerate(groups) if not any(group.same_as(other) for other in groups[:place])]


def _drafts(groups: list[Group], draft: Callable[[Group], _Draft]) -> list[_Draft]:
    """Return what the atoms make in each group in which they can be.

    Raises:
        UnreadableError: there is none.
    """
    drafts, troubles = [], []
    for group in groups:
        try:
            drafts.append(draft(group))
        except UnreadableError as error:
            troubles.append(error)
    if not drafts:
        raise troubles[0]
    return drafts


def _draft(block: Block, atoms: Atoms, group: Group, lattice: Lattice) -> _Draft:
    notes: list[str] = []
    sites = sites_of(atoms.atoms, group, lattice, notes)
    held = [(filled(site, notes), site) for site in sites]
    species = [elements for elements, site in held for _ in site.images]
    labels = [site.atoms[0].label for _, site in held for _ in site.images]
    structure = Structure(lattice, species, np.concatenate([site.images for site in sites]), labels=labels)
    ordered = structure.get_sorted_structure()
    found = verdict(block, ordered, sites, len(group.rotations))
    notes += [*found.notes, *([] if found.formula else [*_charge_notes(sites), *_hints(block, ordered, sites)])]
    return _Draft(group, ordered, found, tuple(notes))


def _hints(block: Block, structure: Structure, sites: Sequence[Site]) -> list[str]:
    return list(hints(block, structure, [atom.label for site in sites for atom in site.atoms]))


def _charge_notes(sites: Sequence[Site]) -> list[str]:
    """Return a note where every type symbol has a charge, and they do not add up to 0."""
    parts = [(atom, len(site.images)) for site in sites for atom in site.atoms]
    charges = [atom.charge * atom.occupancy.value * count for atom, count in parts if atom.charge is not None]
    total = sum(charges)
    if len(charges) < len(parts) or abs(total) < _CHARGED:
        return []
    return [f"the charges of its type symbols add up to {total:+.3g} in the cell: atoms may be missing"]


def _chosen(drafts: list[_Draft], notes: list[str]) -> _Draft:
    """Return the one draft that can be meant.

    Raises:
        UnreadableError: there are several, and they are different crystals.
    """
    first, *others = drafts
    if all(_alike(first.structure, other.structure) for other in others):
        return first
    sound = [draft for draft in drafts if not draft.verdict.against and defect(draft.structure) is None]
    proven = [draft for draft in sound if draft.verdict.formula and draft.verdict.count] or sound
    names = " or ".join(f"{draft.group.name} ({len(draft.structure)} atoms in the cell)" for draft in drafts)
    if len(proven) != 1:
        if len({draft.group.number for draft in drafts}) > 1:
            cure = "correct the one that is wrong"
        else:
            cure = "list its operations, or write the symbol with its origin or axes, such as 'F d -3 m :2'"
        raise UnreadableError(f"says {names}, which are different crystals; {cure}")
    notes.append(
        f"of {names}, {proven[0].group.name} was taken: only there the atoms are apart, and as many as it says"
    )
    return proven[0]


def _alike(one: Structure, other: Structure) -> bool:
    """Return whether two structures in one cell have the same atoms at the same places."""
    if len(one) != len(other) or one.composition != other.composition:
        return False
    apart = one.frac_coords[:, None] - other.frac_coords[None]
    near = (np.abs(apart - np.round(apart)) < _SAME_PLACE).all(axis=2)
    alike = np.array([[a.species == b.species for b in other] for a in one])
    return bool((near & alike).any(axis=1).all())
