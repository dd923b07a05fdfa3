"""The commands that hold stations, end jobs and runs, and list what is asked of people."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from campaigns.values import TrialState
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode
from loop.core.records import TrialResult
from loop.storage.reader import Reader
from loop.storage.store import Store
from tests.stores import fill


def athanor(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def order(*words: str) -> Result:
    return athanor(*words, "--reason", "the door")


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A campaign with one furnace, whose trial 2 is under way without a run."""
    monkeypatch.chdir(tmp_path)
    return f"sqlite:///{fill(tmp_path).with_suffix('.db')}"


def rows(name: str) -> list[str]:
    return [line for line in athanor("status", "small.yaml").output.splitlines() if line.startswith(name)]


def test_a_station_is_held_and_status_says_by_whom_and_why(url: str) -> None:
    said = order("station", "pause", "furnace", "small.yaml").output.splitlines()
    assert said == [
        "amendment 1: furnace is paused: it begins no new job",
        "trial 2 under way there: 'athanor abort TRIAL' would end that",
        "no run goes on; the next one goes by it",
    ]
    (line,) = rows("station furnace")
    assert " paused by " in line
    assert line.endswith(": the door")
    (asked,) = rows("requests")
    assert "1: 'athanor requests' lists them" in asked


@pytest.mark.slow
def test_what_is_so_already_is_not_written_again(url: str) -> None:
    order("station", "pause", "furnace")
    assert "furnace is paused by" in order("station", "pause", "furnace").output
    assert len(Reader(url).amendments()) == 1
    assert order("station", "resume", "furnace").exit_code == 0
    assert order("station", "in", "furnace").output == "furnace is in use already; nothing was changed\n"
    assert len(Reader(url).amendments()) == 2
    assert rows("station") == []


@pytest.mark.slow
def test_what_is_out_is_not_resumed_but_taken_in(url: str) -> None:
    order("station", "drain", "furnace")
    assert " drained by " in rows("station furnace")[0]
    order("station", "out", "furnace")
    refused = order("station", "resume", "furnace")
    assert refused.exit_code == ExitCode.INVALID
    assert "allowed: one that is paused; use 'athanor station in furnace'" in refused.output
    assert order("station", "in", "furnace").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["station", "pause", "furnce"], "furnce: is no station, did you mean 'furnace'; allowed: furnace"),
        (["station", "pause"], "Missing argument"),
        (["station", "pause", "small.yaml"], "got no station; allowed: furnace"),
        (["abort", "0"], "trial 0 is completed; allowed: one with a job under way"),
        (["abort", "9"], "got trial 9; allowed: 0 to 3"),
        (["stop", "--after", "step"], "no run of this campaign goes on"),
        (["stop", "--after", "lunch"], "step"),
        (["stop", "--after", "step", "--by", "kim"], "no run of this campaign goes on"),
        (["stop", "--emergency", "--store", "sqlite:///other.db"], "allowed: --store with --after"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_written(url: str, words: list[str], message: str) -> None:
    result = order(*words)
    assert (result.exit_code, message in result.output) == (ExitCode.INVALID, True), result.output
    assert Reader(url).amendments() == []


def test_a_job_is_aborted_by_the_next_run_where_none_goes_on(url: str) -> None:
    said = order("abort", "2", "small.yaml").output.splitlines()
    assert said[0] == "amendment 1: the job of trial 2 is aborted"
    assert said[2] == "if the sample is lost, 'athanor trial discard 2' settles it now"
    assert Reader(url).amendments()[0].waiting


def test_a_run_that_goes_on_is_told_to_end(url: str) -> None:
    running = Store(url)
    assert order("stop", "--after", "step", "small.yaml").output.splitlines() == [
        "amendment 1: the run ends after the current steps",
        "the run that goes on does it within a second",
    ]
    running.close("")


@pytest.fixture
def uncertain(url: str, tmp_path: Path) -> Path:
    """The folder of the campaign, whose trial 2 is uncertain."""
    store = Store(url)
    store.mark("t2", TrialState.UNCERTAIN, 12.0, "furnace: no contact")
    store.end(2, TrialResult(TrialState.UNCERTAIN, "furnace: no contact"), 12.0)
    store.close("")
    return tmp_path


@pytest.mark.slow
def test_every_command_that_a_request_names_answers_it(uncertain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = athanor("requests", "small.yaml").output.splitlines()
    assert lines[0].startswith("1. what became of sample 2? furnace: no contact (for ")
    commands = [shlex.split(line) for line in lines if line.strip().startswith("athanor ")]
    assert [words[2] for words in commands] == ["attach", "reread", "result", "retry", "discard"]
    for words in commands:
        copy = shutil.copytree(uncertain, uncertain.parent / f"{uncertain.name}-{words[2]}")
        monkeypatch.chdir(copy)
        said = athanor(*(word.replace("VALUE ± SD", "151 ± 2").replace("WHY", "seen") for word in words[1:]))
        assert said.exit_code == 0, said.output
        assert athanor("requests").output == "nothing is asked of anybody\n"


def test_a_store_that_is_named_is_named_in_the_answers(uncertain: Path, url: str) -> None:
    assert f"athanor trial discard 2 --store {url} --reason 'WHY'" in athanor("requests", "--store", url).output


def test_an_emergency_stop_is_a_request_that_its_command_answers(url: str) -> None:
    assert athanor("stop", "small.yaml", "--emergency", "--reason", "smoke").exit_code == 0
    what, _, command = athanor("requests", "small.yaml").output.splitlines()
    assert what.startswith("1. nothing moves: emergency stop by ")
    assert athanor(*shlex.split(command)[1:]).exit_code == 0
    assert athanor("requests").output == "nothing is asked of anybody\n"


@pytest.mark.slow
def test_a_job_that_was_begun_at_a_station_which_is_out_is_a_request(url: str) -> None:
    order("station", "out", "furnace")
    lines = athanor("requests", "small.yaml").output.splitlines()
    assert any("trial 2 was at make when furnace was taken out by " in line for line in lines)
    assert order("trial", "discard", "2").exit_code == 0
    assert "trial 2 " not in athanor("requests", "small.yaml").output


def test_what_all_campaigns_of_a_folder_ask_is_listed_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first = fill(tmp_path)
    second = tmp_path / "second.yaml"
    second.write_bytes(first.read_bytes())
    for ending in (".db", ".db-wal"):
        if (file := first.with_suffix(ending)).exists():
            second.with_suffix(ending).write_bytes(file.read_bytes())
    lines = athanor("requests").output.splitlines()
    assert [line for line in lines if line.endswith(".yaml:")] == [f"{second.name}:", f"{first.name}:"]
    assert lines == athanor("requests", "second.yaml", "small.yaml").output.splitlines()
    one = athanor("requests", "small.yaml").output.splitlines()
    assert lines[-len(one) :] == one
