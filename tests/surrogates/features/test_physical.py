"""Physical features are the numbers that textbooks give, and always finite."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogates.features.physical import COLUMNS, PhysicalFeatures
from tests.space_groups import crystal_of


def row(structure: Structure) -> dict[str, float]:
    """Return the features in the units of their names."""
    vector = PhysicalFeatures().evaluate([structure]).vectors[0]
    assert np.isfinite(vector).all()
    return {name: value * scale for (name, scale), value in zip(COLUMNS.items(), vector, strict=True)}


def salt(a: float = 5.64) -> Structure:
    return crystal_of("Fm-3m", Lattice.cubic(a), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def carbon(a: float = 3.567) -> Structure:
    return crystal_of("Fd-3m", Lattice.cubic(a), ["C"], [[0, 0, 0]])


def perovskite() -> Structure:
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(3.905), ["Sr", "Ti", "O", "O", "O"], sites)


def test_volume_density_and_coordination_of_rock_salt() -> None:
    found = row(salt())
    assert found["volume per atom (Å3)"] == pytest.approx(5.64**3 / 8, rel=1e-6)
    assert found["volume per atom squared (Å6)"] == pytest.approx((5.64**3 / 8) ** 2, rel=1e-6)
    assert found["density (g/cm3)"] == pytest.approx(2.164, abs=0.002)
    assert found["mean coordination"] == pytest.approx(6, abs=0.01)
    assert found["spread of a site's bond lengths"] == pytest.approx(0, abs=1e-3)
    assert found["mean bond length over sum of radii"] == pytest.approx(2.82 / (1.66 + 1.02), rel=1e-3)
    assert found["logarithm of the number of sites"] == pytest.approx(np.log(8))


def test_volume_and_its_square_come_first() -> None:
    assert list(COLUMNS)[:2] == ["volume per atom (Å3)", "volume per atom squared (Å6)"]


def test_coordination_of_a_perovskite_from_least_to_greatest() -> None:
    found = row(perovskite())
    expected = {"least": 2, "mean": (12 + 6 + 3 * 2) / 5, "greatest": 12}
    for name, value in expected.items():
        assert found[f"{name} coordination"] == pytest.approx(value, abs=0.05)


def test_bond_valences_are_right_where_the_lattice_is_and_wrong_where_it_is_not() -> None:
    assert row(perovskite())["bond-valence deviation"] < 0.3
    assert row(perovskite())["share of sites with a bond valence"] == 1
    squeezed = perovskite()
    squeezed.apply_strain(-0.12)
    assert row(squeezed)["bond-valence deviation"] > 1


def test_an_element_has_no_bond_valence_and_says_so() -> None:
    found = row(carbon())
    assert found["bond-valence deviation"] == 0
    assert found["share of sites with a bond valence"] == 0
    assert found["mean coordination"] == pytest.approx(4, abs=0.05)


def test_elements_without_parameters_are_left_out() -> None:
    cell = crystal_of("Fm-3m", Lattice.cubic(5.0), ["Am", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert row(cell)["share of sites with a bond valence"] == 0


def test_all_but_the_number_of_sites_is_that_of_the_crystal_and_not_of_the_cell() -> None:
    one, two = row(perovskite()), row(perovskite() * (2, 1, 1))
    changed = [name for name in one if one[name] != pytest.approx(two[name], rel=1e-4, abs=1e-4)]
    assert changed == ["logarithm of the number of sites"]


def test_a_lone_atom_and_two_that_overlap_have_finite_numbers() -> None:
    row(Structure(Lattice.cubic(30), ["Xe"], [[0, 0, 0]]))
    row(Structure(Lattice.cubic(5), ["Na", "Cl"], [[0, 0, 0], [0.02, 0, 0]]))


def test_a_row_does_not_depend_on_the_others() -> None:
    cells = [salt(), perovskite(), carbon()]
    together = PhysicalFeatures().evaluate(cells).vectors
    for cell, vector in zip(cells, together, strict=True):
        assert np.array_equal(PhysicalFeatures().evaluate([cell]).vectors[0], vector)
