"""The volume at the bottom of an energy–volume curve is found in a few energies."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

from surrogates.equation_of_state import relax_volume, scaled

CELL = Structure(Lattice.cubic(4.0), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def birch_murnaghan(best: float) -> Callable[[Structure], float]:
    """Return the third-order energy of a cell whose equilibrium edge is ``best`` (Å); B0 = 1 eV/Å3, B0' = 5."""

    def energy(cell: Structure) -> float:
        strain = (best / cell.lattice.a) ** 2 - 1
        return 9 / 16 * best**3 * (strain**3 * 5 + strain**2 * (6 - 4 * (strain + 1))) - 3.0

    return energy


@settings(deadline=None)
@given(st.floats(0.9, 1.1))
def test_finds_the_bottom_near_the_start(ratio: float) -> None:
    found = relax_volume(CELL, birch_murnaghan(4.0 * ratio), evaluations=8)
    assert found.scale == pytest.approx(ratio, abs=0.004)
    assert found.energy == pytest.approx(-3.0, abs=0.01)


def test_asks_no_more_often_than_it_may() -> None:
    asked = []

    def energy(cell: Structure) -> float:
        asked.append(cell)
        return birch_murnaghan(4.7)(cell)

    relax_volume(CELL, energy, evaluations=5)
    assert len(asked) == 5


def test_never_leaves_the_limits_and_says_that_there_is_no_minimum() -> None:
    falling = relax_volume(CELL, lambda cell: -cell.volume, evaluations=30)
    rising = relax_volume(CELL, lambda cell: cell.volume, evaluations=30)
    assert (falling.scale, rising.scale) == (1.25, 0.8)
    assert not falling.minimum
    assert not rising.minimum


def test_a_search_that_ends_on_a_slope_has_found_no_minimum() -> None:
    assert relax_volume(CELL, birch_murnaghan(4.0), evaluations=3).minimum
    assert not relax_volume(CELL, birch_murnaghan(4.6), evaluations=4).minimum


def test_scaling_keeps_shape_and_fractional_coordinates() -> None:
    bigger = scaled(CELL, 1.1)
    assert bigger.volume == pytest.approx(CELL.volume * 1.331)
    assert (bigger.frac_coords == CELL.frac_coords).all()
