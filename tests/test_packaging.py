import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.snippets import ROOT

FOLDERS = {"campaigns", "instruments", "surrogates", "simulators", "loop"}
DATA = {
    "campaigns/alignment.yaml",
    "campaigns/cathode.yaml",
    "campaigns/calcination.yaml",
    "campaigns/crucibles.yaml",
    "campaigns/crucibles_lab.yaml",
    "campaigns/electrolyte.yaml",
    "campaigns/flow.yaml",
    "campaigns/oxide.yaml",
    "campaigns/perovskite.yaml",
    "campaigns/perovskites.csv",
    "campaigns/sintering.yaml",
    "campaigns/sintering_notebook.csv",
    "campaigns/sintering_old_furnace.csv",
    "campaigns/schema.json",
    "campaigns/units.txt",
    "surrogates/predictors/precursors.csv",
    "simulators/cathode_truth.csv",
    "loop/report/template.html",
}
LEFT_OUT = shutil.ignore_patterns(".venv", ".git", ".*_cache", ".hypothesis", "__pycache__", "demo", "dist", "results")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel of a copy of this folder, offline."""
    copy = tmp_path_factory.mktemp("source") / "athanor"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    (copy / "loop" / "__pycache__").mkdir()
    (copy / "loop" / "__pycache__" / "x.pyc").touch()
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel"], cwd=copy, check=True)
    (built,) = copy.glob("dist/*.whl")
    return built


def files(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_the_five_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in files(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == FOLDERS
    assert not {name for name in files(wheel) if name.endswith((".pyc", ".db"))}


def test_the_wheel_holds_every_module_and_every_data_file(wheel: Path) -> None:
    modules = {path.relative_to(ROOT).as_posix() for folder in FOLDERS for path in ROOT.glob(f"{folder}/**/*.py")}
    assert modules | DATA <= files(wheel)
    beside = {name for name in files(wheel) if not name.endswith(".py") and ".dist-info" not in name}
    assert beside == DATA, "add new data files to this list"


def test_the_wheel_has_the_command_the_licence_and_the_bar_to_uploads(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = {Path(name).name: archive.read(name).decode() for name in archive.namelist() if ".dist-info" in name}
    assert "athanor = loop.cli.app:main" in texts["entry_points.txt"]
    assert "MIT License" in texts["LICENSE"]
    assert "Private :: Do Not Upload" in texts["METADATA"]


def test_no_other_distribution_claims_one_of_our_folders() -> None:
    claimed = importlib.metadata.packages_distributions()
    others = {folder: set(claimed.get(folder, ())) - {"athanor-sdl"} for folder in FOLDERS}
    assert not {folder: names for folder, names in others.items() if names}


def test_the_command_is_installed_and_is_ours() -> None:
    (script,) = importlib.metadata.entry_points(group="console_scripts", name="athanor")
    assert script.value == "loop.cli.app:main"
    command = Path(sys.executable).with_name("athanor")
    result = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
    assert "Usage: athanor" in result.stdout


def test_every_dependency_is_pinned_by_the_constraints() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = [line.lower().replace("_", "-").split("==") for line in lines if "==" in line]
    pins = dict(pinned)
    assert len(pins) == len(pinned), "two pins of one package let no environment be made"
    names = {name.split(">")[0].strip().lower() for name in wanted}
    assert names <= set(pins)
