"""A trained model predicts a metric over a pool, in the metric's unit, and says what it does not know."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Structure

from campaigns.errors import ModelError
from campaigns.units import convert
from surrogates.pools.pool import Pool, PoolEntry, structure_key
from surrogates.predictors.trained import caveats, check_prior, prior_values, trained_prior, unseen_elements
from surrogates.training.out_of_fold import Folds, write_folds
from surrogates.training.record import read_record, write_record
from tests.trained import copy_of, heats, salt, salts, trained


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "salts"
    trained(folder)
    return folder


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))


def pool(structures: Sequence[Structure]) -> Pool:
    return Pool("salts", tuple(PoolEntry(f"entry{i}", structure) for i, structure in enumerate(structures)))


@pytest.mark.slow
def test_the_predictor_declares_the_unit_of_the_training_and_ranks_the_pool(model: Path) -> None:
    predictor = trained_prior(model)
    values = predictor(pool(salts()))
    assert predictor.unit == "eV/atom"
    assert np.isfinite(values).all()
    assert np.corrcoef(values, heats(salts()))[0, 1] > 0.8


def test_values_are_given_in_the_metrics_unit(model: Path) -> None:
    values = trained_prior(model)(pool(salts(3)))
    assert prior_values(model, pool(salts(3)), "meV/atom") == pytest.approx(
        [convert(value, "eV/atom", "meV/atom") for value in values]
    )


def test_the_same_model_gives_the_same_values_to_the_last_bit(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = prior_values(model, pool(salts(5)), "eV/atom")
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "other"))
    again = prior_values(copy_of(model, tmp_path / "copy"), pool(salts(5)), "eV/atom")
    assert (values == again).all()


def test_an_element_that_was_never_seen_is_predicted_and_named(model: Path) -> None:
    strange = pool([salt("Na", "Cl", 5.0), salt("Na", "Br", 5.2), salt("K", "Br", 5.4), salt("K", "I", 5.6)])
    assert np.isfinite(trained_prior(model)(strange)).all()
    assert unseen_elements(read_record(model), strange) == {"Br": 2, "I": 1}
    (sentence,) = caveats(model, strange)
    assert "was trained without Br (in 2 materials), I (in 1 materials)" in sentence


def test_a_familiar_pool_and_a_good_model_need_no_caveat(model: Path) -> None:
    assert caveats(model, pool(salts(5))) == []


def test_a_model_that_is_no_better_than_the_mean_says_so(model: Path, tmp_path: Path) -> None:
    folder, record = copy_of(model, tmp_path / "poor"), read_record(model)
    write_record(replace(record, scores=replace(record.scores, mae=2.0, mean_mae=1.5)), folder)
    (sentence,) = caveats(folder, pool(salts(5)))
    assert "predicts heat no better than its mean does: MAE 2 against 1.5 eV/atom" in sentence


def test_materials_that_the_model_was_tuned_on_have_their_held_back_predictions(model: Path, tmp_path: Path) -> None:
    folder = copy_of(model, tmp_path / "tuned")
    write_folds(Folds({structure_key(salts(2)[1]): 7.5}), folder)
    plain, tuned = (trained_prior(each)(pool(salts(3))) for each in (model, folder))
    assert tuned[1] == 7.5
    assert (tuned[[0, 2]] == plain[[0, 2]]).all()


def test_a_folder_that_is_no_trained_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"is no trained model: it lacks"):
        trained_prior(tmp_path / "none")


def test_a_model_of_another_quantity_is_refused(model: Path) -> None:
    with pytest.raises(ModelError, match=r"predicts heat \[eV/atom\]; allowed: .* given in mAh/g"):
        check_prior(model, "mAh/g")


@pytest.mark.slow
def test_checking_a_prior_loads_no_torch(model: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom surrogates.training.record import read_record\n"
        f"read_record(Path({str(model)!r}))\nprint('torch' in sys.modules)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout == "False\n"
