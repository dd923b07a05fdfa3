import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogates.features.valence import ValenceFeatures


def features(*species: str) -> np.ndarray:
    cell = Structure(Lattice.cubic(12), list(species), [[i / 12, 0, 0] for i in range(len(species))])
    return ValenceFeatures().evaluate([cell]).vectors[0]


@pytest.mark.parametrize("species", [("Na", "Cl"), ("Sr", "Ti", "O", "O", "O"), ("Ga", "N"), ("Ca", "F", "F")])
def test_an_insulator_balances_with_closed_shells(species: tuple[str, ...]) -> None:
    imbalance, shells, _, _, closed, odd = features(*species)
    assert imbalance == closed == odd == 0
    assert shells > 0.9


def test_too_few_electrons_are_left_over() -> None:
    imbalance, shells, *_ = features("Na", "Ca", "O", "O", "O")
    assert (imbalance, shells) == (3, 0)


def test_an_open_d_shell_balances_without_closing_it() -> None:
    assert features("Fe", "O")[:2].tolist() == pytest.approx([0, 0.5])


def test_an_odd_number_of_electrons_is_told() -> None:
    assert features("Li", "O")[5] == 1
    assert features("Li", "Li", "O")[5] == 0


def test_an_element_alone_is_neutral() -> None:
    assert features("Cu", "Cu")[:2].tolist() == [0, 0]


def test_features_do_not_depend_on_the_order_or_size_of_the_cell() -> None:
    assert np.array_equal(features("O", "Ti", "O", "Sr", "O"), features("Sr", "Ti", "O", "O", "O"))
    assert np.array_equal(features("Na", "Cl"), features("Na", "Cl", "Na", "Cl"))


def test_many_elements_are_no_burden() -> None:
    assert np.isfinite(features("Li", "Mn", "Fe", "Co", "Ni", "V", "P", "S", "O", "F", "N", "Cl")).all()
