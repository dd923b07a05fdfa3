"""Campaigns: all engines start alike, no row is taken twice, and stations work side by side."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from benchmarks.errors import UnfitError
from benchmarks.planner.arms import ARMS, REPLICATED, RandomEngine
from benchmarks.planner.boxes import Box, boxes, uneven
from benchmarks.planner.compared import Compared
from benchmarks.planner.engine import Arm, Engine, Record, conduct
from benchmarks.planner.figures import acceleration, enhancement, figures, random_median
from benchmarks.planner.jobs import Campaign, World, work
from benchmarks.planner.report import table_grids
from benchmarks.planner.space import Numbers, Occasion, Readings, Task
from benchmarks.planner.tables import Table, with_faults
from tests.benchmarks.experiment_tables import bowl, turned

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # the peers' own, of which there are many kinds

RANDOM = Arm("random", RandomEngine, "for this test")
NAMES = [arm.name for arm in ARMS if not arm.missing and arm.initial]
BOXES = {box.task.name: box for box in boxes()}


def named(name: str) -> Arm:
    return next(arm for arm in (*ARMS, *REPLICATED) if arm.name == name)


def short(name: str, total: int) -> Box:
    return replace(BOXES[name], task=replace(BOXES[name].task, total=total))


@dataclass
class Watching:
    """Suggests at random, and keeps what was pending and told."""

    inner: Engine
    pending: list[int] = field(default_factory=list)
    told: list[int] = field(default_factory=list)

    def suggest(self, pending: Numbers) -> Numbers:
        self.pending.append(len(pending))
        return self.inner.suggest(pending)

    def tell(self, points: Numbers, readings: Readings) -> None:
        self.told.append(len(points))
        self.inner.tell(points, readings)


@dataclass
class Stubborn:
    """Suggests the same point whatever it is told."""

    point: Numbers

    def suggest(self, pending: Numbers) -> Numbers:  # noqa: ARG002
        return self.point

    def tell(self, points: Numbers, readings: Readings) -> None:
        """Learn nothing."""


def watched(stations: int) -> Watching:
    found: list[Watching] = []

    def start(task: Task, seed: int) -> Engine:
        found.append(Watching(RandomEngine(task, seed)))
        return found[0]

    conduct(Arm("watching", start, ""), bowl(), 0, stations)
    return found[0]


def test_engines_start_with_the_same_rows_and_fewer_are_the_first_of_more() -> None:
    records = [conduct(arm, bowl(), 3) for arm in (RANDOM, replace(RANDOM, initial=3))]
    assert records[0].points[:3] == records[1].points[:3]
    assert records[0].points[:5] != conduct(RANDOM, bowl(), 4).points[:5]


def test_a_campaign_measures_as_many_rows_as_planned_each_once() -> None:
    record = conduct(RANDOM, bowl(total=30), 0)
    assert len({tuple(point) for point in record.points}) == 30
    assert len(record.cpu) == 25


def test_one_station_tells_each_reading_before_the_next_suggestion() -> None:
    engine = watched(1)
    assert engine.pending == [0] * 7
    assert engine.told == [5, *[1] * 6]


def test_four_stations_are_kept_busy() -> None:
    engine = watched(4)
    assert engine.pending == [0, 1, 2, *[3] * 4]
    assert sum(engine.told) == 5 + 3


def test_rows_that_do_not_exist_are_refused() -> None:
    stubborn = Arm("stubborn", lambda _task, _seed: Stubborn(np.array([0.5, 0.5, 1.0])), "")
    with pytest.raises(ValueError, match="a row of the table that is not under way"):
        conduct(stubborn, bowl(), 0)


def test_a_row_once_more_is_an_experiment_but_no_further_find() -> None:
    row = np.array([0.0, 0.0, 1.0])
    record = conduct(Arm("stubborn", lambda _task, _seed: Stubborn(row), ""), bowl(), 0)
    assert [point == row.tolist() for point in record.points[5:]] == [True] * (len(record.points) - 5)
    found = figures(record, bowl()).curve
    assert found[5:] == (found[5],) * (len(found) - 5)


def test_a_measurement_knows_how_often_its_point_was_measured_before() -> None:
    class Noting(Table):
        occasions: ClassVar[list[Occasion]] = []

        def measure(self, point: Numbers, occasion: Occasion) -> Readings:
            self.occasions.append(occasion)
            return super().measure(point, occasion)

    row, table = np.array([0.0, 0.0, 1.0]), bowl(total=9)
    conduct(Arm("stubborn", lambda _task, _seed: Stubborn(row), ""), Noting(table.task, table.values), 3)
    assert Noting.occasions[5:] == [Occasion(3, number, number - 5) for number in (5, 6, 7)]  # the last is never told


def test_points_outside_of_a_box_are_refused() -> None:
    with pytest.raises(ValueError, match="within the bounds of branin"):
        conduct(Arm("stubborn", lambda _task, _seed: Stubborn(np.array([99.0, 0.0])), ""), short("branin", 8), 0)


@pytest.fixture
def no_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep BoTorch from compiling a kernel, which takes a minute and leaves a lock if it is killed."""
    monkeypatch.setenv("TORCH_EXTENSIONS_DIR", str(tmp_path))
    monkeypatch.setenv("CXX", str(tmp_path / "none"))


@pytest.mark.parametrize("name", NAMES)
def test_every_engine_searches_a_table_with_categories(name: str) -> None:
    record = conduct(named(name), bowl(total=8), 0, stations=2)
    assert len({tuple(point) for point in record.points}) == 8


