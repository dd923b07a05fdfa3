import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from surrogates.pools.duplicates import APART, duplicates, neighbour_distances
from surrogates.pools.entry_reading import likeness_of
from tests.space_groups import crystal_of
from tests.surrogates.pools.crystal_files import perovskite, salt

CELLS = (
    np.eye(3),
    np.diag([2, 1, 1]),
    np.diag([1, 2, 3]),
    [[1, 1, 0], [-1, 1, 0], [0, 0, 1]],
    [[1, 5, 0], [0, 1, 0], [0, 0, 1]],
)
"""Supercells, and another choice of the same cell."""


def found(*structures: Structure) -> dict[int, int]:
    return duplicates([likeness_of(s) for s in structures], lambda number: structures[number], lambda *_: None)


def rewritten(structure: Structure, seed: int, noise: float = 0.0) -> Structure:
    """The same crystal in another cell, order, origin and orientation, with its atoms moved by ``noise`` Å."""
    rng = np.random.default_rng(seed)
    other = structure.copy()
    other.make_supercell(CELLS[rng.integers(len(CELLS))])
    if noise:
        other.perturb(noise, seed=seed)
    order = rng.permutation(len(other))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    coords = other.frac_coords[order] + rng.random(3)
    return Structure(Lattice(other.lattice.matrix @ turn), [other[int(i)].specie for i in order], coords)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_description_knows_no_cell_no_order_and_no_orientation(seed: int) -> None:
    crystal = perovskite()
    assert np.allclose(neighbour_distances(crystal), neighbour_distances(rewritten(crystal, seed)), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.001, 0.05))
def test_small_moves_change_the_description_little(seed: int, noise: float) -> None:
    crystal = perovskite() * (1, 1, 2)
    moved = rewritten(crystal, seed, noise)
    spacing = (crystal.volume / len(crystal)) ** (1 / 3)
    assert np.abs(neighbour_distances(crystal) - neighbour_distances(moved)).max() <= 2 * noise / spacing + 1e-6


def test_a_crystal_written_otherwise_is_the_same() -> None:
    assert found(perovskite(), salt(), rewritten(perovskite(), 1), rewritten(salt(), 2, 0.02)) == {2: 0, 3: 1}


def test_the_first_of_several_is_kept() -> None:
    assert found(*[rewritten(salt(), seed) for seed in range(4)]) == {1: 0, 2: 0, 3: 0}


def test_other_formulas_volumes_and_arrangements_are_not_the_same() -> None:
    inverse = perovskite("Ti", "Sr", edge=3.905)
    zincblende = Structure(salt().lattice, ["Na", "Cl"], [[0, 0, 0], [0.25, 0.25, 0.25]])
    assert found(perovskite(), inverse, salt(), zincblende, salt(a=5.9), salt("K")) == {}


def test_a_slightly_larger_cell_is_the_same() -> None:
    assert found(salt(), salt(a=5.7)) == {1: 0}


def test_a_distortion_makes_another_crystal() -> None:
    polar = perovskite()
    polar.translate_sites([1], [0, 0, 0.05])
    assert found(perovskite(), polar) == {}


def test_cheap_descriptions_differ_for_polytypes() -> None:
    """Cubic and hexagonal diamond have the same first two shells."""
    cubic = crystal_of("Fd-3m", Lattice.cubic(3.57), ["C"], [[0, 0, 0]])
    hexagonal = crystal_of("P6_3/mmc", Lattice.hexagonal(2.52, 4.12), ["C"], [[1 / 3, 2 / 3, 0.0625]])
    assert np.abs(neighbour_distances(cubic) - neighbour_distances(hexagonal)).max() > APART
    assert found(cubic, hexagonal) == {}


QUARTZ = crystal_of(
    "P3_121", Lattice.hexagonal(4.913, 5.405), ["Si", "O"], [[0.4697, 0, 1 / 3], [0.4135, 0.2669, 0.2143]]
)
SELENIUM = crystal_of("P3_121", Lattice.hexagonal(4.366, 4.954), ["Se"], [[0.225, 0, 1 / 3]])
FESI = crystal_of("P2_13", Lattice.cubic(4.489), ["Fe", "Si"], [[0.137] * 3, [0.842] * 3])
WURTZITE = crystal_of("P6_3mc", Lattice.hexagonal(3.82, 6.26), ["Zn", "S"], [[1 / 3, 2 / 3, 0], [1 / 3, 2 / 3, 0.375]])


def turned(structure: Structure, seed: int, noise: float) -> Structure:
    """The same crystal, turned but not reflected, with another origin and its atoms moved by ``noise`` Å."""
    rng = np.random.default_rng(seed)
    other = structure * (1, 1, 2)
    if noise:
        other.perturb(noise, seed=seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn *= np.sign(np.linalg.det(turn))
    return Structure(Lattice(other.lattice.matrix @ turn), other.species, other.frac_coords + rng.random(3))


@pytest.mark.parametrize("crystal", [QUARTZ, SELENIUM, FESI], ids=["quartz", "selenium", "FeSi"])
@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_mirror_images_are_not_the_same_and_rotated_crystals_are(crystal: Structure, noise: float) -> None:
    image = Structure(crystal.lattice, crystal.species, -crystal.frac_coords)
    assert found(crystal, turned(image, 1, noise), turned(crystal, 2, noise), turned(image, 3, noise)) == {2: 0, 3: 1}


@pytest.mark.parametrize("crystal", [WURTZITE, perovskite(), salt()], ids=["wurtzite", "perovskite", "salt"])
def test_a_crystal_that_is_its_own_mirror_image_is_the_same(crystal: Structure) -> None:
    image = Structure(crystal.lattice, crystal.species, -crystal.frac_coords)
    assert found(crystal, turned(image, 4, 0.03)) == {1: 0}


def test_settings_are_the_same_and_antisites_are_not() -> None:
    pnma = crystal_of(
        "Pnma",
        Lattice.orthorhombic(5.44, 7.65, 5.38),
        ["Ca", "Ti", "O", "O"],
        [[0.036, 0.25, 0.993], [0, 0, 0.5], [0.484, 0.25, 0.071], [0.289, 0.037, 0.711]],
    )
    pbnm = Structure(Lattice.orthorhombic(5.38, 5.44, 7.65), pnma.species, pnma.frac_coords[:, [2, 0, 1]])
    spinel = crystal_of("Fd-3m:2", Lattice.cubic(8.08), ["Mg", "Al", "O"], [[0.125] * 3, [0.5] * 3, [0.2624] * 3])
    antisite = spinel.copy()
    antisite.replace(0, "Al")
    antisite.replace(8, "Mg")
    assert found(pnma, pbnm) == {1: 0}
    assert found(spinel, spinel.get_primitive_structure(), antisite) == {1: 0}


def test_progress_counts_the_crystals_that_share_a_formula() -> None:
    seen: list[tuple[int, int]] = []
    crystals = [salt(), perovskite(), rewritten(salt(), 3)]
    duplicates([likeness_of(s) for s in crystals], lambda i: crystals[i], lambda *told: seen.append(told))
    assert seen[-1] == (2, 2)
