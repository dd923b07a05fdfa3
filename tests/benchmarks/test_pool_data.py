"""Data folders: every table of a pool counts, what cannot be used is left out and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.errors import DataError
from benchmarks.pools.crystals import Crystals, read_pools
from benchmarks.pools.suite import Wanted, is_searched, parse_wanted, settings
from tests.benchmarks.crystal_tables import crystals, write_table


def quiet(_done: int, _total: int) -> None:
    """Show no progress."""


def read(folder: Path) -> tuple[tuple[Crystals, ...], list[str]]:
    said: list[str] = []
    return read_pools(folder, said.append, quiet), said


def test_all_tables_of_a_folder_make_one_pool_and_others_are_skipped(tmp_path: Path) -> None:
    write_table(tmp_path / "perovskites" / "one.csv", [("Sr", "Ti", "OOO", 0.1), ("Ba", "Ti", "OOO", 0.2)])
    write_table(tmp_path / "perovskites" / "two.csv", [("Ca", "Ti", "OOS", 0.3)])
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "data.csv").write_text("a,b\n1,2\n")
    (pool,), said = read(tmp_path)
    assert pool.name == "perovskites"
    assert pool.columns["heat_all"].tolist() == [0.1, 0.2, 0.3]
    assert pool.ids == ("one0", "one1", "two0")
    assert said == ["recipes: skipped, no table with a column 'cif'"]


def test_repeated_and_unreadable_cells_are_left_out_and_counted(tmp_path: Path) -> None:
    file = tmp_path / "pool" / "one.csv"
    write_table(file, [("Sr", "Ti", "OOO", 0.1), ("Sr", "Ti", "OOO", 0.1), ("Ba", "Ti", "OOO", 0.2)])
    file.write_text(file.read_text() + "x,not a crystal,x,0.5,0.0\n")
    (pool,), said = read(tmp_path)
    assert pool.columns["heat_all"].tolist() == [0.1, 0.2]
    assert len(said) == 1
    assert "2 of 4 rows left out" in said[0]


def test_a_folder_without_a_pool_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pool"):
        read(tmp_path)


def test_nitrides_and_oxysulphides_are_the_database_of_the_perovskites(tmp_path: Path) -> None:
    rows = [("Sr", "Ti", anions, 0.1) for anions in ("OOO", "OON", "ONN", "OOF", "FNO", "NNN", "OOS")]
    write_table(tmp_path / "perovskites" / "one.csv", rows)
    (pool,), _ = read(tmp_path)
    assert is_searched(pool).tolist() == [True] * 5 + [False] * 2
    heat, gap, score = settings([pool], [], print)
    assert [each.task.name for each in (heat, gap, score)] == ["heat", "gap", "score"]
    assert (len(heat.pool), len(heat.database)) == (5, 2)


def test_energies_of_any_other_pool_are_minimised_unless_a_task_is_named() -> None:
    pool = crystals(30)
    (lowest,) = settings([pool], [], print)
    (largest,) = settings([pool], [parse_wanted("made up:dir_gap:max")], print)
    assert lowest.pool.columns["heat_all"][lowest.best] == pool.columns["heat_all"].min()
    assert largest.pool.columns["dir_gap"][largest.best] == pool.columns["dir_gap"].max()


@pytest.mark.parametrize(
    ("wanted", "message"),
    [(Wanted("mad up", "heat_all", 1.0), "did you mean 'made up'"), (Wanted("made up", "heat", 1.0), "has no column")],
)
def test_a_task_on_what_there_is_not_is_refused(wanted: Wanted, message: str) -> None:
    with pytest.raises(DataError, match=message):
        settings([crystals(30)], [wanted], print)


def test_a_task_in_another_form_is_refused() -> None:
    with pytest.raises(DataError, match="pool:column:min"):
        parse_wanted("carbon:energy")


def test_taking_rows_takes_them_of_everything() -> None:
    pool = crystals(30)
    part = pool.take(np.array([3, 1]))
    assert part.ids == (pool.ids[3], pool.ids[1])
    assert part.columns["heat_all"].tolist() == pool.columns["heat_all"][[3, 1]].tolist()
    assert all(np.array_equal(view, pool.views[name][[3, 1]]) for name, view in part.views.items())
    assert part.energy.tolist() == pool.energy[[3, 1]].tolist()
