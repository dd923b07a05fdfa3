"""Which campaign file may go on with a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.amendments import ImportTrials, SetWeights
from campaigns.errors import StoreError
from campaigns.values import Candidate
from loop.core.campaign_records import CampaignRecord
from loop.core.fingerprint import MAY_CHANGE
from loop.core.proposals import IMPORTED, Proposal
from loop.storage.store import Store

SOURCE = "space: {x: 1}\nmetrics: {y: 1}\nbudget: {trials: 5}\n"
CAMPAIGN = CampaignRecord("test", SOURCE, 1, "one", 0.0)
OTHER = replace(CAMPAIGN, seed=2, fingerprint="another")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store(f"sqlite:///{tmp_path / 'store.db'}")
    found.begin(CAMPAIGN, {})
    yield found
    found.close("")


def test_the_text_of_the_same_campaign_is_taken_over(store: Store) -> None:
    store.begin(replace(CAMPAIGN, source=SOURCE.replace("5", "9")), {})
    assert "trials: 9" in store.campaign().source


def test_a_store_without_a_trial_takes_any_campaign(store: Store) -> None:
    store.begin(OTHER, {})
    assert (store.campaign().seed, store.campaign().fingerprint) == (2, "another")


def test_a_store_that_has_proposed_takes_no_other(store: Store) -> None:
    store.propose(0, Candidate({"x": 1.0}), Proposal("space-filling"), 0.0)
    with pytest.raises(
        StoreError, match=r"(?s)holds campaign 'test' with seed 1.*seed: 1 before, 2 now.*another campaign with --store"
    ):
        store.begin(OTHER, {})


def test_each_key_that_has_changed_is_named_before_and_now_and_what_may_change(store: Store) -> None:
    store.propose(0, Candidate({"x": 1.0}), Proposal("space-filling"), 0.0)
    now = "space: {x: 3}\nmetrics: {y: 1}\nbudget: {trials: 9}\nplanner: {initial: 4}\n"
    with pytest.raises(StoreError) as refused:
        store.begin(replace(CAMPAIGN, fingerprint="another", source=now), {})
    lines = str(refused.value).splitlines()
    assert lines[1:3] == ["  space.x: 1 before, 3 now", "  planner.initial: absent before, 4 now"]
    assert lines[3].startswith(f"  may change: {MAY_CHANGE}; continue with")
    assert len(lines) == 4


def test_a_campaign_that_was_amended_has_begun(store: Store) -> None:
    store.amend([SetWeights(weights={0: 2.0})], ("kim", "why"), {})
    with pytest.raises(StoreError, match="the file has changed since"):
        store.begin(OTHER, {})


def test_imported_measurements_hold_space_and_metrics_fast_and_nothing_else(store: Store) -> None:
    store.propose(0, Candidate({"x": 1.0}), Proposal(IMPORTED), 0.0)
    store.amend([ImportTrials(table="t.csv", rows=())], ("kim", "measured in March"), {})
    store.begin(replace(OTHER, source=SOURCE.replace("5", "9")), {})
    with pytest.raises(StoreError, match=r"imported before the first trial.*has changed since in space and metrics"):
        store.begin(replace(OTHER, fingerprint="third", source="space: {}\nmetrics: {}\n"), {})
