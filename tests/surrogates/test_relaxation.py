"""Cells are scaled to the volume that CHGNet prefers, in order; those without one come back with the reason."""

from collections.abc import Iterator

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogates.features.chgnet_model import ChgnetModel
from surrogates.parallel import scheduling
from surrogates.relaxation import relax_volumes


def perovskite(a: float, cation: str = "Sr") -> Structure:
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(a), [cation, "Ti", "O", "O", "O"], sites)


def lonely() -> Structure:
    return Structure(Lattice.cubic(30), ["Cu"], [[0, 0, 0]])


@pytest.mark.parametrize("a", [3.6, 3.9, 4.3])
def test_the_lattice_constant_is_found_from_afar(a: float) -> None:
    (found,) = relax_volumes([perovskite(a)])
    assert found.problem is None
    assert found.structure.lattice.a == pytest.approx(3.94, abs=0.02)  # PBE; measured is 3.905
    assert found.structure.lattice.a == pytest.approx(a * found.scale)


def test_the_energy_is_higher_on_both_sides() -> None:
    (found,) = relax_volumes([perovskite(4.1, "Ba")])
    cells = [found.structure.copy() for _ in range(3)]
    for cell, scale in zip(cells, (0.985, 1.0, 1.015), strict=True):
        cell.scale_lattice(found.structure.volume * scale**3)
    assert ChgnetModel().evaluate(cells).energy.argmin() == 1


def test_shape_and_coordinates_stay() -> None:
    skewed = Structure(Lattice.from_parameters(4.0, 4.1, 4.2, 85, 95, 100), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.45, 0.5]])
    found = next(relax_volumes([skewed])).structure
    assert (found.frac_coords == skewed.frac_coords).all()
    assert found.lattice.angles == pytest.approx(skewed.lattice.angles)
    assert np.ptp(np.divide(found.lattice.abc, skewed.lattice.abc)) < 1e-9
    assert found.volume != pytest.approx(skewed.volume, rel=0.01)


def test_a_cell_without_equilibrium_is_given_back_with_the_reason() -> None:
    alone, too_small, fine = relax_volumes([lonely(), perovskite(2.6), perovskite(3.9)])
    assert "cannot evaluate Cu1 (atoms without a neighbour" in alone.problem
    assert "no equilibrium volume for Sr1 Ti1 O3: the energy still falls at 1.25 times the lengths" in too_small.problem
    for settled, given in ((alone, lonely()), (too_small, perovskite(2.6))):
        assert settled.structure == given
        assert settled.scale == 1.0
    assert fine.problem is None


@pytest.mark.slow
def test_many_cells_come_in_order_from_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "_WORTH_A_WORKER", 0.0)
    monkeypatch.setattr(scheduling, "cores", lambda: 2)
    edges = np.linspace(3.8, 4.1, 60)
    found = list(relax_volumes(perovskite(a) for a in edges))
    assert [each.structure.lattice.a / each.scale for each in found] == pytest.approx(edges)
    assert found[40].structure == next(relax_volumes([perovskite(edges[40])])).structure


@pytest.mark.slow
def test_a_source_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surrogates.relaxation._MANY", 20)
    monkeypatch.setattr(scheduling, "cores", lambda: 1)

    def endless() -> Iterator[Structure]:
        while True:
            yield perovskite(3.9)

    assert next(relax_volumes(endless())).structure.lattice.a == pytest.approx(3.94, abs=0.02)
