from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pymatgen.core import Composition, Structure

from campaigns.errors import LabError
from simulators.materials import Material, cathode_materials, chemistry, nickel_rich
from tests.crystals import lithium_cobalt_oxide, lithium_iron_phosphate


@dataclass(frozen=True)
class PoolRow:
    id: str
    structure: Structure
    host: Structure | None


def row(*, host: bool = True) -> PoolRow:
    structure = lithium_iron_phosphate().structure
    return PoolRow("LiFePO4-olivine", structure, structure.copy().remove_species(["Li"]) if host else None)


@pytest.fixture
def truth(tmp_path: Path) -> Callable[[str], Path]:
    def write(voltage: str) -> Path:
        path = tmp_path / "truth.csv"
        path.write_text(f"id,voltage_V\nLiFePO4-olivine,{voltage}\n", encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(("material", "capacity"), [(lithium_iron_phosphate, 169.9), (lithium_cobalt_oxide, 273.8)])
def test_theoretical_capacity_is_that_of_the_textbooks(material: Callable[[], Material], capacity: float) -> None:
    assert material().host_capacity == pytest.approx(capacity, abs=0.1)


@pytest.mark.parametrize(
    ("material", "dimension"), [(lithium_iron_phosphate, 1), (lithium_cobalt_oxide, 2), (nickel_rich, 2)]
)
def test_lithium_travels_along_channels_in_olivines_and_planes_in_layered_oxides(
    material: Callable[[], Material], dimension: int
) -> None:
    assert material().dimension == dimension


@pytest.mark.parametrize(
    ("formula", "family", "states"),
    [
        ("LiFePO4", "phosphate", {"Fe": 2}),
        ("Li3V2(PO4)3", "phosphate", {"V": 3}),
        ("LiFeSO4F", "sulfate", {"Fe": 2}),
        ("Li2MnSiO4", "silicate", {"Mn": 2}),
        ("LiMn2O4", "oxide", {"Mn": 3.5}),
        ("LiNiVO4", "oxide", {"Ni": 2, "V": 5}),
        ("LiFe0.5Al0.5O2", "oxide", {"Fe": 3, "Al": 3}),
        ("LiTiS2", "sulfide", {"Ti": 3}),
        ("Li3FeF6", "fluoride", {"Fe": 3}),
    ],
)
def test_family_and_states_follow_from_the_formula(formula: str, family: str, states: dict[str, Any]) -> None:
    found = chemistry(Composition(formula))

    assert found.family == family
    assert dict(found.states) == pytest.approx(states, abs=0.05)


def test_pool_is_joined_with_the_table_of_voltages(truth: Callable[[str], Path]) -> None:
    material = cathode_materials([row()], truth("3.45"))["LiFePO4-olivine"]

    assert material.voltage == 3.45
    assert material.two_phase
    assert material.host_capacity == pytest.approx(169.9, abs=0.1)


def test_an_entry_without_a_voltage_is_named(truth: Callable[[str], Path]) -> None:
    stranger = PoolRow("LiXO2", row().structure, row().host)

    with pytest.raises(LabError, match="no row for 'LiXO2'"):
        cathode_materials([stranger], truth("3.45"))


def test_a_voltage_that_is_no_number_is_named(truth: Callable[[str], Path]) -> None:
    with pytest.raises(LabError, match="is nan"):
        cathode_materials([row()], truth("nan"))


def test_an_entry_without_a_host_is_named(truth: Callable[[str], Path]) -> None:
    with pytest.raises(LabError, match="no delithiated host"):
        cathode_materials([row(host=False)], truth("3.45"))
