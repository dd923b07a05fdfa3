import csv
import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from campaigns.errors import AthanorError, CampaignError, LabError, LimitError, ModelError, StoreError, UnitError
from campaigns.load import load_campaign
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode, exit_code
from tests.stores import fill

ROOT = Path(__file__).parents[3]
COMMANDS = [
    *(
        "init",
        "validate",
        "schema",
        "run",
        "suggest",
        "stop",
        "abort",
        "status",
        "requests",
        "ranking",
        "trials",
        "show",
        "report",
    ),
    *("export", "backup", "restore"),
    *("pool", "surrogate", "weights", "space", "trial", "station", "sample", "consumable", "lab"),
]


def athanor(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return fill(tmp_path)


def test_every_command_and_every_option_has_help() -> None:
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert list(commands) == COMMANDS
    for name, command in commands.items():
        assert command.help, name
        for parameter in command.params:
            assert getattr(parameter, "help", None), (name, parameter.name)


@pytest.mark.parametrize("command", [[], *([c] for c in COMMANDS)], ids=["athanor", *COMMANDS])
def test_help_is_shown(command: list[str]) -> None:
    result = athanor(*command, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.output


def test_help_tells_every_exit_code() -> None:
    text = " ".join(athanor("--help").output.split())
    for code in ExitCode:
        assert f"{code.value} {code.meaning}" in text


def test_the_page_on_the_command_tells_every_command_option_and_exit_code() -> None:
    page = (ROOT / "docs" / "commands.md").read_text()
    commands: dict[str, Any] = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in commands.items():
        assert f"`athanor {name}" in page
        options = [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
        assert [option for option in options if option not in page] == []
    for code in ExitCode:
        assert f"| {code.value} | {code.meaning} |" in page


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CampaignError([]), 2),
        (UnitError(), 2),
        (LabError(), 3),
        (LimitError(), 3),
        (ModelError(), 4),
        (StoreError(), 5),
        (AthanorError(), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_failure_has_its_exit_code(error: AthanorError, code: int) -> None:
    assert exit_code(error) == code


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cathode", "calcination"])
def test_init_writes_a_commented_campaign_that_is_valid(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert athanor("init", name).exit_code == 0
    file = tmp_path / f"{name}.yaml"
    assert load_campaign(file).name == name
    first, *rest = file.read_text().splitlines()
    schema = Path(first.removeprefix("# yaml-language-server: $schema=file://"))
    assert json.loads(schema.read_text())["title"] == "Athanor campaign"
    assert any(line.strip().startswith("#") for line in rest)


def test_init_never_overwrites_and_names_what_it_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cathode.yaml").write_text("mine")
    assert athanor("init").exit_code == 2
    assert (tmp_path / "cathode.yaml").read_text() == "mine"
    result = athanor("init", "perofskite")
    assert result.exit_code == 2
    assert result.output.startswith("NAME: got 'perofskite', did you mean 'perovskite'; allowed: ")
    assert "calcination, cathode" in result.output


def test_init_writes_a_template_under_a_name_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    result = athanor("init", "mine", "--from", "flow")
    assert result.output == "mine.yaml written; next: athanor validate mine.yaml, then athanor run mine.yaml\n"
    assert load_campaign(tmp_path / "mine.yaml").name == "mine"


def test_init_says_which_files_it_uses_that_are_there_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "mine.yaml written, with perovskites.csv; next:" in athanor("init", "mine", "--from", "perovskite").output
    used = "second.yaml written; it uses perovskites.csv, which is there already with the same content; next:"
    assert used in athanor("init", "second", "--from", "perovskite").output


def test_init_lists_what_each_ready_campaign_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "300")
    heads, *lines = athanor("init", "--list").output.splitlines()
    assert heads.split() == ["name", "question", "space", "lab"]
    assert any(line.startswith("flow ") and "How much product can a flow reactor give" in line for line in lines)
    assert list(tmp_path.iterdir()) == []


def test_validate_says_ok_with_a_summary() -> None:
    result = athanor("validate", ROOT / "campaigns" / "calcination.yaml")
    assert result.exit_code == 0
    first, *lines = result.output.splitlines()
    assert first.endswith("calcination.yaml: OK")
    assert "parameter: temperature: 649.85 to 949.85 degC" in lines
    assert "objective: maximise capacity, weight 2, one point per 20 mAh/g" in lines
    assert "outcome constraint: mean_voltage >= 3700 mV" in lines
    assert "constraint: temperature + 8 * time <= 1100 (temperature in degC, time in h)" in lines
    assert "budget: 30 trials, 10 min" in lines
    assert {line.split(":")[0] for line in lines} >= {"campaign", "metric", "stations", "workflow", "budget"}


@pytest.mark.slow
def test_validate_shows_every_error_and_exits_with_two(small: Path) -> None:
    small.write_text(small.read_text().replace("seed: 1", "sed: 1").replace("trials: 10", "trials: 0"))
    result = athanor("validate", small)
    assert result.exit_code == 2
    lines = [line.removeprefix(f"{small}:").split(":")[0] for line in result.output.splitlines()]
    assert lines == ["1", "2", "22", "more checks follow once these are corrected"]
    assert result.stdout == ""


def test_schema_prints_the_committed_schema() -> None:
    assert athanor("schema").output == (ROOT / "campaigns" / "schema.json").read_text()


def test_status_says_how_the_campaign_stands(small: Path) -> None:
    lines = athanor("status", small).output.splitlines()
    assert "trials: 4 of 10, 1 completed, 1 quarantined, 1 dispatched, 1 queued" in lines
    assert "cost: 180 USD of 900 USD" in lines
    assert any(line.startswith("session: 1, ended ") and line.endswith("stopped for the night") for line in lines)
    assert "trial 2: make at furnace, dispatched: temperature 602 degC" in lines
    assert "trial 3: queued: temperature 603 degC" in lines
    assert "best measured: trial 0, score 15.00 ± 0.20: temperature 600 degC" in lines
    assert "  capacity: 150.0 ± 2.0 mAh/g" in lines


def test_the_only_campaign_with_a_store_is_found_by_itself(small: Path) -> None:
    (small.parent / "other.yaml").write_text("")
    assert athanor("status").output == athanor("status", small).output
    (small.parent / "other.db").touch()
    several = athanor("status")
    assert several.exit_code == 5
    assert "other.yaml, small.yaml" in several.output


def test_without_a_store_the_command_says_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "some.yaml").write_text("")
    for words in (["status"], ["trials"], ["show", "0"], ["status", "some.yaml"]):
        result = athanor(*words)
        assert result.exit_code == 5, words
        assert "athanor: " not in result.output
        assert "some" in result.output


def test_the_store_can_be_named_alone(small: Path) -> None:
    url = f"sqlite:///{small.with_suffix('.db')}"
    assert athanor("status", "--store", url).output == athanor("status", small).output
    assert athanor("status", "--store", "oracle://x").exit_code == 5


def test_trials_as_json_hold_everything(small: Path) -> None:
    trials = json.loads(athanor("trials", small, "--json").output)
    assert [trial["state"] for trial in trials] == ["completed", "quarantined", "dispatched", "queued"]
    assert trials[1]["proposal"]["predictions"]["capacity"] == {"value": 150.0, "sd": 10.0, "unit": "mAh/g"}
    assert trials[1]["proposal"]["alternatives"][0]["candidate"]["parameters"] == {"temperature": 777.0}
    assert trials[0]["steps"][0]["token"] == "t0"  # noqa: S105 - an instrument knows the job by it


def test_trials_as_csv_have_units_in_the_header(small: Path) -> None:
    rows = list(csv.DictReader(athanor("trials", small, "--csv").output.splitlines()))
    assert rows[0]["temperature [degC]"] == "600.0"
    assert (rows[0]["capacity [mAh/g]"], rows[0]["capacity sd [mAh/g]"]) == ("150.0", "2.0")
    assert (rows[0]["score"], rows[0]["feasible"], rows[0]["trial cost [USD]"]) == ("15.0", "true", "60.0")
    assert (rows[3]["state"], rows[3]["capacity [mAh/g]"], rows[3]["feasible"]) == ("queued", "", "")


def test_trials_are_json_or_csv_but_not_both(small: Path) -> None:
    assert athanor("trials", small, "--json", "--csv").exit_code == 2


def test_text_from_the_lab_is_neither_markup_nor_control(small: Path) -> None:
    for words in (["trials"], ["show", "1"], ["trials", "--csv"]):
        output = athanor(*words, small).output
        assert "[red]spike [2J in the data" in output
        assert "\x1b" not in output


def test_show_tells_a_trial_s_whole_life(small: Path) -> None:
    output = athanor("show", "1", small).output
    for piece in (
        "temperature 601 degC",
        "predicted score               15.0 ± 1.0",
        "probability of being feasible  0.75",
        "Gaussian process, fitted to 1 measurement",
        "length scales [1] temperature 0.123",
        "not chosen (-2.5)",
        "temperature 777 degC",
        "150 ± 10 mAh/g",
        "150.0 ± 2.0 mAh/g",
        "+0.0 sd",
        "60 USD",
        "1 h",
        "make event",
        "counts (9 values)",
        "[bold]not markup[/bold]",
        "quarantined",
    ):
        assert " ".join(piece.split()) in " ".join(output.split()), piece


def test_a_trial_that_is_not_there_is_an_error_of_the_store(small: Path) -> None:
    result = athanor("show", "9", small)
    assert result.exit_code == 5
    assert "no trial 9; allowed: 0 to 3" in result.output


@pytest.mark.slow
def test_report_writes_one_file_beside_the_store_or_where_it_is_told(small: Path) -> None:
    assert athanor("report", small).exit_code == 0
    page = small.with_suffix(".html").read_text()
    assert page.lower().startswith("<!doctype html>")
    assert "There are no models to inspect: there is no model before 3 trials are completed; 1 are." in page
    assert athanor("report", small, "--out", "other.html").exit_code == 0
    assert small.with_name("other.html").exists()
    refused = athanor("report", small, "--out", small.parent / "none" / "x.html")
    assert refused.exit_code == 2
    assert "cannot write" in refused.output


def imported_by(*words: str | Path) -> set[str]:
    """Return the modules that a command has imported, in a process of its own."""
    code = (
        "import sys, io, contextlib\nfrom loop.cli.app import app\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    app()\n"
        "print(*sys.modules, sep='\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return {name.split(".")[0] for name in result.stdout.split()}


HEAVY = {"torch", "ax", "botorch", "gpytorch", "pymatgen", "chgnet", "matgl", "bluesky", "ophyd", "pandas"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "light"),
    [
        (["--help"], HEAVY | {"pint", "sqlmodel", "numpy"}),
        (["run", "--help"], HEAVY | {"pint", "sqlmodel", "numpy"}),
        (["schema"], HEAVY | {"pint", "sqlmodel", "numpy"}),
        (["validate", ROOT / "campaigns" / "cathode.yaml"], HEAVY | {"sqlmodel"}),
        (["status", "small.yaml"], HEAVY | {"pint"}),
        (["requests", "small.yaml"], HEAVY | {"pint"}),
        (["trials", "small.yaml", "--csv"], HEAVY | {"pint"}),
        (["show", "1", "small.yaml"], HEAVY | {"pint"}),
        (["backup", "small.yaml"], HEAVY | {"pint"}),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_commands_that_must_answer_at_once_import_nothing_heavy(words: list[str], light: set[str], small: Path) -> None:
    assert not imported_by(*words) & light


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_written_is_told_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number), "furnace.yaml")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Path, "write_bytes", fail)
    result = athanor("init", "cathode")
    assert result.exit_code == 5
    assert result.stderr == (
        f"furnace.yaml cannot be written: {os.strerror(number)}; make room there, or correct the rights\n"
    )
