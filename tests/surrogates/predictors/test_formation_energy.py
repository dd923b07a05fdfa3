"""CHGNet's formation energies are those of density-functional theory to a tenth of an eV or two, and rank compounds."""

import numpy as np
import pytest
from pymatgen.core import Composition, Lattice, Structure

from campaigns.errors import ModelError
from surrogates.features.chgnet_model import ChgnetModel
from surrogates.pools.pool import Pool, PoolEntry
from surrogates.predictors.element_crystals import element_crystal
from surrogates.predictors.formation_energy import chgnet_formation_energy, element_energy, reference_energy


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path_factory.getbasetemp() / "formation"))


def pool(*structures: Structure) -> Pool:
    return Pool("test", tuple(PoolEntry(f"entry {i}", each) for i, each in enumerate(structures)))


def rock_salt(cation: str, anion: str, a: float) -> Structure:
    lattice = Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]])
    return Structure(lattice, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


@pytest.mark.parametrize(
    ("structure", "measured"),
    [  # standard enthalpies of formation of the CRC Handbook of Chemistry and Physics, kJ/mol over 96.485 and atoms
        (rock_salt("Mg", "O", 4.21), -3.12),
        (rock_salt("Na", "Cl", 5.64), -2.13),
        (rock_salt("Li", "F", 4.03), -3.19),
        (rock_salt("Ti", "N", 4.24), -1.75),
    ],
)
def test_is_near_the_measured_enthalpy(structure: Structure, measured: float) -> None:
    assert chgnet_formation_energy(pool(structure))[0] == pytest.approx(measured, abs=0.25)


def test_elements_have_none() -> None:
    assert chgnet_formation_energy.unit == "eV/atom"
    copper = Structure(Lattice.cubic(3.63), ["Cu"] * 4, [[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    assert chgnet_formation_energy(pool(copper))[0] == pytest.approx(0.0, abs=0.005)


def test_is_the_energy_less_the_elements_shares() -> None:
    energies = chgnet_formation_energy(pool(rock_salt("Mg", "O", 4.21), rock_salt("Mg", "O", 5.0)))
    model = ChgnetModel()
    raw = model.evaluate([rock_salt("Mg", "O", 4.21), rock_salt("Mg", "O", 5.0)]).energy
    assert energies[1] - energies[0] == pytest.approx(raw[1] - raw[0], abs=1e-6)
    assert reference_energy(Composition("MgO3"), model) == pytest.approx(
        0.25 * element_energy("Mg", model) + 0.75 * element_energy("O", model)
    )


def test_the_elements_crystals_are_at_their_lowest_energy() -> None:
    model = ChgnetModel()
    scaled = [element_crystal("Al").copy() for _ in range(25)]
    for cell, ratio in zip(scaled, np.linspace(0.9, 1.1, 25), strict=True):
        cell.scale_lattice(cell.volume * ratio)
    assert element_energy("Al", model) == pytest.approx(model.evaluate(scaled).energy.min(), abs=1e-3)


def test_an_element_that_is_unknown_is_named() -> None:
    with pytest.raises(ModelError, match="no reference energy of Po"):
        chgnet_formation_energy(pool(rock_salt("Po", "O", 4.9)))
