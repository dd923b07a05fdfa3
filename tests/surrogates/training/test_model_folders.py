"""A folder is written as a whole or not at all, and found again."""

import shutil
from pathlib import Path

import pytest

from campaigns.errors import ModelError
from surrogates.training import model_folders as folders
from surrogates.training.model_folders import (
    check_folder_unused,
    chgnet_weights,
    fresh_folder,
    hub_models,
    trained_models,
)
from surrogates.training.record import TrainingRecord


def test_a_folder_takes_its_name_when_all_is_written(tmp_path: Path) -> None:
    with fresh_folder(tmp_path / "m") as partial:
        (partial / "file").write_text("whole")
        assert not (tmp_path / "m").exists()
    assert (tmp_path / "m" / "file").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, ModelError])
def test_nothing_is_left_of_what_was_broken_off(tmp_path: Path, error: type[BaseException]) -> None:
    def work() -> None:
        with fresh_folder(tmp_path / "m") as partial:
            (partial / "file").write_text("half")
            raise error

    with pytest.raises(error):
        work()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_taken_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="exists already; give another name"):
        check_folder_unused(tmp_path)
    with pytest.raises(ModelError, match="is no folder, so that m cannot be made"):
        check_folder_unused(tmp_path / "none" / "m")


def test_models_are_found_in_folders_below_and_broken_ones_are_told(model: Path, tmp_path: Path) -> None:
    shutil.copytree(model, tmp_path / "deep" / "good")
    shutil.copytree(model, tmp_path / "bad")
    (tmp_path / "bad" / "state.pt").unlink()
    found = dict(trained_models(tmp_path))
    good = found[tmp_path / "deep" / "good"]
    assert isinstance(good, TrainingRecord)
    assert good.target == "heat"
    assert isinstance(found[tmp_path / "bad"], ModelError)


def test_weights_that_ship_are_listed() -> None:
    assert {"0.3.0", "r2scan"} <= set(chgnet_weights())


def test_whole_models_in_the_hubs_cache_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "matgl_cache", lambda: tmp_path)
    whole, half = (tmp_path / f"models--materialyze--{name}" / "snapshots" / "abc" for name in ("MEGNet-X", "Half"))
    for folder in (whole, half):
        folder.mkdir(parents=True)
        (folder / "model.pt").touch()
    for name in ("state.pt", "model.json"):
        (whole / name).touch()
    assert hub_models() == ["materialyze/MEGNet-X"]
