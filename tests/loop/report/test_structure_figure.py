from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from numpy.testing import assert_allclose
from pymatgen.core import Lattice, Structure

from loop.report.element_style import ELEMENTS
from loop.report.structure_figure import structure_figure
from loop.storage.pool_snapshot import Crystal
from tests.crystals import lithium_iron_phosphate
from tests.pools import perovskite


def crystal(structure: Structure) -> Crystal:
    symbols = tuple(site.specie.symbol for site in structure)
    return Crystal(structure.lattice.matrix, symbols, structure.frac_coords)


def balls(structure: Structure) -> dict[str, dict[str, Any]]:
    figure = structure_figure(crystal(structure))
    go.Figure(figure)
    return {trace["name"]: trace for trace in figure["data"] if trace["type"] == "mesh3d"}


def centres(ball: dict[str, Any], count: int) -> np.ndarray:
    points = np.array([ball["x"], ball["y"], ball["z"]]).T
    return points.reshape(count, -1, 3).mean(axis=1)


def segments(structure: Structure) -> list[tuple[np.ndarray, np.ndarray]]:
    found = []
    for trace in structure_figure(crystal(structure))["data"]:
        if trace["type"] == "scatter3d" and trace["line"]["width"] > 2:
            points = np.array([trace["x"], trace["y"], trace["z"]], dtype=float).T
            found += [(points[i], points[i + 1]) for i in range(0, len(points), 3)]
    return found


def test_atoms_on_faces_edges_and_corners_are_shown_on_all_of_them() -> None:
    found = balls(perovskite("Sr", "Ti", 3.905))
    assert list(found) == ["O", "Ti", "Sr"]
    sr = centres(found["Sr"], 8)
    assert sorted(map(tuple, sr.round(3).tolist())) == sorted(
        (x, y, z) for x in (0.0, 3.905) for y in (0.0, 3.905) for z in (0.0, 3.905)
    )
    assert centres(found["O"], 6).shape == (6, 3)
    assert_allclose(centres(found["Ti"], 1), [[3.905 / 2] * 3], atol=1e-3)


def test_balls_have_the_radius_of_their_element_and_look_outwards() -> None:
    ball = balls(Structure(Lattice.cubic(5.0), ["Fe"], [(0.5, 0.5, 0.5)]))["Fe"]
    points = np.array([ball["x"], ball["y"], ball["z"]]).T - 2.5
    assert_allclose(np.linalg.norm(points, axis=1), 0.42 * ELEMENTS["Fe"].radius, atol=2e-3)
    corners = points[np.array([ball["i"], ball["j"], ball["k"]]).T]
    assert (np.linalg.det(corners) > 0).all()
    assert ball["color"] == "#e06633"


def test_bonds_join_a_metal_to_its_oxygens_alone() -> None:
    structure = perovskite("Mg", "Ti", 3.905)
    halves = segments(structure)
    middle = np.full(3, 3.905 / 2)
    at_titanium = [half for half in halves if any(np.allclose(end, middle, atol=1e-2) for end in half)]
    assert len(at_titanium) == 6
    assert {round(float(np.linalg.norm(a - b)), 2) for a, b in at_titanium} == {round(3.905 / 4, 2)}


def test_phosphorus_counts_as_a_cation_beside_oxygen() -> None:
    longest = max(2 * float(np.linalg.norm(a - b)) for a, b in segments(lithium_iron_phosphate().structure))
    assert longest < 2.4, "Fe-P and P-P contacts are no bonds"


def test_an_alloy_is_bonded_too() -> None:
    assert segments(Structure(Lattice.cubic(2.95), ["Ni", "Al"], [(0, 0, 0), (0.5, 0.5, 0.5)]))


def test_the_cell_has_twelve_edges() -> None:
    figure = structure_figure(crystal(lithium_iron_phosphate().structure))
    (edges,) = [t for t in figure["data"] if t["type"] == "scatter3d" and t["line"]["width"] == 2]
    lengths = np.linalg.norm(np.diff(np.array([edges["x"], edges["y"], edges["z"]], dtype=float).T, axis=0), axis=1)
    assert sorted(lengths[np.isfinite(lengths)].round(2).tolist()) == [4.69] * 4 + [6.01] * 4 + [10.33] * 4


@pytest.mark.parametrize("count", [2, 5, 8])
def test_large_cells_are_drawn_more_coarsely(count: int) -> None:
    structure = Structure(Lattice.cubic(4.0), ["Cu"], [(0.5, 0.5, 0.5)]) * (count, count, count)
    ball = balls(structure)["Cu"]
    assert len(ball["x"]) // count**3 == {2: 162, 5: 42, 8: 12}[count]


def test_an_element_without_a_radius_is_drawn_all_the_same() -> None:
    odd = Crystal(np.eye(3) * 4.0, ("Xx", "O"), np.array([[0.1, 0.1, 0.1], [0.5, 0.5, 0.5]]))
    go.Figure(structure_figure(odd))
