"""The throughput benchmark compares like with like."""

import numpy as np
import pytest
from rich.console import Console

from benchmarks.throughput import ATOMS, agreement, by_stock, by_us, compare, crystals, in_double, operations, speed

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        "ignore:Converting a tensor with requires_grad=True:UserWarning"  # stock CHGNet
    ),
]


@pytest.mark.parametrize("atoms", ATOMS)
def test_crystals_have_the_size_and_each_turn_the_same_number_of_atoms(atoms: int) -> None:
    structures = crystals(atoms)
    assert {len(structure) for structure in structures} == {atoms}
    assert atoms * len(structures) == 240
    assert all(structure.is_valid(tol=1.5) for structure in structures)
    assert structures == crystals(atoms)


def test_both_evaluate_the_same() -> None:
    structures = crystals(5)[:4]
    ours, theirs = by_us(structures), by_stock(structures)
    np.testing.assert_allclose(ours.energy, theirs.energy, rtol=1e-5)
    np.testing.assert_allclose(ours.vectors, theirs.vectors, atol=1e-4)
    np.testing.assert_allclose(in_double(structures, "0.3.0"), theirs.vectors, atol=1e-4)


def test_operations_are_counted_and_are_fewer_than_those_of_stock() -> None:
    structures = crystals(5)[:3]
    ours = operations(lambda: by_us(structures))
    assert operations(lambda: by_us(structures * 2)) == pytest.approx(2 * ours)
    assert 1e8 < ours < 0.5 * operations(lambda: by_stock(structures))


def test_tables_say_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    measured = compare(5, turns=1)
    assert measured.ours.shape == measured.stock.shape == (1,)
    assert 0 < measured.graphs < 1
    console = Console(width=200)
    console.print(speed([measured]))
    console.print(agreement())
    said = capsys.readouterr().out
    assert "ours over stock" in said
    assert "ours, % of that limit" in said
    assert "r2scan" in said
