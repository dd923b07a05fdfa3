"""Our graphs are those that CHGNet's own converter makes."""

import numpy as np
import pytest
from chgnet.graph import CrystalGraphConverter
from pymatgen.core import Lattice, Structure

from surrogates.features.chgnet_graph import crystal_graph
from tests.space_groups import crystal_of

pytestmark = pytest.mark.filterwarnings(
    "ignore:Converting a tensor with requires_grad=True:UserWarning"  # stock CHGNet
)

RUTILE = crystal_of("P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]])
IRON = Structure(Lattice.cubic(2.87), ["Fe", "Fe"], [[0, 0, 0], [0.5, 0.5, 0.5]])
SKEWED = Structure(
    Lattice.from_parameters(3.1, 4.2, 5.3, 70, 80, 115), ["Si", "O", "O"], [[0, 0, 0], [0.4, 0.3, 0.5], [0.8, 0.9, 0.6]]
)


@pytest.mark.parametrize("crystal", [RUTILE, IRON, SKEWED])
def test_edges_and_angles_are_those_of_stock_chgnet(crystal: Structure) -> None:
    ours = crystal_graph(crystal, 6, 3)
    stock = CrystalGraphConverter(atom_graph_cutoff=6, bond_graph_cutoff=3)(crystal)
    assert sorted(map(tuple, ours.edges[:2].T)) == sorted(map(tuple, stock.atom_graph.tolist()))
    assert len(ours.lengths) == len(stock.undirected2directed)
    assert len(ours.pairs) == len(stock.bond_graph)
    angles_of = np.bincount(ours.angles[2], minlength=len(crystal))
    assert angles_of.tolist() == np.bincount(stock.bond_graph[:, 0].numpy(), minlength=len(crystal)).tolist()


@pytest.mark.parametrize("crystal", [RUTILE, IRON, SKEWED])
def test_each_pair_of_directions_makes_two_angles_of_the_same_size(crystal: Structure) -> None:
    graph = crystal_graph(crystal, 6, 3)
    assert np.bincount(graph.pairs).tolist() == [2] * len(graph.spread)
    first, second, atom = graph.angles
    one, other = np.argsort(graph.pairs, kind="stable").reshape(-1, 2).T
    assert np.array_equal(first[one], second[other])
    assert np.array_equal(second[one], first[other])
    assert np.array_equal(atom[one], atom[other])


def test_angles_are_right() -> None:
    square = Structure(Lattice.tetragonal(2.0, 5.0), ["C"], [[0, 0, 0]])
    graph = crystal_graph(square, 6, 2.5)
    assert graph.short == 2
    degrees, counts = np.unique(np.degrees(graph.spread).round().astype(int), return_counts=True)
    assert dict(zip(degrees.tolist(), counts.tolist(), strict=True)) == {90: 4, 180: 2}


def test_short_bonds_come_first() -> None:
    graph = crystal_graph(RUTILE, 6, 3)
    assert (graph.lengths[: graph.short] < 3).all()
    assert (graph.lengths[graph.short :] >= 3).all()
