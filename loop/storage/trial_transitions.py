"""The states that a trial may go through, one transition at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping

from sqlmodel import Session

from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.storage.stored_rows import trial_row
from loop.storage.tables import TransitionRow

_BACK = frozenset({TrialState.QUEUED, TrialState.ACQUIRED})
"""Where a trial goes back to whose step was given up before anything moved."""
_LOST = frozenset({TrialState.WITHDRAWN})
"""Where a trial ends whose sample somebody gives up."""
_REOPENED = frozenset({TrialState.QUEUED, TrialState.DISPATCHED, TrialState.ACQUIRED})
"""Where a trial that ended without a result goes on: with its step once more, with the job itself, or after it."""
_NEXT: Mapping[TrialState, frozenset[TrialState]] = {
    # Acquired at once: its result is told by who has done it by hand.
    TrialState.QUEUED: frozenset({TrialState.CLAIMED, TrialState.ACQUIRED, TrialState.FAILED, TrialState.WITHDRAWN}),
    TrialState.CLAIMED: frozenset({TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED, TrialState.FAILED})
    | _BACK
    | _LOST,
    TrialState.RUNNING: frozenset({TrialState.CLAIMED, TrialState.DISPATCHED, TrialState.FAILED}) | _BACK | _LOST,
    TrialState.DISPATCHED: frozenset({TrialState.CLAIMED, TrialState.FAILED, TrialState.UNCERTAIN}) | _BACK | _LOST,
    TrialState.ACQUIRED: frozenset(
        {TrialState.CLAIMED, TrialState.COMPLETED, TrialState.FAILED, TrialState.QUARANTINED}
    )
    | _LOST,
    # Of what has ended, people alone decide otherwise, but for a job that ends late.
    TrialState.FAILED: _REOPENED | _LOST,
    TrialState.QUARANTINED: _REOPENED | _LOST,
    TrialState.UNCERTAIN: _REOPENED | _LOST,
    TrialState.COMPLETED: frozenset({TrialState.ACQUIRED, TrialState.WITHDRAWN}),
    TrialState.WITHDRAWN: frozenset({TrialState.ACQUIRED}),
}


def move(session: Session, change: TransitionRow) -> None:
    """Change a trial's state, if that is a step forward on its line, and log the change."""
    row, state = trial_row(session, change.trial), TrialState(change.state)
    allowed = _NEXT.get(TrialState(row.state), frozenset())
    if state not in allowed:
        known = ", ".join(sorted(allowed)) or "none"
        raise StoreError(f"trial {row.number} is {row.state}, got {state}; allowed: {known}")
    row.state, row.reason = state, change.reason
    session.add(change)


def transition(number: int, state: TrialState, lab: float, step: str = "", reason: str = "") -> TransitionRow:
    return TransitionRow(trial=number, step=step, state=state, wall=time.time(), lab=lab, reason=reason)
