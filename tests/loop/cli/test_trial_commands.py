"""The commands that settle single trials, where no run goes on."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from campaigns.values import MetricValue, TrialState
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode
from loop.core.author import author
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from tests.stores import fill


def decide(*words: str) -> Result:
    return CliRunner().invoke(app, ["trial", *words, "--reason", "looked at it"])


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], TrialRecord]:
    """A campaign whose trial 1 is in quarantine, whose trial 2 is under way without a run, and whose trial 3 waits."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{fill(tmp_path).with_suffix('.db')}"
    return lambda number: Reader(url).trial(number)


def test_a_result_by_hand_completes_a_trial(stored: Callable[[int], TrialRecord]) -> None:
    result = decide("result", "1", "capacity=0.151(2) Ah/g", "small.yaml")
    assert result.output.splitlines() == [
        "amendment 1: trial 1 is given capacity 151.0 ± 2.0 mAh/g by hand, done",
        "trial 1: completed: score 15.10 ± 0.20",
    ]
    done = stored(1)
    assert (done.metrics, done.flags) == ({"capacity": MetricValue(151.0, 2.0, "mAh/g")}, ())
    assert done.steps[-1].reason.endswith(": looked at it")
    assert decide("result", "1", "capacity=151").exit_code == ExitCode.INVALID, "it is completed now"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["1", "capacity=3.7 V"], "allowed: "),
        (["1", "capacity=much"], "got 'much', which is no number"),
        (["1", "capacity=-"], "allowed: a number with uncertainty and unit"),
        (["1", "capactiy=150"], "is no measured metric, did you mean 'capacity'; allowed: capacity"),
        (["1-2", "capacity=150"], "got 2 trials; allowed: the number of one"),
        (
            ["0", "capacity=150"],
            "trial 0 is completed; allowed: one that waits, or one that failed, is in quarantine or uncertain",
        ),
    ],
)
def test_a_result_that_cannot_be_is_refused_before_it_is_written(
    stored: Callable[[int], TrialRecord], words: list[str], message: str
) -> None:
    result = decide("result", *words)
    assert (result.exit_code, message in result.output) == (ExitCode.INVALID, True), result.output
    assert stored(1).state is TrialState.QUARANTINED


def test_a_sample_that_was_under_way_when_the_controller_died_can_be_given_up(
    stored: Callable[[int], TrialRecord],
) -> None:
    assert decide("discard", "2").output == "amendment 1: trial 2 is discarded, its sample is lost, done\n"
    lost = stored(2)
    assert (lost.state, lost.steps[0].state) == (TrialState.WITHDRAWN, TrialState.UNCERTAIN)
    assert lost.reason.startswith("discarded by ")
    assert decide("discard", "2").exit_code == ExitCode.INVALID
    assert decide("discard", "3").exit_code == ExitCode.INVALID, "nothing of it was begun"


def test_a_step_is_repeated_by_the_next_run(stored: Callable[[int], TrialRecord]) -> None:
    assert decide("retry", "1").output.splitlines() == [
        "amendment 1: trial 1 repeats its last step with the same sample, done",
        "trial 1: queued; goes on with 'athanor run'",
    ]
    waiting = stored(1)
    assert (waiting.state, waiting.metrics, waiting.flags, waiting.ended) == (TrialState.QUEUED, {}, (), None)
    assert waiting.steps[0].state is TrialState.FAILED
    assert decide("attach", "1").exit_code == ExitCode.INVALID


@pytest.mark.parametrize("words", [["abort", "small.yaml", "--reason", "smoke"], ["show", "small.yaml"]])
def test_a_file_in_the_place_of_a_trial_is_answered_as_people_write(words: list[str]) -> None:
    result = CliRunner().invoke(app, words)
    said = " ".join(result.output.replace("│", "").split())
    assert result.exit_code == ExitCode.INVALID
    assert "got 'small.yaml'; allowed: the number of a trial, such as 3" in said


def test_a_refusal_begins_with_no_placeholder(stored: Callable[[int], TrialRecord]) -> None:
    assert decide("retry", "0").output.startswith("trial 0 is completed; allowed: ")
    assert decide("retry", "small.yaml").output.startswith("got no trial; allowed: numbers of trials")
    said = CliRunner().invoke(app, ["stop", "--after", "step", "--reason", "home"]).output
    assert said.startswith("small: no run of this campaign goes on")
    assert stored(0).state is TrialState.COMPLETED


def test_whoever_decides_may_sign_with_a_name_on_a_shared_account(stored: Callable[[int], TrialRecord]) -> None:
    assert decide("retry", "1", "small.yaml", "--by", "Kim").exit_code == 0
    assert decide("discard", "2", "small.yaml").exit_code == 0
    assert [one.author for one in Reader(f"sqlite:///{Path('small.db')}").amendments()] == ["Kim", author()]


def test_every_command_that_is_given_a_reason_can_be_signed() -> None:
    def commands(group: Any) -> Iterator[Any]:
        for one in getattr(group, "commands", {}).values():
            yield from [one, *commands(one)]

    options = [{name for p in one.params for name in p.opts} for one in commands(typer.main.get_command(app))]
    reasoned = [names for names in options if "--reason" in names]
    assert len(reasoned) > 20
    assert all("--by" in names for names in reasoned)
