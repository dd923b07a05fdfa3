"""What is done about requests that nobody answers in the time that the campaign file gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.values import TrialState
from loop.core.events import Event, StepEnded
from loop.execution.decisions.unanswered import AUTHOR
from loop.service.journal_editor import open_journal_editor
from loop.storage.artefacts import ASKED_SINCE, UNSAFE
from loop.storage.reader import Reader
from loop.terminal.requests_view import request_lines, stored_requests
from tests.loop.campaign_runs.test_sample_run import MAKES, KilledError, url
from tests.loop.conftest import Bench, troubled
from tests.loop.execution.jobs.test_standards import BALANCE, Weighing
from tests.loop.sampled import run_sampled, sampled
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


def short_of_salt(folder: Path, then: str) -> dict[str, Any]:
    """A campaign with salt for one job, on whose refill nobody decides."""
    file = {"consumables": {"salt": {"stock": "15 g", "reorder_at": "0 g"}}}
    data = sampled(folder, {}, file=file, requests={"refill": {"time_limit": "3 h", "then": then}})
    data["workflow"][0]["uses"] = {"salt": "10 g"}
    return data


def test_a_run_ends_where_nobody_refills_and_the_time_that_had_passed_before_counts(tmp_path: Path) -> None:
    data, asked = short_of_salt(tmp_path, "stop"), "trial 1 waits for a refill at step_0"

    def kill(event: Event) -> None:
        if isinstance(event, StepEnded):
            raise KilledError

    with pytest.raises(KilledError):
        run_sampled(data, tmp_path, kill)
    store = Reader(url(tmp_path))
    assert store.artefacts(ASKED_SINCE) == {asked: {"lab": 0.0}}, "the first job has taken what there was"
    assert run_sampled(data, tmp_path).interrupted
    (one,) = store.amendments()
    assert (one.author, one.reason) == (AUTHOR, f"nobody has answered within 3 h: {asked}")
    assert store.artefacts(ASKED_SINCE) == {asked: {"lab": 0.0}}


def test_trials_that_wait_for_a_refill_are_withdrawn_while_others_go_on(tmp_path: Path) -> None:
    ended = run_sampled(short_of_salt(tmp_path, "withdraw"), tmp_path)
    assert ended.interrupted, "as none was begun since"
    states = [trial.state for trial in ended.trials]
    assert states[:2] == [TrialState.COMPLETED, TrialState.WITHDRAWN]
    assert states.count(TrialState.WITHDRAWN) == 1


def test_a_run_ends_where_nobody_makes_room(tmp_path: Path) -> None:
    limits = {"position": {"time_limit": "3 h", "then": "stop"}}
    assert run_sampled(sampled(tmp_path, MAKES, {"at": "holder"}, requests=limits), tmp_path).interrupted
    (one,) = Reader(url(tmp_path)).amendments()
    assert one.reason == "nobody has answered within 3 h: trial 1 waits for room for its sample at step_1"


def test_a_station_that_nobody_adjusts_is_taken_out(tmp_path: Path) -> None:
    weighing = Weighing(
        tmp_path,
        "every_trials: 2\n      then: flag",
        BALANCE + "requests: {standard: {time_limit: 90 min, then: out}}\n",
    )
    weighing.drift_at, weighing.adjusts = 1, False
    weighing.run()
    (one,) = weighing.reader.amendments()
    assert one.reason.startswith("nobody has answered within 1 h 30 min: the standard of balance is off: 102.00")


def test_a_run_ends_where_nobody_looks_at_what_is_not_safe(bench: Bench) -> None:
    limits = {"unsafe": {"time_limit": "30 min", "then": "stop"}}
    data = troubled("Bench", budget={"trials": 1}, requests=limits)
    bench.run(data)
    journal = open_journal_editor(None, bench.url, "to see").journal
    journal.keep(UNSAFE, "bench", {"reason": "it is stuck", "since": 0.0})
    ended = bench.run(data | {"budget": {"trials": 3}})
    assert ended.interrupted
    assert [trial.state for trial in ended.trials[1:]] == [TrialState.QUEUED] * len(ended.trials[1:])
    (asked,) = stored_requests(Reader(bench.url))
    assert (
        asked.otherwise
        == "without an answer after 30 min of a run, the run ends after the current trials, as does each later one"
    )
