"""Neighbours are those of textbooks, for cells of any size and any scale."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogates.features.coordination import bonds
from tests.space_groups import crystal_of

F, H = 0.5, 0.25
STRUCTURES: dict[str, tuple[str, Lattice, dict[str, tuple[float, ...]], tuple[int, ...]]] = {
    "rock salt": ("Fm-3m", Lattice.cubic(4.2), {"Mg": (0, 0, 0), "O": (F, F, F)}, (6, 6)),
    "fluorite": ("Fm-3m", Lattice.cubic(5.46), {"Ca": (0, 0, 0), "F": (H, H, H)}, (8, 4)),
    "caesium chloride": ("Pm-3m", Lattice.cubic(4.12), {"Cs": (0, 0, 0), "Cl": (F, F, F)}, (8, 8)),
    "zinc blende": ("F-43m", Lattice.cubic(5.41), {"Zn": (0, 0, 0), "S": (H, H, H)}, (4, 4)),
    "rutile": ("P4_2/mnm", Lattice.tetragonal(4.594, 2.959), {"Ti": (0, 0, 0), "O": (0.305, 0.305, 0)}, (6, 3)),
    "diamond": ("Fd-3m", Lattice.cubic(3.57), {"C": (0, 0, 0)}, (4,)),
    "copper": ("Fm-3m", Lattice.cubic(3.61), {"Cu": (0, 0, 0)}, (12,)),
    "perovskite": ("Pm-3m", Lattice.cubic(3.905), {"Sr": (0, 0, 0), "Ti": (F, F, F), "O": (F, F, 0)}, (12, 6, 2)),
}


def build(name: str) -> Structure:
    group, lattice, sites, _ = STRUCTURES[name]
    return crystal_of(group, lattice, list(sites), list(sites.values()))


@pytest.mark.parametrize("name", STRUCTURES)
def test_coordination_numbers_are_those_of_the_structure_type(name: str) -> None:
    structure, expected = build(name), dict(zip(STRUCTURES[name][2], STRUCTURES[name][3], strict=True))
    found = bonds(structure).coordination()
    np.testing.assert_allclose(found, [expected[site.specie.symbol] for site in structure], atol=0.25)


@pytest.mark.parametrize("name", STRUCTURES)
def test_neither_scale_nor_supercell_matters(name: str) -> None:
    structure = build(name)
    expected = bonds(structure).coordination()
    wide = structure.copy()
    wide.apply_strain(0.6)
    np.testing.assert_allclose(bonds(wide).coordination(), expected, atol=1e-3)
    doubled = structure * (2, 1, 1)
    np.testing.assert_allclose(bonds(doubled).coordination()[::2], expected, atol=1e-9)


def test_anions_are_told_from_cations_and_metals_have_none() -> None:
    perovskite = bonds(build("perovskite"))
    assert perovskite.anion.tolist() == [False, False, True, True, True]
    assert (perovskite.anion[perovskite.first] != perovskite.anion[perovskite.second]).all()
    assert not bonds(build("copper")).anion.any()


def test_an_atom_without_neighbours_has_coordination_0() -> None:
    assert bonds(Structure(Lattice.cubic(30), ["Xe"], [[0, 0, 0]])).coordination().tolist() == [0]
