"""Site features tell which element sits where, whatever the elements, the order of the sites and small distortions."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogates.features.elements import PROPERTIES, scaled_properties
from surrogates.features.sites import COLUMNS, KINDS, SiteFeatures
from tests.space_groups import crystal_of

LARGE, SMALL, ANIONS = (0, 0, 0), (0.5, 0.5, 0.5), [(0.5, 0.5, 0), (0.5, 0, 0.5), (0, 0.5, 0.5)]


def perovskite(large: str, small: str, anions: str = "OOO", a: float = 4.0) -> Structure:
    return Structure(Lattice.cubic(a), [large, small, *anions], [LARGE, SMALL, *ANIONS])


def rows(*structures: Structure) -> np.ndarray:
    """Return share, coordination and properties of each kind of site, n x kinds x columns."""
    vectors = SiteFeatures().evaluate(structures).vectors
    assert vectors.shape == (len(structures), len(COLUMNS))
    return vectors.reshape(len(structures), KINDS, -1)


def elements(*numbers: int) -> np.ndarray:
    return scaled_properties()[list(numbers)].mean(axis=0)


def test_a_perovskite_has_the_large_site_then_the_small_one_then_the_anions() -> None:
    (row,) = rows(perovskite("Sr", "Ti"))
    np.testing.assert_allclose(row[:, 0], [0.2, 0.2, 0.6, 0], atol=1e-6)
    assert row[0, 1] * 6 == pytest.approx(12, abs=1.5)
    assert row[1, 1] * 6 == pytest.approx(6, abs=0.1)
    for kind, number in enumerate((38, 22, 8)):
        np.testing.assert_allclose(row[kind, 2:], elements(number), atol=1e-6)
    assert not row[3].any()


def test_mixed_anions_are_averaged() -> None:
    (row,) = rows(perovskite("Ba", "Ta", "OON"))
    np.testing.assert_allclose(row[2, 2:], elements(8, 8, 7), atol=1e-6)


@pytest.mark.parametrize(("large", "small"), [("Sr", "Ti"), ("Ti", "Sr"), ("Be", "Cs"), ("Cs", "Be"), ("Pt", "Au")])
def test_elements_are_seen_on_their_sites_even_where_they_are_swapped(large: str, small: str) -> None:
    cell = perovskite(large, small)
    (row,) = rows(cell)
    np.testing.assert_allclose(row[0, 2:], scaled_properties()[cell[0].specie.Z], atol=1e-6)
    np.testing.assert_allclose(row[1, 2:], scaled_properties()[cell[1].specie.Z], atol=1e-6)


def test_the_order_of_the_sites_and_the_origin_do_not_matter() -> None:
    cell = perovskite("Sr", "Ti")
    reordered = Structure.from_sites([cell[i] for i in (3, 1, 4, 0, 2)])
    shifted = cell.copy()
    shifted.translate_sites(range(5), [0.5, 0.5, 0.5])
    supercell = cell * (2, 2, 1)
    found = rows(cell, reordered, shifted, supercell)
    for other in found[1:]:
        np.testing.assert_allclose(other, found[0], atol=1e-5)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("pair", [("Sr", "Ti"), ("Ti", "Sr"), ("La", "Al")])
def test_small_distortions_change_little(pair: tuple[str, str], seed: int) -> None:
    ideal = perovskite(*pair)
    rng = np.random.default_rng(seed)
    strain = np.eye(3) + rng.normal(0, 0.015, (3, 3))
    moved = ideal.cart_coords + rng.normal(0, 0.05, (5, 3))
    cell = Structure(ideal.lattice.matrix @ strain, ideal.species, moved @ strain, coords_are_cartesian=True)
    before, after = rows(ideal, cell)
    np.testing.assert_allclose(after[:, 2:], before[:, 2:], atol=1e-6)
    np.testing.assert_allclose(after[:, 1], before[:, 1], rtol=0.15)


def test_tilted_octahedra_stay_a_perovskite() -> None:
    """GdFeO3: Marezio, Remeika and Dernier, Acta Cryst. B26, 2008 (1970)."""
    sites = {"Gd": (0.0626, 0.25, -0.0158), "Fe": (0, 0, 0.5)}
    oxygen = [(0.467, 0.25, 0.1007), (0.3012, 0.0506, -0.3035)]
    lattice = Lattice.orthorhombic(5.611, 7.669, 5.349)
    cell = crystal_of("Pnma", lattice, [*sites, "O", "O"], [*sites.values(), *oxygen])
    (row,) = rows(cell)
    np.testing.assert_allclose(row[:, 0], [0.2, 0.2, 0.6, 0], atol=1e-6)
    for kind, number in enumerate((64, 26, 8)):
        np.testing.assert_allclose(row[kind, 2:], elements(number), atol=1e-6)


def test_tetrahedra_and_octahedra_of_a_spinel_are_different_kinds() -> None:
    places = [(0.125, 0.125, 0.125), (0.5, 0.5, 0.5), (0.2624, 0.2624, 0.2624)]
    cells = [crystal_of("Fd-3m:2", Lattice.cubic(8.08), [*pair, "O"], places) for pair in (("Mg", "Al"), ("Al", "Mg"))]
    normal, swapped = rows(*cells)
    np.testing.assert_allclose(normal[:3, 0], [2 / 7, 1 / 7, 4 / 7], atol=1e-6)
    np.testing.assert_allclose(normal[0, 2:], elements(13), atol=1e-6)
    np.testing.assert_allclose(swapped[0, 2:], elements(12), atol=1e-6)


def test_more_kinds_than_there_are_columns_for_are_merged_and_nothing_is_lost() -> None:
    rng = np.random.default_rng(3)
    species = rng.choice(["Li", "Fe", "P", "O", "F", "Cs"], 30)
    cell = Structure(Lattice.cubic(7.5), species, rng.random((30, 3)))
    (row,) = rows(cell)
    assert row[:, 0].sum() == pytest.approx(1)
    assert (row[:, 0] > 0).all()
    numbers = [site.specie.Z for site in cell]
    np.testing.assert_allclose((row[:, :1] * row[:, 2:]).sum(axis=0), elements(*numbers), atol=1e-5)


def test_an_element_has_one_kind_of_site() -> None:
    (row,) = rows(crystal_of("Fd-3m", Lattice.cubic(3.57), ["C"], [[0, 0, 0]]))
    assert row[:, 0].tolist() == [1, 0, 0, 0]
    assert row[0, 2:] == pytest.approx(scaled_properties()[6])
    assert len(PROPERTIES) == row.shape[1] - 2


def test_a_row_does_not_depend_on_the_others() -> None:
    cells = [perovskite("Sr", "Ti"), perovskite("K", "Nb") * (2, 1, 1), perovskite("La", "Al")]
    together = SiteFeatures().evaluate(cells).vectors
    for cell, row in zip(cells, together, strict=True):
        assert np.array_equal(SiteFeatures().evaluate([cell]).vectors[0], row)
