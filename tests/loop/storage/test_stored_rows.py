"""Rows of an open transaction are found, or refused with what was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import Session, create_engine

from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.core.records import TrialResult
from loop.storage.journal_writer import Journal
from loop.storage.reader import POSTERIOR, REGRET
from loop.storage.stored_rows import amendment_row, drop_conclusions, next_order, rescore, step_row, trial_row
from loop.storage.tables import TrialRow
from tests.stores import fill


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{fill(tmp_path).with_suffix('.db')}"


@pytest.fixture
def session(url: str) -> Iterator[Session]:
    with Session(create_engine(url)) as session:
        yield session


@pytest.mark.parametrize(
    ("find", "key", "text"),
    [
        (step_row, "t9", "the store knows no job t9"),
        (trial_row, 9, "the store knows no trial 9"),
        (amendment_row, 9, "the journal has no amendment 9"),
    ],
)
def test_what_is_not_there_is_refused_by_name(
    session: Session, find: Callable[[Session, Any], Any], key: object, text: str
) -> None:
    with pytest.raises(StoreError, match=text):
        find(session, key)


def test_rows_are_found_by_their_key(session: Session) -> None:
    assert step_row(session, "t2").trial == 2
    assert trial_row(session, 3).number == 3


def test_the_next_trial_with_measurements_comes_after_the_latest(session: Session) -> None:
    assert next_order(session) == 2  # a trial in quarantine has measurements, too
    trial_row(session, 3).completed_order = 6
    session.flush()
    assert next_order(session) == 7
    for number in range(4):
        session.delete(session.get_one(TrialRow, number))
    session.flush()
    assert next_order(session) == 0


def test_a_new_score_leaves_the_measurement_as_it_is(session: Session) -> None:
    before = dict(trial_row(session, 0).metrics)
    rescore(session, {0: TrialResult(TrialState.COMPLETED, score=1.0, score_sd=0.5, feasible=True)})
    row = trial_row(session, 0)
    assert (row.score, row.score_sd, row.feasible, row.metrics) == (1.0, 0.5, True, before)


def test_a_revised_trial_is_no_suspect_and_others_stay_suspected(url: str, session: Session) -> None:
    journal = Journal(url)
    journal.set_outliers({0: "far off", 1: "far off, too"})
    for kind in (REGRET, POSTERIOR, "pool"):
        journal.keep(kind, "latest", {"after": 1})
    drop_conclusions(session, revised=0)
    session.commit()
    assert [trial.outlier for trial in journal.trials()[:2]] == ["", "far off, too"]
    assert [bool(journal.artefacts(kind)) for kind in (REGRET, POSTERIOR, "pool")] == [False, False, True]
