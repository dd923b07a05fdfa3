"""The whole command on a data folder with two pools."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import DataError
from benchmarks.pools.run import Benchmark, Chosen, show
from tests.benchmarks.crystal_tables import METALS, write_carbon, write_table

# CHGNet's weights are read by a function of torch's that is on its way out.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


@pytest.fixture
def benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Benchmark:
    """Return a benchmark on twenty-two perovskites and five kinds of carbon."""
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    data = tmp_path / "data"
    pairs = [(a, b) for a in METALS[:5] for b in METALS[:5] if a != b]
    rows = [(a, b, "OOO", index / 20) for index, (a, b) in enumerate(pairs)]
    write_table(data / "perovskites" / "half.csv", [*rows, ("Sr", "Ti", "NNN", 1.0), ("Ba", "Ti", "OOS", 2.0)])
    write_carbon(data / "carbon" / "table.csv", [-9.1, -9.2, -9.0, -8.8, -8.9])
    return Benchmark(data, 2, 1, tmp_path / "results.jsonl", tmp_path / "tables.md")


@pytest.mark.timeout(120)
def test_every_pool_has_its_tasks_and_tables(benchmark: Benchmark) -> None:
    show(benchmark, Chosen(("random",), (), ("carbon:energy_per_atom:max",)))
    assert benchmark.page is not None
    page = benchmark.page.read_text()
    for title in ("heat", "gap", "score", "carbon-energy_per_atom-max"):
        assert f"### {title}: share of the top 1 %" in page
    assert "perovskites 20, carbon 5" in page or "carbon 5, perovskites 20" in page
    assert "### rankings without any label" in page


def test_arms_and_tasks_that_do_not_exist_are_refused(benchmark: Benchmark) -> None:
    with pytest.raises(DataError, match="did you mean 'random'"):
        show(benchmark, Chosen(("randon",), (), ()))
    with pytest.raises(DataError, match="there is no task 'heats', did you mean 'heat'"):
        show(benchmark, Chosen((), ("heats",), ()))
