"""What people order of stations, of jobs under way and of the run itself, while a campaign runs."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.decisions import DiscardTrial, SetStation, StationMode
from campaigns.errors import CampaignError, LabError
from campaigns.values import TrialState
from loop.cli.run_orders import abort_trial, stop_after
from loop.cli.station_orders import set_stations
from loop.core.events import Amended, Event, StepStarted, Warned
from loop.execution.jobs import dispatcher
from loop.execution.options import SessionResult
from loop.service.journal_editor import open_journal_editor, settle
from loop.storage.artefacts import GIVEN_UP
from loop.storage.reader import Reader
from loop.terminal.requests_view import stored_requests
from tests.loop.campaign_runs.test_run import begun_once
from tests.loop.conftest import Bench, quick, troubled

pytestmark = pytest.mark.slow


def short(device: str = "Bench", trials: int = 2) -> dict[str, Any]:
    """A campaign on one bench that is over before there is a model."""
    return troubled(device, budget={"trials": trials}, planner={"initial": 8})


def on_the_wall() -> dict[str, Any]:
    """A campaign of three trials on the clock on the wall, each of half a second."""
    return short("Brief", 3) | {"lab": {"kind": "real"}}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a station that was not ready be tried again at once, as tests wait for it on the wall."""
    monkeypatch.setattr(dispatcher, "_PAUSES", (0.2, 0.2))


def order(bench: Bench, mode: StationMode) -> list[str]:
    return list(set_stations(["bench"], bench.url, "the door", mode))


def test_a_paused_station_is_waited_for_until_somebody_resumes_it_whatever_was_restarted(bench: Bench) -> None:
    bench.run(short())
    said = order(bench, StationMode.PAUSED)
    assert said == ["amendment 1: bench is paused: it begins no new job", "no run goes on; the next one goes by it"]
    waits: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Warned) and "waits for people" in event.text:
            waits.append(event.text)
            (asked,) = stored_requests(Reader(bench.url))
            assert asked.what.startswith("trial 2 waits for make: bench is paused by ")
            order(bench, StationMode.IN)

    done = bench.run(short(trials=4), on_event).trials
    assert [trial.state for trial in done] == [TrialState.COMPLETED] * 4
    assert len(waits) == 1
    assert waits[0].startswith("make waits for people, see 'athanor requests': bench is paused by ")
    assert stored_requests(Reader(bench.url)) == []


def test_somebody_who_wants_an_end_does_not_wait_for_a_station_that_is_out(bench: Bench) -> None:
    bench.run(short())
    order(bench, StationMode.OUT)

    def on_event(event: Event) -> None:
        if isinstance(event, Warned) and "waits for people" in event.text:
            list(stop_after("trial", None, bench.url, "home"))

    ended = bench.run(short(trials=4), on_event)
    assert ended.interrupted
    assert ended.trials[2].state is TrialState.QUEUED


def aborted(bench: Bench) -> SessionResult:
    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 1:
            *_, when, hold = abort_trial(1, None, bench.url, "smoke")
            assert when == "the run that goes on does it within a second"
            assert hold.startswith(
                "the next trial may begin there at once; to hold the station: athanor station pause bench --store "
            )
            assert hold.endswith(" --reason 'WHY'")

    return bench.run(on_the_wall(), on_event)


def test_an_aborted_job_ends_its_trial_as_the_instrument_says_and_the_others_go_on(
    bench: Bench, impatient: None
) -> None:
    trials = aborted(bench).trials
    assert trials[2].state is TrialState.COMPLETED
    assert "gave it up: smoke" in trials[1].reason
    moved = trials[1].steps[-1].state is not TrialState.WITHDRAWN
    assert trials[1].state is (TrialState.UNCERTAIN if moved else TrialState.WITHDRAWN)
    (one,) = Reader(bench.url).amendments()
    assert (one.first, one.refused) == (1, "")
    with pytest.raises(CampaignError, match="allowed: one with a job under way"):
        list(abort_trial(0, None, bench.url, "smoke"))


def test_a_sample_that_is_discarded_while_its_job_is_under_way_ends_after_that_was_given_up(
    bench: Bench, impatient: None
) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 1:
            list(settle(open_journal_editor(None, bench.url, "it broke"), DiscardTrial(trial=1)))

    lost = bench.run(on_the_wall(), on_event).trials[1]
    assert lost.state is TrialState.WITHDRAWN
    assert not lost.steps[-1].open
    (one,) = Reader(bench.url).amendments()
    assert (one.first, one.refused) == (1, "")


def test_a_run_ends_after_the_current_steps_and_is_gone_on_with(bench: Bench) -> None:
    begun: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted):
            begun.append(event.step)
            if len(begun) == 1:
                list(stop_after("step", None, bench.url, "home"))

    data = quick(budget={"trials": 3})
    ended = bench.run(data, on_event)
    assert ended.interrupted
    assert "has stopped the run after the current steps: home" in ended.reason
    assert [len(trial.acquired) for trial in ended.trials if trial.begun] == [1]
    again = bench.run(data).trials
    assert [trial.state for trial in again] == [TrialState.COMPLETED] * 3
    assert begun_once(bench)


def test_a_run_does_not_end_as_an_earlier_one_was_to_that_was_killed_meanwhile(bench: Bench) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted):
            list(stop_after("trial", None, bench.url, "home"))
            raise RuntimeError("killed")  # noqa: TRY004 - it stands for the end of the process

    with pytest.raises(RuntimeError, match="killed"):
        bench.run(short(), on_event)
    assert bench.run(short()).finished
    (told,) = (event.amendment for event in bench.events if isinstance(event, Amended))
    assert told.refused == "the run that was to end has ended before"
    with pytest.raises(CampaignError, match="no run of this campaign goes on"):
        list(stop_after("trial", None, bench.url, "home"))


def test_a_station_that_failed_time_after_time_is_a_request_until_it_is_tried_again(bench: Bench) -> None:
    with pytest.raises(LabError):
        bench.run(short("Shut", 4))
    (asked,) = stored_requests(Reader(bench.url))
    assert asked.what.startswith("bench is no longer used, as it failed time after time: ")
    assert [answer.command for answer in asked.answers] == ["station in bench", "station out bench"]
    order(bench, StationMode.IN)
    assert stored_requests(Reader(bench.url)) == []
    assert Reader(bench.url).artefacts(GIVEN_UP) == {}
    assert [one.change for one in Reader(bench.url).amendments()] == [SetStation(station="bench", mode=StationMode.IN)]
