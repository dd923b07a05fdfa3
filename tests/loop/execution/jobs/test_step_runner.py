"""The steps under way: begun, waited for, concluded, and tried again where nothing was moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.decisions import StationMode
from campaigns.values import Candidate, Cause, TrialState
from instruments.job import Job, StepResult
from loop.core.campaign_records import CampaignRecord
from loop.core.events import Event, StepEnded, StepStarted, Warned
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialResult
from loop.core.station_modes import HeldStation
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.holds import Held, PossibleJob
from loop.execution.jobs.step_runner import StepRunner
from loop.execution.laboratory.lab_setup import build_lab
from loop.execution.options import RunOptions
from loop.execution.session import Session
from loop.storage.artefacts import GIVEN_UP
from loop.storage.store import Store
from loop.terminal.log_lines import line
from tests.loop.conftest import troubled


class Shift:
    """A runner on a lab with one bench, and one trial that waits for it."""

    def __init__(self, folder: Path, device: str, number: int = 0) -> None:
        campaign = Campaign(**troubled(device))
        self.store = Store(f"sqlite:///{folder / 'test.db'}")
        self.store.begin(CampaignRecord("troubled", "", 1, "print", 0.0), {})
        for each in range(number + 1):
            self.store.propose(each, Candidate({"x": 0.5, "y": 0.5}), Proposal("space-filling"), 0.0)
        self.events: list[Event] = []
        lab = build_lab(campaign, None, folder / "lab", 0.0)
        self.dispatcher = Dispatcher(campaign, lab, self.store, None)
        self.state, self.clock = CampaignState(campaign, self.store), lab.clock
        session = Session(self.store, lab.clock, RunOptions("", ""), self.events.append)
        self.runner = StepRunner(self.state, session, self.dispatcher)
        self.number, self.step = number, campaign.workflow[0]

    def begin(self) -> None:
        self.runner.begin([self.state[self.number]], self.step, "bench")

    def result(self) -> StepResult:
        found = self.runner.next_result(lambda: False)
        assert found is not None
        return found

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture
def shift(tmp_path: Path) -> Iterator[Shift]:
    found = Shift(tmp_path, "Bench")
    yield found
    found.dispatcher.close()
    found.store.close("")


@pytest.fixture
def shut(tmp_path: Path) -> Iterator[Shift]:
    """A lab whose bench has its door open."""
    found = Shift(tmp_path, "Shut", 2)
    setattr(found.dispatcher.instruments["bench"], "asked", 2)  # noqa: B010 - no attribute of every instrument
    yield found
    found.dispatcher.close()
    found.store.close("")


def test_a_trial_waits_for_its_next_step_until_that_is_begun(shift: Shift) -> None:
    assert shift.runner.awaited_step(shift.state[0]) == shift.step
    assert not shift.runner.busy
    shift.begin()
    assert shift.runner.awaited_step(shift.state[0]) is None
    assert shift.runner.busy
    assert shift.told(StepStarted) == [StepStarted(0, "make", "bench", 1)]
    shift.result()


def test_a_step_that_went_well_leaves_its_raw_data_in_the_store(shift: Shift) -> None:
    shift.begin()
    [(_, record)] = shift.runner.conclude(shift.result(), aborted=False)
    assert isinstance(record, StepRecord)
    assert record.state is TrialState.ACQUIRED
    assert "bench_height" in shift.store.event_data(record.token)
    assert [(event.ok, event.reason) for event in shift.told(StepEnded)] == [(True, "")]
    assert not shift.runner.busy
    assert shift.clock.now() == pytest.approx(3600.0)


def test_whoever_interrupts_is_answered_at_once_and_the_step_stays_under_way(shift: Shift) -> None:
    shift.begin()
    assert shift.runner.next_result(lambda: True) is None
    assert shift.runner.busy
    shift.result()


def test_what_was_refused_before_anything_moved_waits_and_the_station_is_tried_again(shut: Shift) -> None:
    shut.begin()
    assert shut.runner.conclude(shut.result(), aborted=False) == []
    assert shut.state[2].state is TrialState.QUEUED
    [record] = shut.state[2].steps
    assert (record.state, record.cost) == (TrialState.WITHDRAWN, 0.0)
    assert [event.text for event in shut.told(Warned)] == [
        "trial 2 waits, as nothing was moved: bench is tried again in 60 s"
    ]
    assert shut.runner.awaited_step(shut.state[2]) == shut.step
    assert shut.runner.next_result(lambda: False) is None, "woken when the pause is over"
    assert shut.clock.now() == pytest.approx(60.0)


def test_a_station_that_fails_for_the_last_time_is_told_and_left_alone(shut: Shift) -> None:
    for attempt in (1, 2, 3):
        shut.begin()
        shut.runner.conclude(shut.result(), aborted=False)
        if attempt < 3:
            assert shut.runner.next_result(lambda: False) is None
    assert "has failed time after time and is no longer used" in shut.told(Warned)[-1].text
    assert not shut.dispatcher.usable("bench")


@pytest.mark.slow
def test_a_session_that_ends_by_force_leaves_a_failed_step_as_the_store_has_it(shut: Shift) -> None:
    shut.begin()
    result = shut.result()
    before = shut.store.trial(2)
    assert shut.runner.conclude(result, aborted=True) == []
    assert shut.store.trial(2) == before
    assert shut.told(StepEnded) == []


def test_a_step_of_an_earlier_session_is_taken_over_under_its_own_token(shift: Shift) -> None:
    step = StepRecord("make", 1, "bench", "earlier-1", TrialState.CLAIMED, None, None, None, "", 0.0)
    shift.store.claim(0, step, 0.0)
    shift.runner.adopt(shift.state.read_trial(0))
    [(_, record)] = shift.runner.conclude(shift.result(), aborted=False)
    assert isinstance(record, StepRecord)
    assert (record.token, record.attempt, len(shift.state[0].steps)) == ("earlier-1", 1, 1)


def test_a_hold_that_ends_by_itself_keeps_a_job_waiting_and_wakes_the_session(shift: Shift) -> None:
    night = 500.0
    shift.dispatcher.holds.append(lambda _: Held("night", night) if shift.clock.now() < night else None)
    assert shift.dispatcher.free(shift.step, shift.state[0]) is None
    assert shift.dispatcher.free(shift.step, shift.state[0]) is None, "and it is woken once"
    assert shift.dispatcher.waiting(shift.step, shift.state[0])
    assert shift.runner.next_result(lambda: False) is None
    assert shift.clock.now() == pytest.approx(night)
    assert not shift.dispatcher.waiting(shift.step, shift.state[0])
    assert shift.dispatcher.free(shift.step, shift.state[0]) == "bench"


HELD = HeldStation(StationMode.PAUSED, "kim", 1.7e9, "the door")


def test_a_job_that_is_given_up_before_anything_has_moved_withdraws_its_trial(shift: Shift) -> None:
    assert not shift.runner.abort(0, "kim: smoke"), "nothing is under way"
    shift.begin()
    assert shift.runner.abort(0, "kim: smoke")
    [(_, ending)] = shift.runner.conclude(
        StepResult(_job(shift), False, "aborted: kim: smoke", False, None, 0.0, 1.0, Cause.LAB), aborted=False
    )
    assert isinstance(ending, TrialResult)
    assert ending.state is TrialState.WITHDRAWN
    shift.store.end(0, ending, 1.0)
    (record,) = shift.state.read_trial(0).steps
    assert (record.state, record.cost) == (TrialState.WITHDRAWN, 0.0)


def test_what_was_claimed_at_a_station_that_people_hold_goes_elsewhere(shift: Shift) -> None:
    step = StepRecord("make", 1, "bench", "earlier-1", TrialState.CLAIMED, None, None, None, "", 0.0)
    shift.store.claim(0, step, 0.0)
    shift.dispatcher.held = {"bench": HELD}
    shift.runner.adopt(shift.state.read_trial(0))
    assert not shift.runner.busy
    (record,) = shift.state[0].steps
    assert (shift.state[0].state, record.state) == (TrialState.QUEUED, TrialState.WITHDRAWN)
    assert "bench is paused by kim" in record.reason


@pytest.mark.parametrize(
    ("mode", "taken"), [(StationMode.PAUSED, True), (StationMode.DRAINED, True), (StationMode.OUT, False)]
)
def test_what_had_moved_is_taken_up_at_a_paused_station_and_not_at_one_that_is_out(
    shift: Shift, mode: StationMode, taken: bool
) -> None:
    step = StepRecord("make", 1, "bench", "earlier-1", TrialState.CLAIMED, None, None, None, "", 0.0)
    shift.store.claim(0, step, 0.0)
    shift.store.mark("earlier-1", TrialState.DISPATCHED, 0.0)
    shift.dispatcher.held = {"bench": replace(HELD, mode=mode)}
    trial = shift.state.read_trial(0)
    assert (shift.dispatcher.free(shift.step, trial) == "bench") is taken
    assert shift.dispatcher.admits(PossibleJob(trial, shift.step, "bench")) is taken
    shift.runner.adopt(trial)
    assert shift.runner.busy is taken
    assert [line(event, {}) for event in shift.told(StepStarted)] == [
        "trial 0: make was begun: bench is asked what became of it"
    ] * taken
    assert shift.state[0].steps[0].state is TrialState.DISPATCHED


def test_a_station_that_failed_time_after_time_is_used_again_once_people_say_so(shut: Shift) -> None:
    for attempt in (1, 2, 3):
        shut.begin()
        shut.runner.conclude(shut.result(), aborted=False)
        if attempt < 3:
            shut.runner.next_result(lambda: False)
    assert "the door is open" in shut.store.artefacts(GIVEN_UP)["bench"]["reason"]
    assert not shut.dispatcher.usable("bench")
    shut.dispatcher.readmit("bench")
    assert shut.dispatcher.usable("bench")


def _job(shift: Shift) -> Job:
    """Return the job that the runner has just begun."""
    (record,) = shift.state[0].steps
    return Job(0, "make", 1, record.token, "0", None, {}, 3600.0)
