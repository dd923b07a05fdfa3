"""An operator writes to the journal while a run may go on: all of a change, or none of it."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from campaigns.amendments import SetBounds, SetWeights
from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.core.records import TrialResult
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from tests.stores import fill

BOUNDS = SetBounds(parameter="temperature", low=500, high=700)
WEIGHT = SetWeights(weights={0: 2.0})
BY = ("ada", "the heater is weak")
LESS = TrialResult(TrialState.COMPLETED, score=7.5, score_sd=0.1, feasible=False)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{fill(tmp_path).with_suffix('.db')}"


def test_changes_are_appended_in_order_with_author_and_reason(url: str) -> None:
    journal = Journal(url)
    (first,) = journal.amend([BOUNDS], BY, {})
    later = journal.amend([WEIGHT, BOUNDS], ("bob", "more of it"), {}, first=4)
    assert [one.number for one in (first, *later)] == [1, 2, 3]
    kept = Reader(url).amendments()
    assert kept == [first, *later]
    assert [(one.author, one.reason, one.change, one.first) for one in kept] == [
        ("ada", "the heater is weak", BOUNDS, None),
        ("bob", "more of it", WEIGHT, 4),
        ("bob", "more of it", BOUNDS, 4),
    ]


def test_new_weights_and_the_scores_by_them_are_one_transaction(url: str) -> None:
    journal = Journal(url)
    with pytest.raises(StoreError, match="knows no trial 9"):
        journal.amend([WEIGHT], BY, {0: LESS, 9: LESS})
    assert journal.amendments() == []
    assert journal.trial(0).score == 15.0
    journal.amend([WEIGHT], BY, {0: LESS})
    scored = journal.trial(0)
    assert (scored.score, scored.score_sd, scored.feasible) == (7.5, 0.1, False)


def test_new_suspicions_stand_in_the_place_of_those_before(url: str) -> None:
    journal = Journal(url)
    journal.set_outliers({0: "far off", 1: "far off, too"})
    journal.set_outliers({1: "still far off"})
    assert [trial.outlier for trial in journal.trials()[:2]] == ["", "still far off"]


@pytest.mark.slow
def test_a_write_waits_for_the_transaction_of_another_process(url: str) -> None:
    journal, other = Journal(url), sqlite3.connect(url.removeprefix("sqlite:///"), check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    writing = threading.Thread(target=journal.amend, args=([BOUNDS], BY, {}))
    writing.start()
    writing.join(0.3)
    assert writing.is_alive()
    other.commit()
    writing.join(10.0)
    assert not writing.is_alive()
    assert len(journal.amendments()) == 1
