"""What a station's answers make of a trial, and when a station is given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.campaign import Campaign
from campaigns.lab.laboratory import StepConfig
from campaigns.values import Cause, TrialState
from instruments.job import Fate, Job, StepResult
from loop.core.campaign_records import CampaignRecord
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.laboratory.lab_setup import build_lab
from loop.storage.store import Store
from tests.loop.conftest import quick
from tests.trials import trial

STATION = "furnace_1"


@pytest.fixture
def dispatcher(tmp_path: Path) -> Iterator[Dispatcher]:
    """The stations of the calcination campaign on the virtual lab."""
    campaign = Campaign(**quick())
    store = Store(f"sqlite:///{tmp_path / 'test.db'}")
    store.begin(CampaignRecord("test", "", 1, "print", 0.0), {})
    found = Dispatcher(campaign, build_lab(campaign, None, tmp_path / "lab", 0.0), store, None)
    yield found
    found.close()
    store.close("")


def step(dispatcher: Dispatcher) -> StepConfig:
    return Campaign(**quick()).workflow[0]


def answer(
    cause: Cause | None = Cause.LAB,
    attempt: int = 1,
    *,
    moved: bool = True,
    adopt: bool = False,
    fate: Fate = Fate.UNKNOWN,
) -> StepResult:
    """Return how the first step of trial 0 ended: badly, but where there is no cause."""
    job = Job(0, "synthesise", attempt, f"t0-{attempt}", "0", None, {}, 3600.0, adopt)
    error = None if cause is None else "StepError: no"
    return StepResult(job, cause is None, error, moved, None, 0.0, 1.0, cause, fate)


def test_a_sample_that_cannot_be_made_is_a_failure_whatever_moved() -> None:
    assert Dispatcher.state_after_failure(answer(Cause.SAMPLE)) is TrialState.FAILED
    assert Dispatcher.state_after_failure(answer(Cause.SAMPLE, moved=False)) is TrialState.FAILED


def test_what_moved_nothing_waits_again() -> None:
    assert Dispatcher.state_after_failure(answer(moved=False)) is TrialState.QUEUED


@pytest.mark.parametrize(
    ("fate", "state"),
    [
        (Fate.OVER, TrialState.FAILED),
        (Fate.UNKNOWN, TrialState.UNCERTAIN),
        (Fate.UNDER_WAY, TrialState.UNCERTAIN),
        (Fate.NEVER_BEGAN, TrialState.QUEUED),
    ],
)
def test_what_may_have_moved_is_what_the_instrument_says_of_it(fate: Fate, state: TrialState) -> None:
    assert Dispatcher.state_after_failure(answer(fate=fate)) is state


def test_a_job_that_never_begins_is_tried_twice_and_no_more() -> None:
    answers = [answer(attempt=attempt, fate=Fate.NEVER_BEGAN) for attempt in (1, 2, 3)]
    states = [Dispatcher.state_after_failure(one) for one in answers]
    assert states == [TrialState.QUEUED, TrialState.FAILED, TrialState.FAILED]


def test_an_attempt_that_was_to_be_adopted_and_never_began_is_begun_again() -> None:
    assert Dispatcher.state_after_failure(answer(attempt=2, adopt=True, fate=Fate.NEVER_BEGAN)) is None


def test_a_station_is_given_up_after_three_failures_in_a_row(dispatcher: Dispatcher) -> None:
    assert [dispatcher.record_result(STATION, answer()) for _ in range(2)] == [False, False]
    assert dispatcher.usable(STATION)
    assert dispatcher.record_result(STATION, answer()), "told once, when it happens"
    assert not dispatcher.usable(STATION)
    assert not dispatcher.record_result(STATION, answer())
    assert "StepError: no" in str(dispatcher.unusable_error(step(dispatcher)))


@pytest.mark.parametrize("cause", [None, Cause.SAMPLE])
def test_a_success_and_a_bad_sample_end_the_row_of_failures(dispatcher: Dispatcher, cause: Cause | None) -> None:
    for _ in range(4):
        assert not dispatcher.record_result(STATION, answer())
        assert not dispatcher.record_result(STATION, answer())
        assert not dispatcher.record_result(STATION, answer(cause))
    assert dispatcher.usable(STATION)


def test_the_first_station_of_a_step_that_is_free_and_not_resting_is_taken(dispatcher: Dispatcher) -> None:
    first, *others = step(dispatcher).stations
    waiting = trial(0, TrialState.QUEUED)
    assert dispatcher.free(step(dispatcher), waiting) == first
    dispatcher.record_result(first, answer())
    assert dispatcher.rest(first, lambda: None) == 60.0
    assert dispatcher.waiting(step(dispatcher), waiting)
    assert dispatcher.free(step(dispatcher), waiting) == (others[0] if others else None)


def test_a_station_rests_longer_after_its_second_failure(dispatcher: Dispatcher) -> None:
    pauses = []
    for _ in range(3):
        dispatcher.record_result(STATION, answer())
        pauses.append(dispatcher.rest(STATION, lambda: None))
    assert pauses == [60.0, 1800.0, 1800.0]
