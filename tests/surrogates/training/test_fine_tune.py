"""A tuned model counts as better only if it knows more than the one in use with a slope and an offset."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from campaigns.errors import ModelError, UnitError
from surrogates.pools.pool import structure_key
from surrogates.training.fine_tune import Work, compare, read_task, tune
from surrogates.training.fine_tune_process import TuningResult, task_text
from surrogates.training.out_of_fold import Folds, read_folds, write_folds
from surrogates.training.record import read_record
from tests.trained import copy_of, heats, salts, tuning_task

pytestmark = pytest.mark.slow


def work(base: Path, **changes: Any) -> Work:
    return read_task(task_text(tuning_task(base, base / "unused", **changes)))


@pytest.fixture(scope="module")
def tuned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[TuningResult, Path]:
    """What came of a task that improves the model, and the folder."""
    folder = tmp_path_factory.mktemp("tuned")
    return tune(work(model), folder), folder


def test_what_is_learnt_from_the_campaigns_data_is_a_better_model(tuned: tuple[TuningResult, Path]) -> None:
    result, folder = tuned
    assert result.outcome == "better", result.reason
    record = read_record(folder)
    assert record.source == "salts.csv, then 32 measurements"
    assert record.scores.mae == pytest.approx(result.after)
    assert result.after < result.before


def test_predictions_of_measured_materials_are_those_made_while_they_were_held_back(
    tuned: tuple[TuningResult, Path],
) -> None:
    result, folder = tuned
    said = read_folds(folder).predictions
    errors = [abs(said[structure_key(row.structure)] - row.value) for row in tuning_task(folder, folder).rows]
    assert len(said) == 32
    assert np.mean(errors) == pytest.approx(result.after)


def test_noise_is_not_taken_for_knowledge(model: Path, tmp_path: Path) -> None:
    result = tune(work(model, values=np.random.default_rng(3).normal(size=32), epochs=3), tmp_path)
    assert result.outcome == "no better"
    assert "MAE on held-back materials" in result.reason
    assert list(tmp_path.iterdir()) == []


def test_what_the_model_in_use_says_of_rows_that_it_was_tuned_on_is_not_taken_at_its_word(
    model: Path, tmp_path: Path
) -> None:
    current = copy_of(model, tmp_path / "current")
    task = tuning_task(model, tmp_path, epochs=1)
    known = {structure_key(row.structure): row.value for row in task.rows}  # all but perfect, and known to be so
    write_folds(Folds(known), current)
    result = tune(read_task(task_text(tuning_task(model, tmp_path, current=current, epochs=1))), tmp_path)
    assert result.before == pytest.approx(0.0, abs=1e-6)
    assert result.outcome == "no better"


def test_values_in_another_unit_are_the_same_values(model: Path) -> None:
    plain, milli = work(model), work(model, unit="meV/atom", scale=1000.0)
    assert milli.data.values == pytest.approx(plain.data.values)
    assert milli.sds == pytest.approx(plain.sds)


def test_values_of_another_quantity_are_refused(model: Path) -> None:
    with pytest.raises(UnitError):
        work(model, unit="mAh/g")


def test_too_few_materials_are_refused(model: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=r"got 5 different materials, in \d of 4 folds; tuning needs at least 8, and some in each"
    ):
        tune(work(model, count=5), tmp_path)


def test_exact_values_and_uncertain_ones_may_be_mixed(model: Path, tmp_path: Path) -> None:
    task = tuning_task(model, tmp_path, epochs=1, sds=[0.0, 5.0] * 16)
    assert tune(read_task(task_text(task)), tmp_path).outcome != "failed"


def test_polymorphs_of_one_compound_are_held_back_one_by_one(model: Path, tmp_path: Path) -> None:
    same = [salts(1)[0].copy() for _ in range(20)]
    for i, structure in enumerate(same):
        structure.scale_lattice(structure.volume * (1 + 0.02 * i))
    result = tune(work(model, structures=same, values=heats(same), epochs=1), tmp_path)
    assert result.outcome in ("better", "no better")


def test_a_smaller_error_counts_only_beyond_chance() -> None:
    before = np.abs(np.random.default_rng(0).normal(size=40))
    groups = [f"G{i // 2}" for i in range(40)]
    assert compare(before, before - 0.1, groups).better
    assert not compare(before, before, groups).better
    assert not compare(before, before + 0.1, groups).better
    lucky = before.copy()
    lucky[0] -= 0.5
    assert not compare(before, lucky, groups).better, "one row alone is no evidence"


def test_a_model_that_has_barely_moved_is_not_better_however_sure_that_is() -> None:
    before = np.abs(np.random.default_rng(0).normal(size=40))
    assert not compare(before, 0.99 * before, [str(i) for i in range(40)]).better


def test_rows_of_one_group_are_one_piece_of_evidence() -> None:
    before, after = np.ones(40), np.where(np.arange(40) < 10, 0.9, 1.0)
    assert compare(before, after, [str(i) for i in range(40)]).better
    assert not compare(before, after, ["0"] * 10 + [str(i) for i in range(10, 40)]).better