@pytest.mark.usefixtures("no_compiler")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("task", ["mixed", "gramacy", "dtlz2"])
def test_every_engine_searches_boxes_or_says_why_not(name: str, task: str) -> None:
    unfit = {("BayBE", "gramacy"): "has no outcome constraints"} | {("GP + trees", task): "rows are scored"}
    if (name, task) in unfit:
        with pytest.raises(UnfitError, match=unfit[name, task]):
            conduct(named(name), short(task, 6), 0)
    else:
        assert len(conduct(named(name), short(task, 6), 0).points) == 6


def test_uncertainties_that_replicates_tell_are_taken() -> None:
    box = replace(uneven()[1], task=replace(uneven()[1].task, total=8))
    told, alone = (conduct(named(name), box, 0).points for name in ("BoTorch told", "BoTorch"))
    assert told[:5] == alone[:5]
    assert told != alone


def test_ours_is_told_standard_errors_or_nothing_or_each_replicate() -> None:
    box = replace(uneven()[1], task=replace(uneven()[1].task, total=9))
    names = ("Athanor", "Athanor one noise", "Athanor replicates")
    told, one, each = (conduct(named(name), box, 0).points for name in names)
    assert told[:5] == one[:5] == each[:5]
    assert told != one != each != told


@pytest.mark.parametrize("name", ["Athanor", "BoTorch"])
@pytest.mark.parametrize("turn", [False, True])
def test_a_gaussian_process_finds_what_is_good_whichever_way_it_points(turn: bool, name: str) -> None:
    table = turned(bowl(total=25)) if turn else bowl(total=25)
    found, luck = (figures(conduct(arm, table, 1), table) for arm in (named(name), RANDOM))
    assert found.share(25) > luck.share(25)


@pytest.mark.skipif(named("Box-Behnken").missing, reason="not installed")
def test_response_surfaces_find_the_optimum_of_a_quadratic() -> None:
    function = lambda points: np.square(points - 0.3).sum(axis=1, keepdims=True)  # noqa: E731
    box = replace(short("hartmann3", 16), function=function, optimum=0.0)
    for name in ("Box-Behnken", "central composite"):
        assert box.regrets(np.array(conduct(named(name), box, 0).points))[-1] < 0.01


@pytest.mark.skipif(named("Box-Behnken").missing, reason="not installed")
def test_a_design_that_takes_more_than_the_budget_is_refused() -> None:
    with pytest.raises(UnfitError, match="the design takes 61 of 60"):
        conduct(named("Box-Behnken"), BOXES["hartmann6-noisy"], 0)


def test_figures_count_what_was_found_and_when() -> None:
    table = bowl()
    assert table.task.rows is not None
    good, best = (np.flatnonzero(table.top(share)) for share in (0.05, 0.01))
    others = np.flatnonzero(~table.top(0.05))
    only_good = [place for place in good if place not in best]
    order = [*others[:3], only_good[0], *others[3:9], best[0], *others[9:30]]
    found = figures(Record(table.task.rows[order].tolist(), [0.5, 1.5], 1.0), table)
    assert (found.good, found.best, found.cpu) == (4.0, 11.0, 1.0)
    assert found.share(10) == pytest.approx(1 / len(good))
    assert found.share(20) == pytest.approx(2 / len(good))
    assert [found.reached(count / len(good)) for count in (1, 2, 3)] == [4.0, 11.0, np.inf]


def test_random_choice_is_neither_enhanced_nor_accelerated() -> None:
    table = bowl(total=128)
    of = [figures(conduct(RANDOM, table, seed), table) for seed in range(60)]
    assert enhancement(of, table, 35) == pytest.approx(1.0, abs=0.15)
    assert acceleration(of, table) == pytest.approx(1.0, abs=0.15)
    assert np.median([f.best for f in of]) == pytest.approx(random_median(table, 0.01), abs=8)


def test_a_run_is_known_again_by_all_that_decides_about_it() -> None:
    world = World((bowl(), turned(bowl()), with_faults(bowl()), *BOXES.values(), *uneven()))
    key = work(world).key
    keys = [key(Campaign(RANDOM, place, 0)) for place in range(len(world.problems))]
    further = [Campaign(RANDOM, 0, 1), Campaign(RANDOM, 0, 0, 4), Campaign(replace(RANDOM, about="other"), 0, 0)]
    assert len({*keys, *map(key, further)}) == len(keys) + len(further)
    assert key(Campaign(RANDOM, 0, 0)) == work(World((bowl(),))).key(Campaign(RANDOM, 0, 0))


def test_ours_are_compared_with_every_peer_and_held_out_tables_stand_apart() -> None:
    ours = Arm("ours", RandomEngine, "us", code=("benchmarks/ledger.py",))
    table = bowl(total=35)
    right = [*np.flatnonzero(table.top(0.05)), *range(28)]
    assert table.task.rows is not None
    perfect = Record(table.task.rows[right].tolist(), [0.1], 1.0)
    runs = {ours: dict.fromkeys(range(4), perfect), RANDOM: {s: conduct(RANDOM, table, s) for s in range(4)}}
    tasks = [Compared(replace(table, held_out=held), runs, {}) for held in (False, True)]
    titles = {grid.title: grid for grid in table_grids(tasks)}
    assert {"tables that choices may rest on, together", "tables held out, together", "all tables, together"} <= {
        *titles
    }
    rows = titles["each table: differences from every peer"].rows
    assert [(row[1], row[2], row[-1]) for row in rows] == [("ours", "random", "ahead")] * 2
