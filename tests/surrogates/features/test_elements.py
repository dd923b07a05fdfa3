"""The table of elements has no gaps, and says which cells it cannot describe."""

import numpy as np
import pytest
from pymatgen.core import DummySpecies, Lattice, Species, Structure

from campaigns.errors import ModelError
from surrogates.features.elements import PROPERTIES, atomic_numbers, properties, property_values, scaled_properties


def test_every_property_of_every_element_is_a_number() -> None:
    assert properties().shape == (104, len(PROPERTIES))
    assert np.isfinite(properties()).all()
    assert (properties()[1:].std(axis=0) > 0).all()


def test_values_are_the_known_ones() -> None:
    assert property_values("electronegativity")[8] == 3.44
    assert property_values("group")[26] == 8
    assert property_values("covalent radius")[6] == pytest.approx(0.73)
    assert [property_values(f"{orbital} electrons")[26] for orbital in "spdf"] == [2, 0, 6, 0]


def test_unknown_values_are_those_of_the_nearest_element_of_the_group() -> None:
    electronegativity = property_values("electronegativity")
    assert electronegativity[[2, 10, 18]].tolist() == [electronegativity[36]] * 3


def test_scaled_properties_have_mean_0_and_deviation_1_over_the_elements() -> None:
    scaled = scaled_properties()[1:]
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)


def lone(species: object) -> Structure:
    return Structure(Lattice.cubic(4), [species], [[0, 0, 0]])


def test_oxidation_states_and_isotopes_do_not_matter() -> None:
    assert atomic_numbers(lone(Species("Fe", 3))).tolist() == [26]
    assert atomic_numbers(lone("D")).tolist() == [1]


@pytest.mark.parametrize(
    ("species", "message"),
    [({"Fe": 0.5, "Co": 0.5}, "several elements share"), (DummySpecies("X"), "got X"), ("Rf", "from H to Lr")],
)
def test_what_is_no_known_element_is_refused(species: object, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        atomic_numbers(lone(species))
