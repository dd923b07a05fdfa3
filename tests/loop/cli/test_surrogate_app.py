"""``athanor surrogate`` trains, lists, shows and evaluates models, and says what it cannot use."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from loop.cli.app import app
from surrogates.training.record import read_record
from tests.trained import copy_of, heats, salt, salts, trained, write_table

ROOT = Path(__file__).parents[3]


def surrogate(*words: str | Path | int) -> Result:
    return CliRunner().invoke(app, ["surrogate", *map(str, words)])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    values: list[float | str] = list(heats(salts(30)))
    values[3] = ""
    structures = [*salts(30), salt("Na", "Cl", 0.6)]
    return write_table(tmp_path_factory.mktemp("data") / "salts.csv", structures, [*values, 1.0])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "salts"
    trained(folder, epochs=3)
    return folder


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def test_every_command_and_every_option_has_help_and_stands_on_the_page() -> None:
    page = (ROOT / "docs" / "surrogates.md").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands["surrogate"].commands  # type: ignore[attr-defined]
    assert list(commands) == ["train", "list", "show", "evaluate"]
    for name, command in commands.items():
        assert command.help, name
        assert f"athanor surrogate {name}" in page
        for parameter in command.params:
            assert getattr(parameter, "help", None), (name, parameter.name)
            assert [option for option in parameter.opts if option.startswith("--") and option not in page] == []


@pytest.mark.slow
def test_training_writes_a_folder_and_says_what_was_left_out_and_how_good_it_is(table: Path, place: Path) -> None:
    result = surrogate("train", "--data", table, "--target", "heat[eV/atom]", "--out", "m", "--epochs", 2)
    assert result.exit_code == 0, result.output
    assert "left out: salts.csv row 31" in result.output
    assert "has no heat" in result.output
    assert "29 rows with a structure and a value, 2 left out" in result.output
    assert "epoch 2 of 2, training: error " in result.output
    assert "mean absolute error: " in result.output
    assert "always saying the mean" in result.output
    assert "written: m, with report.html" in result.output
    assert {file.name for file in (place / "m").iterdir()} == {
        "model.pt", "state.pt", "model.json", "training.json", "held_out.csv", "report.html"
    }  # fmt: skip
    assert [path.name for path in place.iterdir()] == ["m"], "neither logs nor temporary folders"
    assert read_record(place / "m").source == "salts.csv"


@pytest.mark.slow
def test_a_part_of_the_rows_will_do_to_try_things_out(table: Path, place: Path) -> None:
    words = ("--data", table, "--target", "heat[eV/atom]", "--out", "m", "--epochs", 1, "--max-rows", 14)
    result = surrogate("train", *words)
    assert "14 rows with a structure and a value" in result.output
    assert read_record(place / "m").rows == 14


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--target", "heat"), 2, "got 'heat'; allowed: a column with its unit, such as 'heat_all[eV/atom]'"),
        (("--target", "heat[eV/atim]"), 2, "unknown unit 'eV/atim'"),
        (("--target", "heet[eV/atom]"), 2, "has no column, did you mean 'heat': got 'heet'"),
        (("--target", "heat[eV/atom]", "--structure", "cef"), 2, "has no column, did you mean 'cif'"),
        (("--target", "heat[eV/atom]", "--model", "alignn"), 2, "'megnet', 'm3gnet', 'tensornet'"),
        (("--target", "heat[eV/atom]", "--max-rows", 5), 4, "got 5 rows with a structure and a value"),
        (("--target", "heat[eV/atom]", "--out", "none/m"), 4, "is no folder, so that m cannot be made in it"),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_written(
    table: Path, place: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    result = surrogate("train", "--data", table, "--out", "m", *words)
    assert result.exit_code == code, result.output
    assert said in " ".join(result.output.replace("│", " ").split())
    assert list(place.iterdir()) == []


def test_a_table_that_is_not_there_is_refused(place: Path) -> None:
    result = surrogate("train", "--data", "none.csv", "--target", "heat[eV]", "--out", "m")
    assert result.exit_code == 2
    assert "none.csv" in result.output
    assert surrogate("train", "--data", "a.xlsx", "--target", "heat[eV]", "--out", "m").exit_code == 2


def test_a_folder_that_is_there_is_never_overwritten(table: Path, place: Path) -> None:
    (place / "m").mkdir()
    result = surrogate("train", "--data", table, "--target", "heat[eV/atom]", "--out", "m")
    assert result.exit_code == 4
    assert "m exists already" in result.output


def test_models_are_listed_with_what_ships(model: Path, place: Path) -> None:
    copy_of(model, place / "good")
    (copy_of(model, place / "bad") / "state.pt").unlink()
    result = surrogate("list")
    assert result.exit_code == 0
    assert "heat [eV/atom]" in result.output
    assert "lacks state.pt" in result.output
    assert "pretrained, in CHGNet's wheel: 0.2.0, 0.3.0, r2scan" in result.output


def test_an_empty_folder_lists_what_ships_and_a_missing_one_is_refused(place: Path) -> None:
    assert "no trained model in" in surrogate("list").output
    assert surrogate("list", "none").exit_code == 4


def test_a_model_is_shown_with_all_that_is_known_of_it(model: Path) -> None:
    result = surrogate("show", model)
    assert result.exit_code == 0
    for words in (
        "target: heat [eV/atom]",
        "rank correlation:",
        "95% interval:",
        "seed: 0",
        "elements: Ba Ca",
        "matgl ",
    ):
        assert words in result.output
    assert surrogate("show", "none").exit_code == 4


def test_a_model_is_evaluated_on_new_data_and_warns_of_what_it_has_not_seen(model: Path, place: Path) -> None:
    new = [salt("Na", "Cl", 5.0), salt("K", "Cl", 5.2), salt("Na", "Br", 5.4)]
    file = write_table(place / "new.csv", new, list(1000 * np.array([3.0, 3.1, 3.2])), "hot")
    result = surrogate("evaluate", model, "--data", file, "--target", "hot[meV/atom]")
    assert result.exit_code == 0, result.output
    assert "rows: 3, 0 more left out" in result.output
    assert "95% interval: contains" in result.output
    assert "warning: elements that were not in the training rows: Br in 1 rows" in result.output
    assert "error on known elements:" in result.output


@pytest.mark.slow
def test_a_table_that_the_model_learnt_from_is_no_test_of_it(model: Path, table: Path) -> None:
    result = surrogate("evaluate", model, "--data", table)
    assert "warning: the model was trained with a table of this name, salts.csv" in result.output


@pytest.mark.slow
def test_data_of_another_quantity_are_refused(model: Path, table: Path) -> None:
    result = surrogate("evaluate", model, "--data", table, "--target", "heat[mAh/g]")
    assert result.exit_code == 2
    assert "mAh/g" in result.output


@pytest.mark.slow
def test_looking_loads_no_torch(model: Path) -> None:
    code = "import sys\nfrom loop.cli.surrogate_commands import print_model, print_models\nfrom pathlib import Path\n"
    code += f"print_model(Path({str(model)!r}))\nprint_models(Path({str(model)!r}))\n"
    code += "print({'torch', 'matgl', 'plotly'} & set(sys.modules))"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout.splitlines()[-1] == "set()"
