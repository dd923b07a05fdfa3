from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from campaigns.amendments import AddLevel
from campaigns.load import load_campaign
from campaigns.values import Candidate
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode
from loop.core.campaign_records import CampaignRecord
from loop.execution.decisions.pending_amendments import check_candidate
from loop.storage.reader import Reader
from loop.storage.store import Store
from loop.validation.limit_checks import LIMITS
from tests.stores import CAMPAIGN, fill


def athanor(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign whose furnace goes up to 1000 degC, as its last run found out."""
    monkeypatch.chdir(tmp_path)
    file = fill(tmp_path)
    store = Store(f"sqlite:///{file.with_suffix('.db')}")
    body = {"name": "furnace", "ranges": {"temperature": [20, 1000]}, "choices": {}, "units": {"temperature": "degC"}}
    store.keep(LIMITS, "furnace", body)
    store.close("")
    return file


def status(file: Path) -> list[str]:
    return athanor("status", file).output.splitlines()


def test_a_change_of_the_space_is_written_and_told_by_status(small: Path) -> None:
    result = athanor("space", "set", "temperature=600..950", "small.yaml", "--reason", "seen in the\npaper")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == "amendment 1: temperature is 600 to 950 degC"
    (line,) = [line for line in status(small) if line.startswith("amendment")]
    assert line.startswith("amendment 1: temperature is 600 to 950 degC, waits for a run; ")
    assert line.endswith(": seen in the paper")
    assert small.read_text().count("500") == 1


def test_the_campaign_may_be_left_out_and_the_store_be_named(small: Path) -> None:
    assert athanor("space", "fix", "temperature=1000 K", "--reason", "x").exit_code == 0
    store = f"sqlite:///{small.with_suffix('.db')}"
    assert athanor("space", "release", "temperature", "--reason", "y", "--store", store).exit_code == 0
    assert [a.reason for a in Reader(store).amendments()] == ["x", "y"]


def test_a_run_that_goes_on_keeps_nobody_from_writing(small: Path) -> None:
    running = Store(f"sqlite:///{small.with_suffix('.db')}")
    assert athanor("space", "set", "temperature=600..700", "--reason", "x").exit_code == 0
    assert [a.number for a in running.amendments()] == [1]
    running.close("")


def test_nothing_leads_out_of_the_limits_of_an_instrument(small: Path) -> None:
    result = athanor("space", "set", "temperature=600..1200", "--reason", "x")
    assert result.exit_code == ExitCode.INVALID
    assert "space.parameters.temperature: furnace: temperature got 1200 degC; allowed: 20 to 1000" in result.output
    assert Reader(f"sqlite:///{small.with_suffix('.db')}").amendments() == []


def test_what_is_fixed_is_given_no_bounds_that_it_could_not_be_released_to(small: Path) -> None:
    assert athanor("space", "fix", "temperature=700", "--reason", "x").exit_code == 0
    result = athanor("space", "set", "temperature=600..1200", "--reason", "x")
    assert result.exit_code == ExitCode.INVALID
    assert "temperature got 1200 degC; allowed: 20 to 1000" in result.output
    assert athanor("space", "set", "temperature=600..950", "--reason", "x").exit_code == 0
    assert athanor("space", "release", "temperature", "--reason", "x").exit_code == 0


@pytest.fixture
def gases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A campaign whose furnace has air and argon, as its last run found out."""
    monkeypatch.chdir(tmp_path)
    file, gas = tmp_path / "gases.yaml", "atmosphere: {kind: categorical, levels: [air, argon]}"
    text = CAMPAIGN.replace("name: small", "name: gases").replace("high: 900}", f"high: 900}}\n    {gas}")
    file.write_text(text.replace("{temperature: $", "{atmosphere: $atmosphere, temperature: $"))
    store = Store(f"sqlite:///{file.with_suffix('.db')}")
    store.begin(CampaignRecord("gases", file.read_text(), 1, "print", 1.7e9), {})
    choices, units = {"atmosphere": ["air", "argon", "oxygen"]}, {"temperature": "degC"}
    store.keep(
        LIMITS,
        "furnace",
        {"name": "furnace", "ranges": {"temperature": [20, 1000]}, "choices": choices, "units": units},
    )
    store.close("")
    return file


def test_what_is_fixed_is_given_no_level_that_it_could_not_be_released_to(gases: Path) -> None:
    assert athanor("space", "fix", "atmosphere=air", "--reason", "x").exit_code == 0
    result = athanor("space", "add", "atmosphere=nitrogen", "--reason", "x")
    assert (result.exit_code, "'nitrogen'" in result.output) == (ExitCode.INVALID, True), result.output
    assert athanor("space", "add", "atmosphere=oxygen", "--reason", "x").exit_code == 0
    assert athanor("space", "release", "atmosphere", "--reason", "x").exit_code == 0


def test_a_level_is_removed_again(gases: Path) -> None:
    store = Store(f"sqlite:///{gases.with_suffix('.db')}")
    store.amend([AddLevel(parameter="atmosphere", level="nitrogen")], ("kim", "an earlier version took it"), {})
    store.close("")
    assert athanor("space", "fix", "atmosphere=air", "--reason", "x").exit_code == 0
    assert athanor("space", "release", "atmosphere", "--reason", "x").exit_code == ExitCode.INVALID
    result = athanor("space", "remove", "atmosphere=nitrogen", "--reason", "the furnace has none")
    assert result.output.splitlines()[0] == "amendment 3: atmosphere may no longer be nitrogen"
    assert athanor("space", "release", "atmosphere", "--reason", "x").exit_code == 0
    result = athanor("trial", "add", "temperature=600", "atmosphere=nitrogen", "--reason", "x")
    assert result.exit_code == ExitCode.INVALID


def test_changes_of_one_command_are_written_together_or_not_at_all(small: Path) -> None:
    result = athanor("space", "set", "temperature=600..700", "heat=1..2", "--reason", "x")
    assert result.exit_code == ExitCode.INVALID
    assert Reader(f"sqlite:///{small.with_suffix('.db')}").amendments() == []


def test_a_trial_is_asked_for_within_the_space_in_force(small: Path) -> None:
    assert athanor("trial", "add", "temperature=777 degC", "--reason", "as in the paper").exit_code == 0
    result = athanor("trial", "add", "temperature=950", "--reason", "x")
    assert result.exit_code == ExitCode.INVALID
    assert "temperature got 950.0 degC, allowed: numbers from 500 to 900 degC; change" in result.output
    athanor("space", "set", "temperature=600..950", "--reason", "x")
    assert athanor("trial", "add", "temperature=950", "--reason", "x").exit_code == 0


def test_a_trial_that_breaks_a_constraint_is_told_which(tmp_path: Path) -> None:
    text = CAMPAIGN.replace(
        "metrics:",
        "    time: {kind: float, unit: h, low: 1, high: 9}\n  constraints: [temperature + 10 * time <= 800]\nmetrics:",
        1,
    )
    (tmp_path / "c.yaml").write_text(
        text.replace("{temperature: $temperature}", "{temperature: $temperature, time: $time}")
    )
    campaign = load_campaign(tmp_path / "c.yaml")
    assert check_candidate(campaign, Candidate({"temperature": 700.0, "time": 2.0})) == ""
    why = check_candidate(campaign, Candidate({"temperature": 790.0, "time": 2.0}))
    assert "breaks 'temperature + 10 * time <= 800'" in why


@pytest.mark.slow
def test_trials_are_settled_at_once_where_no_run_goes_on(small: Path) -> None:
    result = athanor("trial", "release", "1", "small.yaml", "--reason", "the spike is real")
    assert result.exit_code == ExitCode.LAB
    assert result.output.startswith("amendment 1: trial 1 could not be released: analysis failed: ")
    result = athanor("trial", "withdraw", "0,3", "--reason", "no powder left")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        "amendment 2: trial 0 is withdrawn, done", "amendment 3: trial 3 is withdrawn, done"
    ]  # fmt: skip
    lines = [line for line in status(small) if line.startswith("amendment")]
    assert lines[0].startswith("amendment 1: trial 1 is released, refused: ")
    for words in (["release", "0"], ["withdraw", "3"], ["withdraw", "7"], ["release", "one"], ["release", "1", "2"]):
        result = athanor("trial", *words, "--reason", "x")
        assert result.exit_code == ExitCode.INVALID, words
        assert "allowed: " in result.output


