"""Composition features are the statistics that they are named after, and see nothing but the composition."""

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from surrogates.features.composition import COLUMNS, CompositionFeatures, statistics
from surrogates.features.elements import property_values
from tests.space_groups import crystal_of


def rock_salt(*elements: str, a: float = 4.2) -> Structure:
    return crystal_of("Fm-3m", Lattice.cubic(a), elements, [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_columns_are_named_and_hold_their_statistics() -> None:
    vector = CompositionFeatures().evaluate([rock_salt("Mg", "O")]).vectors[0]
    row = dict(zip(COLUMNS, vector, strict=True))
    spread = property_values("electronegativity")[1:].std()
    values = property_values("electronegativity")[[12, 8]] - property_values("electronegativity")[1:].mean()
    assert row["mean electronegativity"] == pytest.approx(values.mean() / spread, rel=1e-5)
    assert row["mean deviation electronegativity"] == pytest.approx(np.ptp(values) / 2 / spread, rel=1e-5)
    assert row["least electronegativity"] == pytest.approx(values.min() / spread, rel=1e-5)
    assert row["greatest electronegativity"] == pytest.approx(values.max() / spread, rel=1e-5)
    assert row["range electronegativity"] == pytest.approx(np.ptp(values) / spread, rel=1e-5)
    assert row["number of elements"] == 2
    assert row["norm of fractions"] == pytest.approx(0.5**0.5)


def test_neither_structure_nor_size_of_the_cell_matters() -> None:
    small, large = rock_salt("Mg", "O").get_primitive_structure(), rock_salt("O", "Mg", a=5.0)
    vectors = CompositionFeatures().evaluate([small, large]).vectors
    np.testing.assert_array_equal(*vectors)


def test_a_row_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(0)
    cells = [rng.integers(1, 104, rng.integers(1, 40)) for _ in range(60)]
    together = statistics(cells)
    assert np.isfinite(together).all()
    for cell, row in zip(cells, together, strict=True):
        assert np.array_equal(statistics([cell])[0], row)


def test_the_version_names_the_library_and_the_code() -> None:
    assert CompositionFeatures().version.startswith("pymatgen-")
    assert CompositionFeatures().version == CompositionFeatures().version
