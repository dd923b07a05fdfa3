"""Campaigns on tables: all engines start alike and see the same noise, and what they do is counted right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.pools.arms import ARMS, RandomEngine
from benchmarks.pools.engine import Arm, Engine, Plan, Record, conduct, start_rows
from benchmarks.pools.figures import figures
from benchmarks.pools.forecasts import compare, coverage, mean_error
from benchmarks.pools.tasks import Laboratory, Setting, merit_of
from tests.benchmarks.crystal_tables import constant, setting

# Rows with equal features make covariances singular; linear_operator helps itself, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:A not p.d.")

SHORT = Plan(initial=10, batch=4, total=30)


@dataclass
class Stubborn:
    """Suggests the same rows whatever it is told."""

    rows: list[int]
    told: list[int] = field(default_factory=list)

    def suggest(self, q: int) -> list[int]:
        return self.rows[:q]

    def tell(self, rows: Sequence[int], values: Mapping[str, NDArray[np.float64]]) -> None:  # noqa: ARG002
        self.told += rows


def arm(engine: Engine, plan: Plan = SHORT) -> Arm:
    return Arm("test", lambda _setting, _seed: engine, "for this test", plan=plan)


def test_engines_start_with_the_same_rows_and_fewer_are_the_first_of_more() -> None:
    task = setting("heat")
    assert start_rows(task, 3, 6) == start_rows(task, 3, 20)[:6]
    assert start_rows(task, 3, 20) != start_rows(task, 4, 20)


def test_a_row_gives_the_same_reading_whoever_asks_and_whenever() -> None:
    task = setting("score")
    first, again = (Laboratory(task, 5).measure([4, 7]) for _ in range(2))
    later = Laboratory(task, 5).measure([7])
    assert all(np.array_equal(first[name], again[name]) and first[name][1] == later[name][0] for name in first)
    assert Laboratory(task, 6).measure([4])["heat_all"] != first["heat_all"][0]


def test_noise_has_the_given_size_and_gaps_below_the_limit_read_zero() -> None:
    task = setting("score")
    every = list(range(len(task.pool)))
    readings = [Laboratory(task, seed).measure(every) for seed in range(40)]
    noise = np.concatenate([each["heat_all"] - task.pool.columns["heat_all"] for each in readings])
    assert noise.std() == pytest.approx(0.02, rel=0.05)
    metals = task.pool.columns["dir_gap"] == 0
    gaps = np.concatenate([each["dir_gap"][metals] for each in readings])
    assert (gaps == 0).mean() > 0.95
    assert gaps.min() >= 0


def test_a_campaign_measures_as_many_rows_as_planned_each_once() -> None:
    record = conduct(arm(RandomEngine(setting("heat"), 0)), setting("heat"), 0)
    assert len(record.rows) == len(set(record.rows)) == SHORT.total
    assert record.rows[: SHORT.initial] == start_rows(setting("heat"), 0, SHORT.initial)
    assert len(record.cpu) == 5


def test_a_campaign_may_begin_without_any_measurement() -> None:
    engine = Stubborn([5, 6])
    record = conduct(arm(engine, Plan(initial=0, batch=2, total=2)), setting("heat"), 0)
    assert (record.rows, engine.told) == ([5, 6], [])


def test_a_pool_smaller_than_the_plan_is_measured_whole() -> None:
    small = setting("heat", 25)
    record = conduct(arm(RandomEngine(small, 0), Plan()), small, 0)
    assert sorted(record.rows) == list(range(25))


@pytest.mark.parametrize("rows", [[1, 1, 2, 3], [-1, 2, 3, 4], [10_000, 1, 2, 3], []])
def test_rows_that_do_not_exist_or_repeat_are_refused(rows: list[int]) -> None:
    with pytest.raises(ValueError, match="must be distinct"):
        conduct(arm(Stubborn(rows), Plan(initial=0, batch=4, total=4)), setting("heat"), 0)


def test_a_row_that_is_measured_once_more_is_an_experiment_but_not_found_again() -> None:
    task = setting("heat")
    best = int(np.flatnonzero(task.best)[0])
    engine = Stubborn([best])
    record = conduct(arm(engine, Plan(initial=0, batch=1, total=3)), task, 0)
    assert record.rows == [best] * 3
    assert figures(record, task).shares[-1] == pytest.approx(1 / task.best.sum())
    one, other = (float(Laboratory(task, 0).measure([best] * n)["heat_all"][-1]) for n in (1, 1))
    assert one == other
    laboratory = Laboratory(task, 0)
    first, again = (float(laboratory.measure([best])["heat_all"][0]) for _ in range(2))
    assert first == one != again


@pytest.mark.slow
def test_a_gaussian_process_finds_what_random_choice_does_not() -> None:
    plain = next(arm for arm in ARMS if arm.name == "CHGNet")
    task = setting("heat")
    found = conduct(Arm("plain", plain.start, "for this test", plan=SHORT), task, 1)
    luck = conduct(arm(RandomEngine(task, 1)), task, 1)
    assert figures(found, task).best > figures(luck, task).best
    assert set(found.forecasts) == {"heat_all"}
    assert len(found.forecasts["heat_all"].error) == SHORT.total - SHORT.initial


@pytest.mark.slow
def test_a_gaussian_process_pursues_a_score_of_several_quantities() -> None:
    plain = next(arm for arm in ARMS if arm.name == "CHGNet")
    task = setting("score")
    found = conduct(Arm("plain", plain.start, "for this test", plan=Plan(10, 4, 18)), task, 0)
    assert set(found.forecasts) == {"heat_all", "dir_gap"}


def test_features_that_do_not_vary_leave_a_gaussian_process_at_chance() -> None:
    plain = next(arm for arm in ARMS if arm.name == "composition")
    task = constant("heat")
    record = conduct(Arm("plain", plain.start, "for this test", plan=Plan(5, 5, 15)), task, 0)
    assert record.rows[5:] != sorted(record.rows[5:])


def test_the_score_is_the_mean_of_stability_and_gap_window() -> None:
    task = setting("score").task
    merits = merit_of(task, torch.tensor([[1.0, 1.5], [-9.0, 2.25], [9.0, 9.0]], dtype=torch.float64)).tolist()
    edge = 1 / (1 + np.exp(-3.0))
    inside = (1 / (1 + np.exp(-1.5))) ** 2
    assert merits == pytest.approx([0.25 + 0.25 * edge, 0.5 + 0.5 * inside, 0.0], abs=1e-4)


def test_rows_as_good_as_the_last_of_the_best_are_among_them() -> None:
    task = setting("heat")
    values = np.arange(len(task.pool), dtype=float)
    values[:3] = 0.0
    pool = task.pool
    tied = Setting(task.task, type(pool)(pool.name, pool.ids, pool.structures, {"heat_all": values}), task.database)
    assert np.flatnonzero(tied.best).tolist() == [0, 1, 2]


def test_figures_count_what_was_found_and_when() -> None:
    task = setting("heat")
    (best,) = np.flatnonzero(task.best)
    others = [row for row in range(100) if row != best]
    found = figures(Record([*others[:59], int(best), *others[59:]], [0.5, 1.5], 1.0), task)
    assert found.shares == (0.0, 1.0, 1.0, 1.0)
    assert (found.tenth, found.cpu) == (60.0, 1.0)
    assert figures(Record(others, [1.0], 1.0), task).tenth == np.inf


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_right_predictions_are_covered_as_often_as_they_claim(level: float) -> None:
    generator = np.random.default_rng(0)
    centres, true = generator.standard_normal((2, 2000))
    samples = centres + norm.ppf((np.arange(200)[:, None] + 0.5) / 200)
    assert coverage(compare(samples, centres + true), level) == pytest.approx(level, abs=0.03)


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_right_predictions_with_a_lump_at_zero_are_too(level: float) -> None:
    generator = np.random.default_rng(0)
    true, samples = (np.maximum(generator.standard_normal(shape), 0.0) for shape in (2000, (500, 2000)))
    assert coverage(compare(samples, true), level) == pytest.approx(level, abs=0.03)


def test_predictions_that_are_too_sure_are_covered_too_seldom() -> None:
    true = np.random.default_rng(0).standard_normal(2000)
    sure = np.repeat(0.1 * norm.ppf((np.arange(200) + 0.5) / 200)[:, None], 2000, axis=1)
    assert coverage(compare(sure, true), 0.95) < 0.3
    assert mean_error(compare(sure, true)) == pytest.approx(np.abs(true).mean(), abs=1e-3)
