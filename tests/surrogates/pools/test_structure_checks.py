import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import DummySpecies, Lattice, Species, Structure

from surrogates.pools.structure_checks import CLOSEST, crowding, defect
from tests.surrogates.pools.crystal_files import crowded, disordered, perovskite, salt


def pair(distance: float, lattice: Lattice) -> Structure:
    """Two atoms so far apart along x, wherever the cell's borders are."""
    start = np.array([-distance / 3, 0.1, 0.2])
    return Structure(lattice, ["Na", "Cl"], [start, start + np.array([distance, 0, 0])], coords_are_cartesian=True)


def test_sound_crystals_have_no_defect() -> None:
    charged = Structure(salt().lattice, [Species("Na", 1), Species("Cl", -1)], salt().frac_coords)
    sparse = Structure(Lattice.cubic(5.9), ["Xe"], [[0, 0, 0]])
    molecule = Structure(Lattice.cubic(11), ["O", "O"], [[0, 0, 0], [0.11, 0, 0]])
    hydrogen = Structure(Lattice.cubic(4), ["H", "H"], [[0, 0, 0], [0.185, 0, 0]])
    plutonium = Structure(Lattice.cubic(4.6), ["Pu"], [[0, 0, 0]])
    rounded = Structure(Lattice.cubic(4), [{"Na": 0.9995}], [[0, 0, 0]])
    assert [defect(s) for s in (salt(), perovskite(), charged, hydrogen, plutonium, rounded, sparse, molecule)] == [
        None
    ] * 8


@pytest.mark.parametrize(
    ("structure", "reason"),
    [
        (Structure(Lattice.cubic(4), [], []), "holds no atoms"),
        (disordered(), "site 1 (Cu:0.5, Au:0.5) is partly occupied"),
        (Structure(Lattice.cubic(4), [{"Na": 0.9}], [[0, 0, 0]]), "is partly occupied"),
        (Structure(Lattice.cubic(4), ["D"], [[0, 0, 0]]), "site 1 holds D; allowed: elements from H to Pu"),
        (Structure(Lattice.cubic(4), [Species("D", 1)], [[0, 0, 0]]), "site 1 holds D"),
        (Structure(Lattice.cubic(4), ["Am"], [[0, 0, 0]]), "holds Am"),
        (Structure(Lattice.cubic(4), ["Na", DummySpecies("X")], [[0, 0, 0], [0.5, 0, 0]]), "site 2 holds X"),
        (crowded(), "Na (site 1) and Cl (site 2) are 0.20 Å apart; at least 0.5 Å is allowed"),
        (Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.98, 0, 0]]), "0.08 Å apart"),
        (Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [1, 0, -1]]), "0.00 Å apart"),
        (Structure(Lattice.orthorhombic(0.4, 9, 9), ["Na"], [[0, 0, 0]]), "atoms are 0.40 Å from their own images"),
        (Structure(Lattice([[9, 0, 0], [8.7, 0.1, 0], [0, 0, 9]]), ["Na"], [[0, 0, 0]]), "from their own images"),
        (Structure(Lattice.orthorhombic(1, 1, 1e12), ["Na"], [[0, 0, 0]]), "is all but empty"),
        (Structure(Lattice.cubic(9), ["Xe"], [[0, 0, 0]]), "Xe (site 1) has no neighbour within 6 Å"),
        (Structure(Lattice.cubic(13.5), ["Na", "Na", "Xe"], [[0, 0, 0], [0.2, 0, 0], [0.6, 0.5, 0.5]]), "Xe (site 3)"),
        (Structure(Lattice.cubic(0.3), ["Na"], [[0, 0, 0]]), "is too small for 1 atoms"),
        (Structure(Lattice.cubic(4), ["Na"], [[np.nan, 0, 0]]), "a coordinate is not finite"),
        (Structure(Lattice.cubic(4), ["Na"], [[np.inf, 0, 0]]), "a coordinate is not finite"),
        (Structure(Lattice(np.full((3, 3), np.nan)), ["Na"], [[0, 0, 0]]), "its cell is not finite"),
        (Structure(Lattice(np.ones((3, 3))), ["Na"], [[0, 0, 0]]), "is too small"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")  # pymatgen's, on cells that are none
def test_defects_are_told(structure: Structure, reason: str) -> None:
    assert reason in str(defect(structure))


def test_what_is_no_bond_is_told() -> None:
    close = Structure(Lattice.cubic(4), ["Na", "Cl", "H"], [[0, 0, 0], [0.2, 0, 0], [0.4, 0, 0]])
    assert defect(close) is None
    assert str(crowding(close)).startswith("Na (site 1) and Cl (site 2) are 0.80 Å apart, which is no bond")
    nitrogen = Structure(Lattice.cubic(5), ["N", "N"], [[0, 0, 0], [0.22, 0, 0]])
    hydrogen = Structure(Lattice.cubic(4), ["H", "H"], [[0, 0, 0], [0.185, 0, 0]])
    assert [crowding(each) for each in (salt(), perovskite(), nitrogen, hydrogen)] == [None] * 4


@given(
    distance=st.floats(0.05, 1.5).filter(lambda d: abs(d - CLOSEST) > 1e-3),
    shear=st.floats(-6, 6),
    shift=st.floats(-3, 3),
)
def test_distances_are_found_across_the_borders_of_any_cell(distance: float, shear: float, shift: float) -> None:
    structure = pair(distance, Lattice([[5, 0, 0], [5 * shear, 5, 0], [0, 5 * shift, 5]]))
    assert (defect(structure) is None) == (distance >= CLOSEST)
