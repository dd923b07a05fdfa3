"""Amendments are put in force between two proposals, and what is known is scored by them at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.amendments import AddTrial, CampaignChange, SetBounds, SetWeights
from campaigns.load import load_campaign
from campaigns.values import Candidate
from loop.execution.campaign_state import CampaignState
from loop.execution.decisions.pending_amendments import (
    apply_pending,
    check_candidate,
    refuse,
    requested_trial,
)
from loop.storage.store import Store
from tests.stores import fill


@pytest.fixture
def state(tmp_path: Path) -> Iterator[CampaignState]:
    """A session on a store with trials that are completed (0), in quarantine (1), under way (2) and waiting (3)."""
    file = fill(tmp_path)
    store = Store(f"sqlite:///{tmp_path / 'small.db'}")
    yield CampaignState(load_campaign(file), store)
    store.close("")


def ask(state: CampaignState, *changes: CampaignChange | AddTrial) -> None:
    for change in changes:
        state.store.amend([change], ("kim", "a reason"), {})


def test_trials_that_are_completed_are_scored_anew_by_the_weights_that_are_put_in_force(tmp_path: Path) -> None:
    file = fill(tmp_path)
    term = "    - {goal: maximise, metric: capacity, scale: 10 mAh/g}\n"
    file.write_text(
        file.read_text().replace(term, term + "    - {goal: minimise, metric: capacity, scale: 30 mAh/g}\n")
    )
    store = Store(f"sqlite:///{tmp_path / 'small.db'}")
    state = CampaignState(load_campaign(file), store)
    scores = []
    for weight in (1.0, 3.0):
        ask(state, SetWeights(weights={0: weight}))
        apply_pending(state, {})
        scores.append(state.read_trial(0).score)
    assert scores == pytest.approx([(15.0 - 5.0) / 2, (3 * 15.0 - 5.0) / 4])
    assert state[0].score == scores[-1]
    assert state.read_trial(1).score is None, "what is in quarantine has no score"
    store.close("")


def test_what_is_impossible_is_refused_with_its_reason_and_what_is_possible_still_holds(state: CampaignState) -> None:
    ask(
        state, SetBounds(parameter="pressure", low=1.0, high=2.0), SetBounds(parameter="temperature", low=550, high=800)
    )
    wrong, right = apply_pending(state, {})
    assert "is no parameter" in wrong.refused
    assert wrong.first is None
    assert (right.refused, right.first) == ("", 4)


def test_amendments_that_were_read_are_not_put_in_force_twice(state: CampaignState) -> None:
    ask(state, SetWeights(weights={0: 2.0}))
    assert len(apply_pending(state, {})) == 1
    assert apply_pending(state, {}) == []
    assert state.version.version == 1


def test_the_first_trial_that_was_asked_for_is_next_and_refused_when_it_lies_outside_the_space(
    state: CampaignState,
) -> None:
    assert requested_trial(state) is None
    ask(state, AddTrial(parameters={"temperature": 950.0}), AddTrial(parameters={"temperature": 650.0}))
    state.read_journal()
    hot = requested_trial(state)
    assert hot is not None
    assert "outside of the current space" in hot.refused
    state.read_journal()
    next_one = requested_trial(state)
    assert next_one is not None
    assert next_one.refused == ""
    assert next_one.number == hot.number + 1


def test_what_was_refused_waits_no_more(state: CampaignState) -> None:
    ask(state, AddTrial(parameters={"temperature": 650.0}))
    one = state.read_journal()[-1]
    assert refuse(state.store, one, "no powder left").refused == "no powder left"
    assert not state.read_journal()[-1].waiting


def test_a_material_is_named_in_campaigns_with_a_pool_alone(state: CampaignState) -> None:
    assert check_candidate(state.campaign, Candidate({"temperature": 600.0})) == ""
    assert "in no other" in check_candidate(state.campaign, Candidate({"temperature": 600.0}, "LiCoO2"))
