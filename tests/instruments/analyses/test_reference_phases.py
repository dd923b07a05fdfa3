import numpy as np
import pytest
from pymatgen.core import Composition, Structure

from campaigns.errors import LabError
from instruments.analyses.reference_phases import CELLS, impurities, reference, reference_phase, reference_structure
from tests.crystals import lithium_cobalt_oxide, lithium_iron_phosphate
from tests.space_groups import crystal_of

DENSITIES = {  # g/cm^3, CRC Handbook of Chemistry and Physics
    "Li2O": 2.01, "LiF": 2.64, "MgO": 3.6, "MnO": 5.37, "FeO": 6.0, "CoO": 6.44, "NiO": 6.72, "TiO2": 4.23, "VO2": 4.67,
    "SnO2": 6.95, "CrO2": 4.89, "MnO2": 5.08, "Al2O3": 3.99, "Ti2O3": 4.49, "V2O3": 4.87, "Cr2O3": 5.22, "Fe2O3": 5.25,
    "ZnO": 5.6, "ZrO2": 5.68, "MoO3": 4.70, "Co3O4": 6.11, "Fe3O4": 5.17, "Mn3O4": 4.84, "V2O5": 3.35, "CuO": 6.31,
    "Cu2O": 6.0, "Li2CO3": 2.11, "Li3PO4": 2.46, "Li2SiO3": 2.52, "LiNi0.8Mn0.1Co0.1O2": 4.78,
}  # fmt: skip


@pytest.mark.parametrize("name", CELLS)
def test_each_cell_has_its_formula_its_density_and_no_atoms_on_top_of_each_other(name: str) -> None:
    structure = reference_structure(name)
    distances = structure.distance_matrix[np.triu_indices(len(structure), 1)]
    shortest = 1.2 if {"C", "P", "Si", "V", "Mo"} & {e.symbol for e in structure.composition.elements} else 1.8

    assert structure.composition.fractional_composition.almost_equals(Composition(name).fractional_composition)
    assert structure.density == pytest.approx(DENSITIES[name], rel=0.04)
    assert distances.min() > shortest


def places(structure: Structure) -> set[tuple[object, ...]]:
    return {(site.species_string, *(np.round(site.frac_coords, 5) % 1)) for site in structure}


@pytest.mark.parametrize(
    ("name", "group", "sites"),
    [
        ("NiO", "Fm-3m", {"Ni": (0, 0, 0), "O": (0.5, 0.5, 0.5)}),
        ("Li2O", "Fm-3m", {"Li": (0.25, 0.25, 0.25), "O": (0, 0, 0)}),
        ("Fe3O4", "Fd-3m:2", {"Fe": (0.125, 0.125, 0.125), "Fe2+": (0.5, 0.5, 0.5), "O": (0.2549, 0.2549, 0.2549)}),
    ],
)
def test_cells_that_are_listed_whole_are_those_of_their_space_group(
    name: str, group: str, sites: dict[str, tuple[float, float, float]]
) -> None:
    listed = reference_structure(name)
    expected = crystal_of(group, listed.lattice, list(sites), list(sites.values()))
    assert places(listed) == places(expected.remove_oxidation_states())


@pytest.mark.parametrize(
    ("structure", "lines"),
    [
        (lithium_cobalt_oxide().structure, (18.93, 45.23)),  # (003), (104)
        (lithium_iron_phosphate().structure, (35.58, 25.56, 29.71)),  # (311), (111), (211)
        (reference_structure("NiO"), (43.28, 37.25)),  # (200), (111)
        (reference_structure("Fe2O3"), (33.15, 35.61)),  # (104), (110)
        (reference_structure("Co3O4"), (36.85,)),  # (311)
        (reference_structure("Li2CO3"), (31.80, 30.60, 21.32)),
    ],
)
def test_the_strongest_lines_lie_where_powder_files_have_them(structure: Structure, lines: tuple[float, ...]) -> None:
    phase = reference("x", structure)
    strongest = phase.two_theta[np.argsort(phase.intensity)[::-1][: len(lines)]]

    assert sorted(strongest) == pytest.approx(sorted(lines), abs=0.12)


def test_impurities_are_those_the_elements_allow() -> None:
    assert set(impurities(["Li", "Fe", "P", "O"])) == {"Li2O", "FeO", "Fe2O3", "Fe3O4", "Li2CO3", "Li3PO4"}
    assert "NiO" in impurities(["Li", "Ni", "O"])
    assert "LiF" not in impurities(["Li", "Ni", "O"])


def test_targets_are_no_impurities() -> None:
    assert "LiNi0.8Mn0.1Co0.1O2" not in impurities(["Li", "Ni", "Mn", "Co", "O"])


def test_equal_structures_are_computed_once() -> None:
    structure = lithium_cobalt_oxide().structure

    assert reference("x", structure) is reference("x", structure.copy())


def test_an_unknown_phase_is_named() -> None:
    with pytest.raises(LabError, match="no reference phase 'XO'; allowed: Al2O3"):
        reference_phase("XO")
