"""What asks the models: beside dispatch where lab time goes on meanwhile, and in order where it does not."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path

import pytest
import torch

import campaigns
from campaigns.errors import PlannerError
from campaigns.load import load_campaign
from campaigns.values import Scalar
from instruments.clock import WallClock
from loop.core.events import Event, TrialEnded
from loop.execution.options import RunOptions
from loop.execution.planner_thread import PlannerThread
from loop.execution.session import CampaignResources
from loop.planning.planner import Planner, Suggestion
from loop.planning.pool_data import build_encoder
from loop.run import conduct
from simulators.virtual_clock import VirtualClock

_LONG = 30.0  # s: nothing takes so long unless it is stuck


class Desk:
    """A thread of tasks on the clock on the wall, and what came of them."""

    def __init__(self) -> None:
        self.clock, self.woken, self.found = WallClock(), threading.Event(), list[object]()
        self.thread = PlannerThread(self.clock, self.woken.set)

    def taken(self, done: Future[object]) -> None:
        self.found.append(done.exception() or done.result())

    def close(self) -> None:
        self.thread.close()
        self.clock.close()


@pytest.fixture
def desk() -> Iterator[Desk]:
    made = Desk()
    yield made
    made.close()


def test_where_lab_time_waits_a_task_is_done_before_anything_else() -> None:
    order: list[str] = []
    thread = PlannerThread(VirtualClock(0.0), lambda: order.append("woken"))
    thread.begin(lambda: order.append("task"), lambda done: order.append(f"taken {done.result()}"))
    assert (order, thread.busy, thread.take()) == (["task", "taken None"], False, False)


def test_what_a_task_raises_is_raised_where_its_result_is_taken() -> None:
    def fail() -> int:
        raise PlannerError("nothing fits")

    with pytest.raises(PlannerError, match="nothing fits"):
        PlannerThread(VirtualClock(0.0), lambda: None).begin(fail, lambda done: done.result())


def test_where_lab_time_goes_on_the_session_goes_on_beside_a_task(desk: Desk) -> None:
    go, threads = threading.Event(), list[int]()

    def task() -> str:
        threads.extend([threading.get_ident(), torch.get_num_threads()])
        return "done" if go.wait(_LONG) else "stuck"

    desk.thread.begin(task, desk.taken)
    assert (desk.thread.busy, desk.thread.take(), desk.found) == (True, False, [])
    go.set()
    assert desk.woken.wait(_LONG)
    assert desk.thread.take()
    assert (desk.found, desk.thread.busy, threads[1]) == (["done"], False, 1)
    assert threads[0] != threading.get_ident()


def test_one_task_may_follow_another_as_its_result_is_taken(desk: Desk) -> None:
    desk.thread.begin(lambda: 1, lambda done: desk.thread.begin(lambda: 1 + done.result(), desk.taken))
    assert desk.thread.take(wait=True)
    assert desk.thread.busy
    assert desk.thread.take(wait=True)
    assert (desk.found, desk.thread.busy) == ([2], False)


class Patient(Planner):
    """Suggests nothing more until it hears that the first trial has ended."""

    ended: threading.Event
    heard: bool

    def suggest(self, fixed: Mapping[str, Scalar] | None = None) -> Suggestion:
        if len(self.experiment) == 1:
            self.heard = self.ended.wait(_LONG)
        return super().suggest(fixed)


@pytest.mark.slow
def test_a_trial_ends_while_the_next_one_is_chosen(tmp_path: Path) -> None:
    campaign = load_campaign(Path(campaigns.__file__).parent / "alignment.yaml")
    planner = Patient(campaign, build_encoder(campaign, None))
    planner.ended, planner.heard = threading.Event(), False

    def notice(event: Event) -> None:
        if isinstance(event, TrialEnded):
            planner.ended.set()

    options = RunOptions(f"sqlite:///{tmp_path / 'alignment.db'}", "", max_trials=3)
    outcome = conduct(CampaignResources(campaign, None, planner), options, notice)
    assert planner.heard
    assert [trial.state.value for trial in outcome.trials] == ["completed"] * 3
