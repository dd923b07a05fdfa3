"""Which state of a trial may follow which."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pytest
from sqlmodel import Session, SQLModel, create_engine

from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.storage.tables import TransitionRow, TrialRow
from loop.storage.trial_transitions import move, transition

MEASURED = (TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED, TrialState.ACQUIRED, TrialState.COMPLETED)
UNFINISHED = (TrialState.FAILED, TrialState.QUARANTINED, TrialState.UNCERTAIN)
BY_PEOPLE = {
    (TrialState.QUEUED, TrialState.WITHDRAWN),
    *product(UNFINISHED, (TrialState.QUEUED, TrialState.DISPATCHED, TrialState.ACQUIRED, TrialState.WITHDRAWN)),
    (TrialState.COMPLETED, TrialState.WITHDRAWN),
    (TrialState.COMPLETED, TrialState.ACQUIRED),
    (TrialState.WITHDRAWN, TrialState.ACQUIRED),
}


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    engine = create_engine(f"sqlite:///{tmp_path / 'rows.db'}")
    SQLModel.metadata.create_all(engine)
    with Session(engine) as found:
        yield found
    engine.dispose()


def put(session: Session, state: TrialState) -> TrialRow:
    row = TrialRow(number=0, material=None, parameters={}, state=state, proposal={}, created=0.0)
    session.merge(row)
    session.flush()
    found = session.get(TrialRow, 0)
    assert found is not None
    return found


def allowed(session: Session, before: TrialState, after: TrialState) -> bool:
    put(session, before)
    try:
        move(session, transition(0, after, 1.0))
    except StoreError:
        return False
    return True


def test_a_trial_goes_forward_step_by_step(session: Session) -> None:
    row = put(session, TrialState.QUEUED)
    for state in MEASURED:
        move(session, transition(0, state, 1.0))
        assert row.state == state


def test_what_has_ended_goes_on_only_where_people_decide_so(session: Session) -> None:
    ended = [state for state in TrialState if state.ended]
    after = {pair for pair in product(ended, TrialState) if allowed(session, *pair)}
    assert after == {pair for pair in BY_PEOPLE if pair[0].ended}


@pytest.mark.parametrize("before", [TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED])
def test_what_is_under_way_may_be_given_up_and_only_raw_data_complete_a_trial(
    session: Session, before: TrialState
) -> None:
    assert allowed(session, before, TrialState.WITHDRAWN)
    assert not allowed(session, before, TrialState.COMPLETED)
    assert allowed(session, before, TrialState.QUEUED), "nothing was moved"


def test_nobody_knows_of_a_job_only_once_it_was_dispatched(session: Session) -> None:
    assert {s for s in TrialState if allowed(session, s, TrialState.UNCERTAIN)} == {TrialState.DISPATCHED}


def test_a_refusal_says_what_is_allowed_and_leaves_trial_and_log_as_they_were(session: Session) -> None:
    row = put(session, TrialState.UNCERTAIN)
    with pytest.raises(
        StoreError, match="trial 0 is uncertain, got running; allowed: acquired, dispatched, queued, withdrawn"
    ):
        move(session, transition(0, TrialState.RUNNING, 1.0))
    assert row.state == TrialState.UNCERTAIN
    assert not [one for one in session.new if isinstance(one, TransitionRow)]
