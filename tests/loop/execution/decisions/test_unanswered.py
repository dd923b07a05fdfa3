"""What is done about requests that nobody answers in the time that the campaign file gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.values import TrialState
from loop.execution.decisions.unanswered import AUTHOR
from loop.storage.reader import Reader
from loop.terminal.requests_view import request_lines, stored_requests
from tests.loop.conftest import Bench, troubled
from tests.loop.troubled import Bench as Instrument

pytestmark = pytest.mark.slow


class Forgetful(Instrument):
    """Cannot tell what became of trial 1."""

    def finish(self) -> None:
        self.state.put("fault" if self.number == 1 else "done")

    def has_finished(self, token: str) -> bool:
        return self.number != 1 and super().has_finished(token)


def forgetful(trials: int, **limit: str) -> dict[str, Any]:
    """A campaign of jobs of an hour, the second of which ends as nobody knows."""
    data = troubled("Bench", budget={"trials": trials}, planner={"initial": 8}, requests={"trial": limit})
    data["stations"]["bench"]["device"] = f"{__name__}:Forgetful"
    return data


def test_an_uncertain_trial_is_given_up_after_its_time_and_no_sooner(bench: Bench) -> None:
    data = forgetful(3, time_limit="100 min", then="discard")
    assert bench.run(data).trials[1].state is TrialState.UNCERTAIN, "the run has ended after an hour"
    (first, *_) = request_lines(Reader(bench.url), Path("a.yaml"), None)
    assert first.endswith("; without an answer after 100 min of a run, the sample is given up)")
    trials = bench.run(data | {"budget": {"trials": 5}}).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETED, TrialState.WITHDRAWN] + [
        TrialState.COMPLETED
    ] * 3
    (one,) = Reader(bench.url).amendments()
    assert (one.author, one.reason) == (AUTHOR, "nobody has answered within 1 h 40 min: trial 1 is uncertain")
    lost = next(change for change in Reader(bench.url).transitions(1) if change.state is TrialState.WITHDRAWN)
    assert lost.lab == pytest.approx(2 * 3600 + 6000, abs=60), "when its time was up, not when a job had ended"


def test_a_run_ends_where_nobody_decides_about_a_trial(bench: Bench) -> None:
    data = forgetful(8, time_limit="90 min", then="stop")
    ended = bench.run(data)
    assert ended.interrupted
    assert [trial.number for trial in ended.trials if trial.state is TrialState.COMPLETED] == [0, 2, 3]
    assert bench.run(data).interrupted, "each later one, until somebody has answered"
    assert len(stored_requests(Reader(bench.url))) == 1


def test_a_station_that_nobody_mends_is_taken_out_after_its_time(bench: Bench) -> None:
    data = troubled("Shut", budget={"trials": 6}, planner={"initial": 8})
    data["stations"]["other"] = {"kind": "device", "device": "tests.loop.troubled:Bench"}
    data["workflow"][0]["stations"] = ["bench", "other"]
    bench.run(data | {"requests": {"station": {"time_limit": "30 min", "then": "out"}}})
    (one,) = Reader(bench.url).amendments()
    assert one.reason == "nobody has answered within 30 min: bench has failed time after time"
    assert stored_requests(Reader(bench.url)) == []
