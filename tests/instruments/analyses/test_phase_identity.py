from collections.abc import Callable

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from instruments.analyses.phase_identity import distinct, same_phase
from instruments.analyses.reference_phases import reference_structure
from tests.space_groups import crystal_of


def rock_salt(metal: str, a: float) -> Structure:
    return crystal_of("Fm-3m", Lattice.cubic(a), [metal, "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def moved(structure: Structure) -> Structure:
    structure.translate_sites(range(len(structure)), [0.13, 0.27, 0.41])
    return structure


def turned(structure: Structure) -> Structure:
    """Return the crystal with its axes in another order."""
    lattice = Lattice(structure.lattice.matrix[[2, 0, 1]])
    return Structure(lattice, structure.species_and_occu, structure.frac_coords[:, [2, 0, 1]])


def rounded(structure: Structure) -> Structure:
    lattice = Lattice.from_parameters(*np.round(structure.lattice.parameters, 2))
    return Structure(lattice, structure.species_and_occu, np.round(structure.frac_coords, 3))


def larger(structure: Structure) -> Structure:
    return Structure(
        structure.lattice.scale(1.03**3 * structure.volume), structure.species_and_occu, structure.frac_coords
    )


def charged(structure: Structure) -> Structure:
    structure.add_oxidation_state_by_guess()
    return structure


@pytest.mark.parametrize(
    "write",
    [
        lambda s: s.get_primitive_structure(),
        lambda s: s * (2, 1, 1),
        lambda s: s.get_primitive_structure() * (1, 2, 2),
        lambda s: s.get_reduced_structure("niggli"),
        moved,
        turned,
        rounded,
        larger,
        charged,
    ],
)
@pytest.mark.parametrize("name", ["MnO", "MoO3", "Mn3O4", "Li2CO3"])
def test_a_phase_is_itself_however_it_is_written(name: str, write: Callable[[Structure], Structure]) -> None:
    assert same_phase(reference_structure(name), write(reference_structure(name)))


def test_vacancies_and_a_little_of_another_metal_leave_a_phase_what_it_is() -> None:
    wustite = crystal_of("Fm-3m", Lattice.cubic(4.30), [{"Fe": 0.95}, {"O": 1.0}], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert same_phase(wustite, reference_structure("FeO"))


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (crystal_of("I41/amd:2", Lattice.tetragonal(3.785, 9.514), ["Ti", "O"],
                                   [[0, 0.75, 0.125], [0, 0.75, 0.3331]]), "TiO2"),  # anatase
        (crystal_of("Fm-3m", Lattice.cubic(5.09), ["Zr", "O"], [[0, 0, 0], [0.25, 0.25, 0.25]]), "ZrO2"),
        (rock_salt("Zn", 4.28), "ZnO"),
        (rock_salt("Ni", 4.18), "CoO"),
        (rock_salt("Mn", 5.0), "MnO"),  # far too large
    ],
)  # fmt: skip
def test_polymorphs_and_other_metals_are_other_phases(other: Structure, name: str) -> None:
    assert not same_phase(other, reference_structure(name))


def test_of_equal_phases_the_first_stays() -> None:
    named = [
        ("target", rock_salt("Mn", 4.44)),
        ("MnO", reference_structure("MnO")),
        ("NiO", reference_structure("NiO")),
    ]
    assert [name for name, _ in distinct(named)] == ["target", "NiO"]
