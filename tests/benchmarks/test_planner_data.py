"""Tables are read as they are meant, and functions know their optimum."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.errors import DataError
from benchmarks.planner.boxes import Box, boxes, uneven
from benchmarks.planner.space import Choice, Left, Numbers, Occasion, Real
from benchmarks.planner.tables import read_tables, with_faults
from tests.benchmarks.experiment_tables import bowl, turned, write


def quiet(_: str) -> None:
    """Hear nothing."""


def test_rows_with_equal_parameters_are_one_row_with_their_mean(tmp_path: Path) -> None:
    write(tmp_path / "one", ["1,5,2.0", "0,7,1.0", "1,5,4.0"])
    (table,) = read_tables(tmp_path, quiet)
    assert table.task.rows is not None
    assert table.task.rows.tolist() == [[0.0, 7.0], [1.0, 5.0]]
    assert table.values.tolist() == [1.0, 3.0]
    assert table.merit.tolist() == [-1.0, -3.0]


def test_categories_stay_categories_and_constants_are_no_parameters(tmp_path: Path) -> None:
    write(tmp_path / "one", ["Pd,3,1,0.1", "Cu,3,2,0.2"], ("categorical", "continuous", "continuous"), "maximize")
    (table,) = read_tables(tmp_path, quiet)
    assert table.task.parameters == (Choice("p0", ("Cu", "Pd")), Real("p2", 1.0, 2.0))
    assert table.task.named(table.task.rows[0]) == {"p0": "Cu", "p2": 2.0}


def test_rows_with_gaps_are_left_out_and_that_is_told(tmp_path: Path) -> None:
    write(tmp_path / "one", ["1,5,2.0", "2,,1.0", "3,NULL,1.0", "4,6,n/a"])
    said: list[str] = []
    (table,) = read_tables(tmp_path, said.append)
    assert (len(table.values), said) == (1, ["one: 3 of 4 rows have gaps and are left out"])


def test_a_category_may_be_called_none(tmp_path: Path) -> None:
    write(tmp_path / "one", ["1,None,2.0", "1,NA,1.0", "1,,3.0", "NA,None,4.0"], kinds=("continuous", "categorical"))
    (table,) = read_tables(tmp_path, quiet)
    assert table.task.parameters == (Choice("p1", ("NA", "None")),)
    assert sorted(table.values) == [1.0, 2.0]


def test_every_third_table_by_name_is_held_out(tmp_path: Path) -> None:
    for name in "dacbe":
        write(tmp_path / name, ["1,5,2.0", "2,6,1.0"])
    held = [(t.task.name, t.held_out) for t in read_tables(tmp_path, quiet)]
    assert held == [("a", False), ("b", True), ("c", False), ("d", False), ("e", True)]


def test_tables_are_found_however_deep_they_lie(tmp_path: Path) -> None:
    write(tmp_path / "kind" / "b", ["1,5,2.0", "2,6,1.0"])
    write(tmp_path / "a", ["1,5,2.0", "2,6,1.0"])
    assert [t.task.name for t in read_tables(tmp_path, quiet)] == ["a", "b"]


def test_what_cannot_be_understood_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no table in"):
        read_tables(tmp_path, quiet)
    write(tmp_path / "one", ["1,2"])
    with pytest.raises(DataError, match="has 2 columns"):
        read_tables(tmp_path, quiet)


def test_a_goal_that_is_none_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "one", ["1,5,2.0"], goal="best")
    with pytest.raises(DataError, match="the goal 'best'; allowed: maximise"):
        read_tables(tmp_path, quiet)


def test_the_top_is_rounded_up_and_holds_ties() -> None:
    table = turned(bowl())
    assert table.top(0.01).sum() == 4  # 1.28 rows of 128; the four around the centre are equal
    assert table.merit[table.top(0.01)].min() == table.merit.max()


@pytest.mark.slow
def test_a_tenth_of_faulty_readings_are_wrong_whenever_they_are_taken() -> None:
    table = bowl(side=20)
    read, again = faulty_readings(0, 0), faulty_readings(50, 0)
    wrong = read != table.values
    assert 0.06 < wrong.mean() < 0.14
    assert set(np.sign(read[wrong] - table.values.max())) == {-1.0, 1.0}
    assert read.tolist() == again.tolist()


@pytest.mark.slow
def test_a_row_that_is_measured_once_more_is_wrong_or_right_anew() -> None:
    wrong = [faulty_readings(0, earlier) != bowl(side=20).values for earlier in (0, 1)]
    assert 0.0 < (wrong[0] & wrong[1]).mean() < 0.03
    assert 0.06 < wrong[1].mean() < 0.14


def faulty_readings(number: int, earlier: int) -> Numbers:
    table = bowl(side=20)
    assert table.task.rows is not None
    occasion = Occasion(1, number, earlier)
    return np.array([with_faults(table).measure(row, occasion).values[0, 0] for row in table.task.rows])


def test_the_nearest_row_that_is_left_is_taken_once() -> None:
    table = bowl()
    left = Left(table.task, 0)
    found = [left.nearest(np.array([0.0, 0.0, 1.0])).tolist() for _ in range(2)]
    assert found[0] == [0.0, 0.0, 1.0]
    assert found[1] != found[0]
    assert found[1][2] == 1.0
    assert len(left.places) == 126


@pytest.mark.parametrize("box", [b for b in boxes() if not b.reference], ids=lambda b: b.task.name)
def test_no_point_of_a_function_is_better_than_its_optimum(box: Box) -> None:
    points = box.start(0, 3000)
    values = box.function(points)
    kept = (values[:, 1:] >= 0).all(axis=1)
    assert (box.task.merits(values)[kept, 0] <= box.task.signs[0] * box.optimum + 1e-4).all()
    regrets = box.regrets(points)
    assert (np.diff(regrets) <= 0).all()
    assert regrets[-1] < regrets[0]


def test_the_mixed_optimum_lies_in_the_category_that_is_not_moved() -> None:
    (box,) = (b for b in boxes() if b.task.name == "mixed")
    best = np.array([[3.0, 0.114614, 0.555649, 0.852547]])
    assert box.regrets(best)[0] == pytest.approx(0.0, abs=1e-4)


def test_the_gap_of_the_hypervolume_closes_along_the_front() -> None:
    (box,) = (b for b in boxes() if b.reference)
    front = np.column_stack([np.linspace(0, 1, 400), np.full((400, 3), 0.5)])
    assert box.regrets(front)[-1] == pytest.approx(0.0, abs=5e-3)
    assert box.regrets(front[:1])[0] > 0.2


def test_regret_is_the_worst_until_a_point_keeps_the_constraints() -> None:
    (box,) = (b for b in boxes() if b.task.slacks)
    regrets = box.regrets(np.array([[0.0, 0.0], [0.1954, 0.4044], [0.9, 0.9]]))
    assert regrets[0] == box.worst
    assert regrets[1] == pytest.approx(0.0, abs=2e-3)


def test_replicates_tell_how_uncertain_a_point_is() -> None:
    even, odd = uneven()
    point = np.array([[0.0, *[0.5] * 5], [1.0, *[0.5] * 5]])
    quiet_, loud = (np.mean([odd.measure(p, Occasion(s, 0)).sds[0, 0] for s in range(40)]) for p in point)
    assert quiet_ == 0.0
    assert 0.3 < loud < 0.8
    assert np.isfinite(even.measure(point[0], Occasion(0, 0)).sds).all()
