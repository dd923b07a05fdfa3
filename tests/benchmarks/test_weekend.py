"""A short weekend ends with every sample accounted for; and what would be wrong is seen."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import weekend
from benchmarks.weekend import LAB, Plan, Weekend, pass_by
from benchmarks.weekend_account import DISCARDED, Journal, judged
from campaigns.values import Candidate, Cause, MetricValue, TrialState
from loop.core.records import StepRecord, TrialRecord
from tests import trials
from tests.forks import be_athanor


class Fork:
    """A command that needs not load for seconds what it needs: it is forked from a process that has."""

    def __init__(self, folder: Path, words: Sequence[str], log: Path) -> None:
        self._process = multiprocessing.get_context("forkserver").Process(target=command, args=(folder, words, log))
        self._process.start()

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self) -> int:
        self._process.join()
        return self._process.exitcode or 0

    def send_signal(self, number: int) -> None:
        if self._process.pid is not None and self._process.is_alive():
            os.kill(self._process.pid, number)


def command(folder: Path, words: Sequence[str], log: Path) -> None:
    """Be a command."""
    from loop.execution.jobs import dispatcher

    dispatcher._PAUSES = (0.2, 6.0)
    opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(opened, stream)
    os.chdir(folder)
    be_athanor(*words)


@pytest.mark.slow
def test_a_short_weekend_with_a_fault_and_kills_ends_with_every_sample_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weekend, "SPEED", 60000.0)
    plan = Plan(4, 1, ("red",), ("one",), initial=9, kills=((0.5, ("red", LAB)),), faults=1)
    short = Weekend(tmp_path, plan, Fork)
    try:
        pass_by(short, lambda _: None)
        short.settle()
    finally:
        short.close()
    found = short.account()
    assert found.wrong == []
    assert found.trials.total() == 4
    assert short.happened["kill -9 of a campaign and the lab process"] == 1
    assert short.happened.total() == 2


STEP = StepRecord("fire", 1, "one", "1.000-0-fire-1.a", TrialState.ACQUIRED, None, None, None, "", 0.0)
BEGIN, DONE = ["one:", "begin", STEP.token], ["one:", "done", STEP.token]
AGAIN = ["one:", "begin", "1.000-0-fire-2.a"]
KILLED, VISITOR = ["server", "killed", "-"], ["one:", "begin", "visitor-1"]


def trial(state: TrialState = TrialState.COMPLETED, reason: str = "", soak: float = 300.0) -> TrialRecord:
    """Return a trial that was to see 300 degC."""
    known = {"steps": (STEP,), "metrics": {"soak": MetricValue(soak, 0.5, "degC")}, "reason": reason}
    return trials.trial(0, state, candidate=Candidate({"temperature": 300.0}), cause=Cause.LAB, **known)


@pytest.mark.parametrize(
    ("found", "journal", "words"),
    [
        (trial(), [BEGIN, BEGIN, DONE], "was begun 2 times"),
        (trial(), [BEGIN, DONE, AGAIN], "no store knows program 1.000-0-fire-2.a"),
        (trial(), [], "is completed, and no furnace has done it"),
        (trial(soak=310.0), [BEGIN, DONE], "off by 10.0 K"),
        (trial(TrialState.UNCERTAIN), [BEGIN, KILLED], "is left open: uncertain"),
        (trial(TrialState.DISPATCHED), [BEGIN], "is left open: dispatched"),
        (trial(TrialState.FAILED, "it did not end"), [BEGIN, DONE], "is written off: it did not end"),
        (trial(TrialState.QUARANTINED, "stale"), [BEGIN, DONE], "is quarantined: stale"),
        (trial(TrialState.QUARANTINED, "no licence"), [BEGIN, DONE], "1 trials are quarantined, and 0 analyses"),
        (trial(TrialState.WITHDRAWN, DISCARDED), [BEGIN, DONE], "was made, could be read, and is given up"),
    ],
)
def test_what_must_not_be_is_seen(found: TrialRecord, journal: Journal, words: str) -> None:
    assert any(words in text for text in judged({"red": [found]}, [journal], 0).wrong)


@pytest.mark.parametrize("lost", [[BEGIN, KILLED], [BEGIN, DONE, KILLED], [BEGIN, DONE, VISITOR]])
def test_what_its_furnace_has_forgotten_may_be_given_up(lost: Journal) -> None:
    found = judged({"red": [trial(TrialState.WITHDRAWN, DISCARDED)]}, [lost], 0)
    assert (found.wrong, found.cut_off, found.never_begun) == ([], 1, 0)
    assert judged({"red": [trial(TrialState.WITHDRAWN, DISCARDED)]}, [], 0).never_begun == 1


def test_faults_are_spread_evenly_and_in_proportion() -> None:
    assert len(Plan(1000, 0).when) == 180
    assert Plan(300, 0, faults=3).when == [50.0, 150.0, 250.0]
