"""The elements' crystals are sound, and there is one of every element that CHGNet was trained on."""

import numpy as np
import pytest
from pymatgen.core import Element

from campaigns.errors import ModelError
from surrogates.predictors.element_crystals import element_crystal

UNKNOWN = ("Po", "At", "Rn", "Fr", "Ra")
DIATOMIC = ("H", "N", "O", "F", "Cl", "Br", "I")
KNOWN = [Element.from_Z(z).symbol for z in range(1, 95) if Element.from_Z(z).symbol not in UNKNOWN]


@pytest.mark.parametrize("element", KNOWN)
def test_atoms_keep_their_distance_at_a_sensible_volume(element: str) -> None:
    crystal = element_crystal(element)
    assert crystal.chemical_system == element
    assert 5 < crystal.volume / len(crystal) < 130
    spacing = np.cbrt(crystal.volume / len(crystal))
    shortest = crystal.get_neighbor_list(r=8)[3].min()
    assert (0.25 if element in DIATOMIC else 0.65) * spacing < shortest < 1.13 * spacing


@pytest.mark.parametrize(
    ("element", "bond", "neighbours"),
    [
        ("C", 1.42, 3),
        ("Si", 2.35, 4),
        ("Cu", 2.56, 12),
        ("Fe", 2.48, 8),
        ("N", 1.10, 1),
        ("O", 1.21, 1),
        ("Cl", 1.99, 1),
        ("Se", 2.37, 2),
        ("Te", 2.84, 2),
        ("Sb", 2.91, 3),
        ("Ga", 2.44, 1),
        ("Sn", 3.02, 4),
    ],
)
def test_bonds_are_as_long_and_as_many_as_measured(element: str, bond: float, neighbours: int) -> None:
    crystal = element_crystal(element)
    centres, _, _, lengths = crystal.get_neighbor_list(r=8)
    assert lengths.min() == pytest.approx(bond, rel=0.04)
    counts = np.bincount(centres[lengths < lengths.min() * 1.03], minlength=len(crystal))
    assert set(counts.tolist()) == {neighbours}


def test_boron_has_twelve_atoms_in_an_icosahedron() -> None:
    crystal = element_crystal("B")
    assert len(crystal) == 12
    centres, _, _, lengths = crystal.get_neighbor_list(r=2.1)
    assert np.bincount(centres).min() >= 6
    assert lengths.min() > 1.6


@pytest.mark.parametrize("element", UNKNOWN)
def test_an_element_without_crystal_is_named(element: str) -> None:
    with pytest.raises(ModelError, match=f"no reference energy of {element},.*known are Ac, Ag, Al"):
        element_crystal(element)
