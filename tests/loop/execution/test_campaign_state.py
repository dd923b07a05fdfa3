"""What a session holds in memory is what its store has."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.amendments import SetBounds
from campaigns.load import load_campaign
from campaigns.spaces.parameters import FloatConfig
from campaigns.values import TrialState
from loop.core.records import TrialResult
from loop.execution.campaign_state import CampaignState
from loop.execution.decisions.pending_amendments import apply_pending
from loop.storage.store import Store
from tests.stores import fill


@pytest.fixture
def state(tmp_path: Path) -> Iterator[CampaignState]:
    file = fill(tmp_path)
    store = Store(f"sqlite:///{tmp_path / 'small.db'}")
    yield CampaignState(load_campaign(file), store)
    store.close("")


def amend(state: CampaignState) -> None:
    change = SetBounds(parameter="temperature", low=550.0, high=900.0)
    state.store.amend([change], ("kim", "it melts"), {})


@pytest.mark.slow
def test_an_amendment_holds_once_it_is_applied_and_from_the_next_trial_on(state: CampaignState) -> None:
    amend(state)
    assert state.read_journal()[0].waiting
    assert state.version.version == 0
    [applied] = apply_pending(state, {})
    assert applied.first == len(state.trials) == state.version.first
    temperature = state.campaign.space.parameters["temperature"]
    assert isinstance(temperature, FloatConfig)
    assert temperature.low == 550.0
    assert not apply_pending(state, {})


def test_the_campaign_in_force_is_the_same_object_until_the_journal_changes(state: CampaignState) -> None:
    version = state.version
    state.read_journal()
    assert state.version is version


def test_what_the_store_returns_is_what_it_would_be_read_as(state: CampaignState) -> None:
    number = state.open[0].number
    ended = state.put(state.store.end(number, TrialResult(TrialState.FAILED, "it broke"), 0.0))
    assert ended == state.read_trial(number) == state[number]
    assert number not in [trial.number for trial in state.open]
