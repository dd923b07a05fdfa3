"""What is wrong with a model is found from its files alone: no torch, no network, no time."""

import json
import subprocess
import sys
from pathlib import Path

import matgl.config
import pytest
import torch
from matgl.apps.pes import Potential
from matgl.models import M3GNet, MEGNet

from campaigns.relative_paths import PARENT
from campaigns.surrogate import ChgnetConfig, FeaturesConfig, MatglConfig, SitesConfig
from surrogates.features.matgl_files import NETWORKS, matgl_cache, model_folder, problems, trouble


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "good"
    MEGNet(element_types=("Li", "O")).save(folder)
    return folder


@pytest.fixture
def model(good: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "m"
    folder.mkdir()
    for file in good.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def describe(folder: Path, **changes: object) -> None:
    file = folder / "model.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def test_a_saved_model_and_a_saved_potential_have_no_trouble(model: Path, tmp_path: Path) -> None:
    assert trouble(str(model)) is None
    Potential(M3GNet(element_types=("Li", "O"), is_intensive=False)).save(tmp_path / "p")
    assert trouble(str(tmp_path / "p")) is None
    assert model_folder(str(model)) == model


def test_a_name_is_looked_up_beside_the_campaign_file(model: Path) -> None:
    config = MatglConfig.model_validate({"kind": "matgl", "model": "m"}, context={PARENT: model.parent})
    assert problems(config) is None
    assert "is no folder" in str(problems(MatglConfig(kind="matgl", model="m")))


@pytest.mark.parametrize("config", [ChgnetConfig(kind="chgnet"), SitesConfig(kind="sites")])
def test_features_without_files_have_no_trouble(config: FeaturesConfig) -> None:
    assert problems(config) is None


@pytest.mark.parametrize("file", ["model.pt", "state.pt", "model.json"])
def test_a_missing_file_is_named(model: Path, file: str) -> None:
    (model / file).unlink()
    assert f"lacks {file}" in str(trouble(str(model)))


def test_a_damaged_file_is_named(model: Path) -> None:
    (model / "state.pt").write_text("version https://git-lfs.github.com/spec/v1")
    assert "state.pt is damaged" in str(trouble(str(model)))


def test_a_description_that_is_no_json_is_named(model: Path) -> None:
    (model / "model.json").write_text("{")
    assert "model.json cannot be read" in str(trouble(str(model)))


def test_another_version_of_the_class_is_named(model: Path) -> None:
    describe(model, **{"@model_version": 0})
    reason = str(trouble(str(model)))
    assert "version 0 of MEGNet" in reason
    assert "has version 1" in reason
    assert "save it with the matgl that is installed here" in reason


@pytest.mark.parametrize("kind", ["QET", "Nothing", None])
def test_another_class_is_named(model: Path, kind: str | None) -> None:
    describe(model, **{"@class": kind})
    assert f"holds a {kind}; allowed: {', '.join(NETWORKS)}" in str(trouble(str(model)))


def test_a_description_of_something_else_is_refused(model: Path) -> None:
    (model / "model.json").write_text("[]")
    assert "holds a None" in str(trouble(str(model)))


def test_a_potential_of_another_network_is_refused(model: Path) -> None:
    describe(model, **{"@class": "Potential", "@model_version": 3, "kwargs": {"model": {"@class": "SO3Net"}}})
    assert "holds a SO3Net" in str(trouble(str(model)))


def test_a_file_in_place_of_a_folder_is_refused(model: Path) -> None:
    assert "is a file" in str(trouble(str(model / "model.json")))


@pytest.mark.parametrize("name", ["MEGNet-MP-2018.6.1-Eform", "someone/some-model", "../m", "a b", ""])
def test_a_name_that_is_nowhere_comes_with_the_fix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    reason = str(trouble(name, tmp_path / "none"))
    assert f"matgl.load_model({name!r}).save('folder')" in reason
    with pytest.raises(FileNotFoundError):
        model_folder(name, tmp_path / "none")


def test_a_half_downloaded_model_in_the_cache_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    repository = matgl_cache() / "models--someone--some-model"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("abc\n")
    (repository / "snapshots" / "abc").mkdir(parents=True)
    assert "lacks model.pt, state.pt, model.json" in str(trouble("someone/some-model"))


def test_the_cache_is_where_matgl_has_it() -> None:
    assert matgl_cache() == matgl.config.MATGL_CACHE


@pytest.mark.slow
def test_neither_torch_nor_matgl_is_imported() -> None:
    code = (
        "import sys; from surrogates.features.matgl_files import trouble; trouble('nothing')\n"
        "print({'torch', 'matgl', 'pymatgen', 'scipy'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path.cwd())
    assert result.stdout.strip() == "set()"
