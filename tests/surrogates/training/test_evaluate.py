"""A model is compared with new data, and what it has never seen is said."""

from pathlib import Path

import numpy as np
import pytest

from surrogates.training.evaluate import evaluate
from tests.trained import dataset, heats, salt, salts


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))


def test_data_like_the_training_rows_are_predicted(model: Path) -> None:
    new = [salt(cation, "Cl", 5.0) for cation in ("Na", "K", "Ca", "Mn")]
    new += [salt(cation, "O", 4.5) for cation in ("Na", "K", "Ca", "Mn")]
    found = evaluate(model, dataset(new, heats(new)))
    assert found.scores.mae < 0.7 * found.scores.mean_mae
    assert found.unseen == {}
    assert found.familiar is None
    assert len(found.levels) == len(found.coverage)


def test_elements_that_were_never_seen_are_counted_and_scored_apart(model: Path) -> None:
    new = [salt("Na", "Cl", 5.0), salt("Na", "Br", 5.2), salt("K", "I", 5.4), salt("Li", "I", 5.2)]
    found = evaluate(model, dataset(new, np.array([3.0, 3.0, 3.0, 4.0])))
    assert found.unseen == {"Br": 1, "I": 2}
    assert found.familiar.rows == 1


def test_progress_is_reported_until_all_is_done(model: Path) -> None:
    done = []
    evaluate(model, dataset(salts(20), heats(salts(20))), lambda *counts: done.append(counts))
    assert done[-1] == (20, 20)