def test_a_run_that_goes_on_settles_trials_itself(small: Path) -> None:
    running = Store(f"sqlite:///{small.with_suffix('.db')}")
    result = athanor("trial", "withdraw", "3", "--reason", "no powder left")
    assert (result.exit_code, result.output) == (0, "the run that goes on does it before its next proposal\n")
    assert running.amendments()[0].waiting
    running.close("")


def test_weights_rank_past_trials_anew_at_once(small: Path) -> None:
    result = athanor("weights", "set", "capacity=3", "--reason", "x")
    assert result.output.splitlines()[:2] == [
        "amendment 1: weight of capacity is 3", "1 trials scored again; best measured is trial 0, score 15.00 ± 0.20"
    ]  # fmt: skip
    assert "predicted score, by the weights at that time" in athanor("show", "1").output


@pytest.mark.parametrize("words", [["weights", "set", "capacity=3"], ["weights", "set", "capacity=3", "--reason", " "]])
def test_nothing_is_changed_without_a_reason(small: Path, words: list[str]) -> None:
    assert athanor(*words).exit_code == ExitCode.INVALID
    assert Reader(f"sqlite:///{small.with_suffix('.db')}").amendments() == []


def test_there_is_nothing_to_change_before_a_campaign_has_begun(tmp_path: Path) -> None:
    result = athanor("weights", "set", "capacity=3", tmp_path / "none.yaml", "--reason", "x")
    assert result.exit_code == ExitCode.STORE
    assert not (tmp_path / "none.db").exists()


def test_the_report_holds_the_journal(small: Path) -> None:
    athanor("space", "set", "temperature=600..950", "--reason", "seen in the paper")
    assert athanor("report").exit_code == 0
    page = small.with_suffix(".html").read_text()
    assert "<h2>Amendments</h2>" in page
    assert "<td>temperature is 600 to 950 degC</td><td>waits for a run</td>" in page
    assert "<td>seen in the paper</td>" in page


def test_a_point_that_is_no_row_of_the_table_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("temperature\n600\n700\n")
    (tmp_path / "c.yaml").write_text(CAMPAIGN.replace("metrics:", "  rows: {file: rows.csv}\nmetrics:", 1))
    campaign = load_campaign(tmp_path / "c.yaml")
    assert check_candidate(campaign, Candidate({"temperature": 600.0})) == ""
    assert "it is no row of rows.csv; only its rows" in check_candidate(campaign, Candidate({"temperature": 650.0}))
    assert "outside of the current space" in check_candidate(campaign, Candidate({"temperature": 950.0}))
