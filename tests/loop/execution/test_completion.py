"""What becomes of a trial that has ended: in the store, in the session's state, for the planner, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.amendments import SetWeights
from campaigns.load import load_campaign
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.events import BestChanged, Event, OutlierFlagged, PosteriorBestChanged, SurrogateChanged, TrialEnded
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialResult
from loop.execution.campaign_state import CampaignState
from loop.execution.completion import TrialCompletion, model_events
from loop.execution.decisions.pending_amendments import apply_pending
from loop.execution.options import RunOptions
from loop.execution.planner_thread import PlannerThread
from loop.execution.session import CampaignResources, Session
from loop.planning.planner import Planner
from loop.planning.pool_data import build_encoder
from loop.storage.store import Store
from simulators.virtual_clock import VirtualClock
from tests.stores import fill


class Desk:
    """A session on a store of four trials: completed (0), in quarantine (1), under way (2) and waiting (3)."""

    def __init__(self, folder: Path) -> None:
        campaign = load_campaign(fill(folder))
        self.events: list[Event] = []
        self.clock, self.store = VirtualClock(), Store(f"sqlite:///{folder / 'small.db'}")
        self.store.begin(self.store.campaign(), {})
        self.state = CampaignState(campaign, self.store)
        self.planner = Planner(campaign, build_encoder(campaign, None), ())
        self.planner.recall(self.state.trials)
        session = Session(self.store, self.clock, RunOptions("", ""), self.events.append)
        thread, parts = PlannerThread(self.clock, lambda: None), CampaignResources(campaign, None, self.planner)
        self.completion = TrialCompletion(parts, session, self.state, None, thread)

    def measure(self, number: int, capacity: float) -> None:
        """Store what the one step of a trial gives, as far as the analysis."""
        token = f"t{number}"
        if number > 2:
            candidate = Candidate({"temperature": 500.0 + 40.0 * number})
            if number > 3:
                self.store.propose(number, candidate, Proposal("space-filling"), 0.0)
            step = StepRecord("make", 1, "furnace", token, TrialState.CLAIMED, None, None, None, "", 60.0)
            self.store.claim(number, step, 10.0)
            self.store.mark(token, TrialState.DISPATCHED, 11.0)
        self.store.document(token, "event", {"data": {}}, 20.0)
        self.store.measure(token, {"capacity": MetricValue(capacity, 2.0, "mAh/g")})
        self.state.read_trial(number)

    def finish(self, number: int, capacity: float) -> list[Event]:
        """Complete a trial; return what is told of it."""
        self.measure(number, capacity)
        before = len(self.events)
        self.completion.complete(number)
        return self.events[before:]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(tmp_path)
    yield found
    found.store.close("")
    found.clock.close()


def test_an_ending_is_stored_before_it_is_told_and_the_state_is_the_stores(desk: Desk) -> None:
    desk.completion.end(2, TrialResult(TrialState.FAILED, "the tube broke"))
    [told] = [event for event in desk.events if isinstance(event, TrialEnded)]
    assert told.trial == desk.state[2] == desk.store.trial(2)
    assert (told.trial.state, told.trial.reason) == (TrialState.FAILED, "the tube broke")


def test_a_trial_with_a_step_to_come_is_not_completed(desk: Desk) -> None:
    desk.completion.complete(3)
    assert desk.store.trial(3).state is TrialState.QUEUED
    assert desk.events == []


def test_a_trial_that_has_ended_is_not_completed_once_more(desk: Desk) -> None:
    desk.completion.complete(0)
    desk.completion.complete(1)
    assert desk.events == []
    assert desk.store.trial(1).state is TrialState.QUARANTINED


def test_a_better_trial_is_scored_told_and_ingested_by_the_planner(desk: Desk) -> None:
    events = desk.finish(2, 170.0)
    assert desk.store.trial(2).score == pytest.approx(17.0)
    [best] = [event.best for event in events if isinstance(event, BestChanged)]
    assert best is not None
    assert best.numbers == (2,)
    assert desk.state[2].candidate.key() in desk.planner.experiment.ended


def test_a_worse_trial_is_no_news_of_the_best(desk: Desk) -> None:
    events = desk.finish(2, 120.0)
    assert any(isinstance(event, TrialEnded) for event in events)
    assert not any(isinstance(event, BestChanged) for event in events)


def test_a_suspicion_that_no_longer_holds_is_withdrawn_and_told_once(desk: Desk) -> None:
    desk.store.set_outliers({0: "far too good"})
    desk.state.read_trials()
    desk.completion.review()
    desk.completion.review()
    assert [event for event in desk.events if isinstance(event, OutlierFlagged)] == [OutlierFlagged(0, "")]
    assert desk.state[0].outlier == desk.store.trial(0).outlier == ""


@pytest.mark.slow
def test_the_best_by_the_posterior_is_kept_from_the_third_score_on_and_told_when_it_is_news(desk: Desk) -> None:
    assert not any(isinstance(event, PosteriorBestChanged) for event in desk.finish(2, 140.0))
    assert desk.store.posterior_best() is None
    [told] = [event for event in desk.finish(3, 160.0) if isinstance(event, PosteriorBestChanged)]
    assert desk.store.posterior_best() == (told.found, 0)
    desk.events.clear()
    desk.completion.review()
    assert desk.events == []
    desk.store.amend([SetWeights(weights={0: 2.0})], ("kim", "why"), {})
    apply_pending(desk.state, {})
    desk.completion.review()
    [_] = [event for event in desk.events if isinstance(event, PosteriorBestChanged)]
    kept = desk.store.posterior_best()
    assert kept is not None
    assert kept[1] == 1, "the amendment of the weights by which it is the best"


def test_changes_of_models_are_told_with_the_trial_that_caused_them() -> None:
    assert model_events(4, [("capacity", "is trusted less")]) == [SurrogateChanged(4, "capacity", "is trusted less")]
