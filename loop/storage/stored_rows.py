"""Single rows of an open transaction, found or refused, and what several writes share."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from sqlmodel import Session, col, delete, func, select

from campaigns.errors import StoreError
from campaigns.values import MetricValue, TrialState
from loop.core.records import TrialResult
from loop.storage.artefacts import LOST
from loop.storage.integrity.witnesses import unknown_jobs
from loop.storage.reader import POSTERIOR, REGRET
from loop.storage.tables import (
    AmendmentRow,
    ArtefactRow,
    CampaignRow,
    FindingRow,
    LoadRow,
    OutlierRow,
    SampleUseRow,
    StepRow,
    TrialRow,
    dump_metrics,
)

_OPEN = (TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED)
"""States of an attempt that is under way."""


def step_row(session: Session, token: str) -> StepRow:
    row = session.get(StepRow, token)
    if row is None:
        raise StoreError(f"the store knows no job {token}")
    return row


def steps_of(session: Session, token: str) -> tuple[list[StepRow], list[StepRow]]:
    """Return the attempts of which a job consists, by their places in a load, and those that it is still at."""
    tokens = session.exec(select(LoadRow.token).where(LoadRow.job == token).order_by(col(LoadRow.place))).all()
    if not tokens:
        return [step_row(session, token)], [step_row(session, token)]
    found = [step_row(session, one) for one in tokens]
    return found, [one for one in found if one.state in _OPEN]


def trial_row(session: Session, number: int) -> TrialRow:
    row = session.get(TrialRow, number)
    if row is None:
        raise StoreError(f"the store knows no trial {number}")
    return row


def amendment_row(session: Session, number: int) -> AmendmentRow:
    row = session.get(AmendmentRow, number)
    if row is None:
        raise StoreError(f"the journal has no amendment {number}")
    return row


def keep_lost_jobs(session: Session, path: Path) -> None:
    """Keep what instruments know that the store, an earlier copy, does not.

    A trial whose number the store has still to give is another sample then: no attempt at it may be taken for the one
    that they know.
    """
    created, tokens = session.get_one(CampaignRow, 1).created, set(session.exec(select(StepRow.token)))
    count = session.exec(select(func.count()).select_from(TrialRow)).one()
    for job in sorted(unknown_jobs(path, created, tokens), key=lambda job: job.attempt):
        name, later = f"{job.sample} {job.step}", job.sample >= count
        row = session.get(ArtefactRow, (LOST, name))
        if row is None or row.body["later"] == later:
            body = {
                "attempt": job.attempt,
                "station": job.station,
                "later": later,
                "load": job.load,
                "place": job.place,
            }
            session.merge(ArtefactRow(kind=LOST, name=name, body=body))


def keep_sample_use(session: Session, token: str, sample: str) -> None:
    """Keep which sample a job has, and after which line of the journal it was claimed, unless that is known."""
    if session.exec(select(SampleUseRow).where(SampleUseRow.token == token)).first() is None:
        journal = session.exec(select(func.max(AmendmentRow.number))).one() or 0
        session.add(SampleUseRow(token=token, sample=sample, journal=journal, wall=time.time()))


def next_order(session: Session) -> int:
    """Return the position of the next trial to end that has measurements, among those that have."""
    latest = session.exec(select(func.max(TrialRow.completed_order))).one()
    return 0 if latest is None else latest + 1


def rescore(session: Session, results: Mapping[int, TrialResult]) -> None:
    for number, result in results.items():
        row = trial_row(session, number)
        row.score, row.score_sd, row.feasible = result.score, result.score_sd, result.feasible


def state_between(session: Session, number: int) -> TrialState:
    """Return the state of a trial that waits for a step: queued before the first, acquired after one that counts."""
    counted = (TrialState.ACQUIRED, TrialState.COMPLETED)
    done = select(StepRow).where(StepRow.trial == number, col(StepRow.state).in_(counted))
    return TrialState.QUEUED if session.exec(done).first() is None else TrialState.ACQUIRED


def forget_ending(session: Session, number: int, metrics: Mapping[str, MetricValue]) -> None:
    """Let a trial that had ended be under way again, with these metrics, and without what was concluded from it."""
    row, finding = trial_row(session, number), session.get(FindingRow, number)
    row.metrics, row.flags, row.ended, row.completed_order = dump_metrics(metrics), [], None, None
    row.score = row.score_sd = row.feasible = None
    if finding is not None:
        session.delete(finding)
    drop_conclusions(session, number)


def drop_conclusions(session: Session, revised: int | None = None) -> None:
    """Drop what was concluded from values that are other ones now: expected regrets, and the best by a model.

    Args:
        revised: trial whose own values are other ones, so that nobody suspects them yet; others stay suspected until
            the next run has looked at them anew, lest an outlier is shown as the best meanwhile.
    """
    session.execute(delete(ArtefactRow).where(col(ArtefactRow.kind).in_((REGRET, POSTERIOR))))
    session.execute(delete(OutlierRow).where(col(OutlierRow.trial) == revised))
