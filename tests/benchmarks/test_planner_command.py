"""The whole command on a data folder with two tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.errors import DataError, start
from benchmarks.ledger import Ledger
from benchmarks.planner.__main__ import main
from benchmarks.planner.arms import ARMS
from benchmarks.planner.probe import measure
from benchmarks.planner.run import Benchmark, Chosen, show
from tests.benchmarks.experiment_tables import write

pytestmark = pytest.mark.slow


@pytest.fixture
def benchmark(tmp_path: Path) -> Benchmark:
    """Return a benchmark on two small tables."""
    for name, goal in (("left", "minimize"), ("right", "maximize")):
        write(tmp_path / "data" / name, [f"{i % 7},{i},{(i * 13) % 40}" for i in range(40)], goal=goal)
    return Benchmark(tmp_path / "data", 2, 1, tmp_path / "results.jsonl", tmp_path / "tables.md")


@pytest.mark.timeout(120)
def test_every_task_has_its_table_and_what_is_done_is_kept(benchmark: Benchmark) -> None:
    chosen = Chosen(("random",), ("left", "right", "branin", "left-faulty"), robustness=True)
    show(benchmark, chosen)
    assert benchmark.page is not None
    page = benchmark.page.read_text()
    for title in (
        "left: 40 rows",
        "right, held out: 40 rows",
        "branin: regret",
        "a tenth of the readings",
        "4 stations",
    ):
        assert f"### {title}" in page
    done = benchmark.results.read_text()
    assert len(done.splitlines()) == 2 * (4 + 2)
    show(benchmark, chosen)
    assert benchmark.results.read_text() == done


def test_engines_and_tasks_that_do_not_exist_are_refused(benchmark: Benchmark) -> None:
    with pytest.raises(DataError, match="there is no engine 'randon', did you mean 'random'"):
        show(benchmark, Chosen(("randon",)))
    with pytest.raises(DataError, match="there is no task 'brain'"):
        show(benchmark, Chosen((), ("brain",)))
    assert Ledger(benchmark.results).find("") is None


def test_what_is_wrong_with_the_data_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["planner", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        start(main)
    assert ended.value.code == 2
    assert capsys.readouterr().err == f"error: no table in {tmp_path}: no folder in it holds config.json and data.csv\n"


def test_costs_are_measured_on_a_pool_of_a_thousand_rows() -> None:
    random = next(arm for arm in ARMS if arm.name == "random")
    cost = measure(random, "pool", 10)
    assert cost.cpu < 1.0
    assert cost.memory > 1e7
    assert not cost.unfit
