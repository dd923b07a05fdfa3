"""Why nothing new is begun, and what may still go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.load import load_campaign
from campaigns.values import Cause, TrialState
from instruments.job import Fate, Job, StepResult
from loop.core.events import Event, Stopping
from loop.execution.campaign_state import CampaignState
from loop.execution.options import RunOptions
from loop.execution.session import Session
from loop.execution.stop_monitor import INTERRUPTED, StopMonitor
from loop.storage.store import Store
from simulators.virtual_clock import VirtualClock
from tests.stores import fill
from tests.trials import trial


class Watched:
    """A monitor on a store of four trials, one of which waits in the queue, with what it tells."""

    def __init__(self, folder: Path, budget: int) -> None:
        file = fill(folder)
        file.write_text(file.read_text().replace("trials: 10", f"trials: {budget}"))
        self.events: list[Event] = []
        self.options, self.clock = RunOptions("", ""), VirtualClock()
        self.store = Store(f"sqlite:///{folder / 'small.db'}")
        self.state = CampaignState(load_campaign(file), self.store)
        session = Session(self.store, self.clock, self.options, self.events.append)
        self.monitor = StopMonitor(session, self.state)

    def close(self) -> None:
        self.store.close("")
        self.clock.close()

    @property
    def told(self) -> list[str]:
        return [event.reason for event in self.events if isinstance(event, Stopping)]


@pytest.fixture
def going(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path, 10)
    yield found
    found.close()


@pytest.fixture
def spent(tmp_path: Path) -> Iterator[Watched]:
    found = Watched(tmp_path, 4)
    yield found
    found.close()


def test_a_campaign_within_its_budget_goes_on(going: Watched) -> None:
    assert going.monitor.reason() is None
    assert going.monitor.may_begin
    assert not going.monitor.finished
    assert going.told == []


def test_the_last_of_the_budget_is_still_begun_and_the_reason_told_once(spent: Watched) -> None:
    assert spent.monitor.reason() == spent.monitor.reason()
    assert len(spent.told) == 1
    assert spent.monitor.last_of_budget
    assert spent.monitor.may_begin
    assert spent.monitor.finished


def test_another_rule_leaves_waiting_trials_alone(going: Watched) -> None:
    going.monitor.stop("the space is used up")
    assert not going.monitor.may_begin
    assert going.monitor.finished


def test_an_interrupted_session_begins_nothing_and_leaves_the_campaign_unfinished(spent: Watched) -> None:
    spent.options.stop.set()
    assert spent.monitor.reason() != INTERRUPTED, "the budget was spent anyway"
    assert not spent.monitor.may_begin
    assert not spent.monitor.finished
    assert not spent.monitor.halted, "what is under way is finished"


def test_the_user_is_the_reason_where_there_is_no_other(going: Watched) -> None:
    going.options.abort.set()
    assert going.monitor.reason() == INTERRUPTED


def test_each_press_of_ctrl_c_is_noticed_once(going: Watched) -> None:
    assert not going.monitor.noticed()
    going.options.stop.set()
    assert [going.monitor.noticed(), going.monitor.noticed()] == [True, False]
    assert not going.monitor.halted
    going.options.abort.set()
    assert [going.monitor.noticed(), going.monitor.noticed()] == [True, False]
    assert going.monitor.halted


def test_an_amended_campaign_may_go_on_but_not_against_the_users_wish(going: Watched) -> None:
    going.monitor.stop("the space is used up")
    going.monitor.reconsider()
    assert going.monitor.reason() is None
    going.options.stop.set()
    going.monitor.reason()
    going.monitor.reconsider()
    going.options.stop.clear()
    assert going.monitor.reason() == INTERRUPTED


@pytest.mark.parametrize(("count", "halts"), [(2, False), (3, True)])
def test_the_same_fault_three_times_in_a_row_ends_the_session(going: Watched, count: int, halts: bool) -> None:
    for number in range(10, 10 + count):
        reason, fault = "cycle: analysis failed: KeyError", "cycle: KeyError at mine.py:3"
        kind = {"cause": Cause.ANALYSIS, "reason": reason, "fault": fault, "ended": 2e9}
        going.state.put(trial(number, TrialState.QUARANTINED, **kind))
    going.monitor.check_repeated_faults()
    assert going.monitor.halted is halts
    assert ("the same for trials 10, 11 and 12" in going.monitor.fault) is halts
    assert going.told == ([going.monitor.fault] if halts else [])


def test_a_mistake_in_a_plan_ends_the_session_at_once_and_is_told_once(going: Watched) -> None:
    job = Job(0, "make", 1, "t0", "0", None, {}, 1.0)
    failed = StepResult(job, False, "stage: plan failed: no", True, None, 0.0, 1.0, Cause.LAB, Fate.NEVER_BEGAN)
    going.monitor.check_plan(failed)
    assert (going.monitor.halted, going.told) == (False, [])
    for _ in range(2):
        going.monitor.check_plan(replace(failed, mistaken=True))
    assert going.monitor.halted
    assert going.told == [going.monitor.mistake]
    assert going.monitor.mistake.startswith("stage: plan failed: no; nothing was moved")


def test_the_time_of_earlier_sessions_counts(going: Watched) -> None:
    assert 0.0 <= going.monitor.wall_time < 60.0
    first, *_ = going.monitor._sessions
    going.monitor._sessions.insert(0, replace(first, started=0.0, ended=3600.0))
    assert going.monitor.reason() is not None, "15 minutes are allowed"


def test_a_system_clock_that_is_set_by_days_spends_no_time(going: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    before, real = going.monitor.wall_time, time.time
    for days in (5, -5):
        monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86_400.0)
        assert 0.0 <= going.monitor.wall_time - before < 60.0
