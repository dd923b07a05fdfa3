"""The store: the only memory of a campaign.

Every method that writes is one transaction. SQLite runs in WAL mode with ``synchronous=FULL``, so that what was
committed survives ``kill -9`` and power loss (https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from sqlmodel import Session, SQLModel, col, delete, func, select

from campaigns.amendments import Change, Import
from campaigns.errors import StoreError
from campaigns.parsing.yaml_lines import read_document
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.journal import Amendment
from loop.core.proposals import IMPORTED, Proposal
from loop.core.records import StepRecord, TrialRecord, TrialResult
from loop.core.trial_selection import PARTIAL
from loop.storage.reader import POSTERIOR, REGRET, Reader, store_path
from loop.storage.tables import (
    AmendmentRow,
    ArtefactRow,
    CampaignRow,
    DocumentRow,
    FindingRow,
    OutlierRow,
    SessionRow,
    StepRow,
    TransitionRow,
    TrialRow,
    amendment,
    dump_metrics,
    dump_proposal,
)

_BACK = frozenset({TrialState.QUEUED, TrialState.ACQUIRED})
"""Where a trial goes back to whose step was given up before anything moved."""
_NEXT: Mapping[TrialState, frozenset[TrialState]] = {
    TrialState.QUEUED: frozenset({TrialState.CLAIMED, TrialState.FAILED, TrialState.WITHDRAWN}),
    TrialState.CLAIMED: frozenset({TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED, TrialState.FAILED})
    | _BACK,
    TrialState.RUNNING: frozenset({TrialState.CLAIMED, TrialState.DISPATCHED, TrialState.FAILED}) | _BACK,
    TrialState.DISPATCHED: frozenset({TrialState.CLAIMED, TrialState.FAILED, TrialState.UNCERTAIN}) | _BACK,
    TrialState.ACQUIRED: frozenset(
        {TrialState.CLAIMED, TrialState.COMPLETED, TrialState.FAILED, TrialState.QUARANTINED}
    ),
    # Of what has ended, people alone decide otherwise.
    TrialState.FAILED: frozenset({TrialState.ACQUIRED}),
    TrialState.QUARANTINED: frozenset({TrialState.ACQUIRED, TrialState.WITHDRAWN}),
    TrialState.UNCERTAIN: frozenset({TrialState.WITHDRAWN}),
    TrialState.COMPLETED: frozenset({TrialState.ACQUIRED, TrialState.WITHDRAWN}),
}
_READ_BY = ("space", "metrics")
"""Sections of a campaign file that tell what a row of a table means."""


class Journal(Reader):
    """The store of a campaign to whose journal an operator writes, whether a run goes on meanwhile or not."""

    def __init__(self, url: str, create: bool = False) -> None:
        """Open the store at ``url``; see ``Reader``."""
        super().__init__(url, create)
        self._write = threading.Lock()
        SQLModel.metadata.create_all(self._engine)  # a store of an earlier version has no journal

    def amend(
        self,
        changes: Sequence[Change],
        by: tuple[str, str],
        results: Mapping[int, TrialResult],
        first: int | None = None,
    ) -> list[Amendment]:
        """Append changes, with their author and the reason, and score the trials by what is then in force.

        Args:
            changes: what is changed.
            by: author and reason.
            results: number of a completed trial to its score.
            first: number of the first trial that they hold for, where the running process writes.
        """
        author, reason = by
        with self._transaction() as session:
            rows = [
                AmendmentRow(written=time.time(), author=author, reason=reason, change=c.model_dump(), first=first)
                for c in changes
            ]
            session.add_all(rows)
            _rescore(session, results)
            session.flush()
            return [amendment(row) for row in rows]

    def keep(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        """Keep something that the report shows, in the place of what had that kind and name."""
        with self._transaction() as session:
            session.merge(ArtefactRow(kind=kind, name=name, body=dict(body)))

    def set_outliers(self, reasons: Mapping[int, str]) -> None:
        """Record which trials are suspected outliers, each with the reason, in the place of those that were before."""
        with self._transaction() as session:
            session.execute(delete(OutlierRow))
            session.add_all(OutlierRow(trial=number, reason=reason) for number, reason in reasons.items())

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """Write in one transaction, which waits for those of other processes."""
        with self._write, Session(self._engine) as session, session.begin():
            session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session


class Store(Journal):
    """The store of a running campaign: its single writer, but for the journal."""

    def __init__(self, url: str) -> None:
        """Open or create the store and lock it for this process.

        Raises:
            StoreError: the URL is not sqlite, or another process runs this campaign.
        """
        self._lock_file = _lock(store_path(url))
        super().__init__(url, create=True)
        self._session: int | None = None

    def begin(self, campaign: CampaignRecord, versions: Mapping[str, str]) -> None:
        """Start a session, on a new store or on one of the same campaign.

        Raises:
            StoreError: the store holds another campaign, or the campaign file has changed since.
        """
        with self._transaction() as session:
            self._hold(session, campaign)
            now = time.time()
            started = SessionRow(started=now, ended=now, pid=os.getpid(), versions=dict(versions))
            session.add(started)
            session.flush()
            self._session = started.number

    def found(self, campaign: CampaignRecord) -> None:
        """Record the campaign of a new store, so that measurements can be imported before its first session."""
        with self._transaction() as session:
            if session.get(CampaignRow, 1) is None:
                session.add(CampaignRow(id=1, **asdict(campaign)))

    def _hold(self, session: Session, campaign: CampaignRecord) -> None:
        """Record the campaign of a new store, or check that it is the same."""
        row = session.get(CampaignRow, 1)
        if row is None:
            session.add(CampaignRow(id=1, **asdict(campaign)))
        elif row.fingerprint == campaign.fingerprint:
            row.source = campaign.source  # budget and stopping rules may have changed
        elif _has_begun(session):
            raise StoreError(
                f"{self.path} holds campaign {row.name!r} with seed {row.seed}, and the file has changed since in "
                "more than budget, stopping, history, lab and time limits; go on with the earlier file, or start "
                "afresh with --store"
            )
        elif (changed := _changed(row.source, campaign.source)) and _has_imported(session):
            raise StoreError(
                f"{self.path} holds measurements that were imported before the first trial, and the file has changed "
                f"since in {' and '.join(changed)}; put that back, or move {self.path.name} away and import them again"
            )
        else:
            row.name, row.source, row.seed = campaign.name, campaign.source, campaign.seed
            row.fingerprint = campaign.fingerprint

    def close(self, outcome: str) -> None:
        """End the session with its outcome, if one was begun, and release the store."""
        if self._session is not None:
            self.beat(outcome)
        self._session = None
        self._engine.dispose()
        self._lock_file.close()

    def beat(self, outcome: str = "") -> None:
        """Record a sign of life of this session."""
        with self._transaction() as session:
            row = session.get(SessionRow, self._session)
            if row is None:
                raise StoreError("no session has begun; call begin first")
            row.ended, row.outcome = time.time(), outcome

    def decide_amendments(
        self, first: Mapping[int, int], refused: Mapping[int, str], results: Mapping[int, TrialResult]
    ) -> None:
        """Record from which trial on amendments hold, or why they do not, and score the trials accordingly.

        Args:
            first: amendment to the number of the first trial that it holds for.
            refused: amendment to what speaks against it.
            results: number of a completed trial to its score.
        """
        with self._transaction() as session:
            for number, trial in first.items():
                _amendment_row(session, number).first = trial
            for number, reason in refused.items():
                _amendment_row(session, number).refused = reason
            _rescore(session, results)

    def propose(
        self, number: int, candidate: Candidate, proposal: Proposal, lab: float, asked: int | None = None
    ) -> None:
        """Record a proposed candidate: the trial is queued; ``asked`` is the amendment that asks for it."""
        with self._transaction() as session:
            if asked is not None:
                _amendment_row(session, asked).first = number
            session.add(
                TrialRow(
                    number=number,
                    material=candidate.material,
                    parameters=dict(candidate.parameters),
                    state=TrialState.QUEUED,
                    proposal=dump_proposal(proposal),
                    created=time.time(),
                )
            )
            session.flush()
            session.add(_transition(number, TrialState.QUEUED, lab))

    def take_in(self, trials: Sequence[TrialRecord], asked: int, lab: float) -> None:
        """Record completed trials that were measured elsewhere; ``asked`` is the amendment that brings them."""
        with self._transaction() as session:
            _amendment_row(session, asked).first = trials[0].number
            order = _next_order(session)
            for place, trial in enumerate(trials):
                session.add(
                    TrialRow(
                        number=trial.number,
                        material=trial.candidate.material,
                        parameters=dict(trial.candidate.parameters),
                        state=TrialState.COMPLETED,
                        proposal=dump_proposal(trial.proposal),
                        metrics=dump_metrics(trial.metrics),
                        score=trial.score,
                        score_sd=trial.score_sd,
                        feasible=trial.feasible,
                        completed_order=order + place,
                        created=time.time(),
                        ended=time.time(),
                    )
                )
            session.flush()
            session.add_all(_transition(t.number, TrialState.COMPLETED, lab, reason=t.proposal.reason) for t in trials)

    def complete(self, trials: Mapping[int, TrialRecord], asked: int, lab: float, reasons: Mapping[int, str]) -> None:
        """Record what was measured later of trials that were imported; ``asked`` is the amendment that brings it.

        Args:
            trials: number of a trial to the trial with all that is known of it now.
            asked: the amendment that brings it.
            lab: lab time in seconds.
            reasons: number of a trial to what its log says.
        """
        with self._transaction() as session:
            _amendment_row(session, asked).first = min(trials)
            _forget(session)
            for number, trial in trials.items():
                row = _trial_row(session, number)
                row.metrics, row.reason = dump_metrics(trial.metrics), trial.reason
                row.score, row.score_sd, row.feasible = trial.score, trial.score_sd, trial.feasible
                session.add(_transition(number, TrialState.COMPLETED, lab, reason=reasons[number]))

    def claim(self, number: int, step: StepRecord, lab: float) -> None:
        """Record that a station takes a trial's step; the same token may be claimed again after a restart."""
        with self._transaction() as session:
            _move(session, _transition(number, TrialState.CLAIMED, lab, step.name))
            row = session.get(StepRow, step.token)
            if row is None:
                session.add(StepRow(trial=number, **(asdict(step) | {"state": TrialState.CLAIMED, "started": lab})))
            else:
                row.state, row.station, row.reason = TrialState.CLAIMED, step.station, ""

    def mark(self, token: str, state: TrialState, lab: float, reason: str = "") -> None:
        """Record the state of a step, and with it of its trial."""
        with self._transaction() as session:
            self._mark(session, token, state, lab, reason)

    def requeue(self, token: str, lab: float, reason: str) -> None:
        """Record that an attempt at a step was given up before anything moved: the trial waits for another one."""
        with self._transaction() as session:
            step = _step(session, token)
            step.state, step.reason, step.ended, step.cost = TrialState.WITHDRAWN, reason, lab, 0.0
            done = select(StepRow).where(StepRow.trial == step.trial, StepRow.state == TrialState.ACQUIRED)
            state = TrialState.QUEUED if session.exec(done).first() is None else TrialState.ACQUIRED
            _move(session, _transition(step.trial, state, lab, step.name, reason))

    def document(self, token: str, kind: str, body: Mapping[str, Any], lab: float) -> None:
        """Keep a Bluesky document; with a start the trial is running, with an event acquired, in one transaction."""
        with self._transaction() as session:
            step = _step(session, token)
            uid = body["uid"] if kind == "start" else step.run_uid or ""
            session.add(
                DocumentRow(trial=step.trial, step=step.name, token=token, kind=kind, run_uid=uid, body=dict(body))
            )
            if kind == "start":
                step.run_uid = uid
                if step.state == TrialState.CLAIMED:
                    self._mark(session, token, TrialState.RUNNING, lab, "")
            elif kind == "event":
                self._mark(session, token, TrialState.ACQUIRED, lab, "")

    def measure(self, token: str, metrics: Mapping[str, MetricValue]) -> None:
        """Record the metrics that a step's analysis gave."""
        with self._transaction() as session:
            trial = _trial_row(session, _step(session, token).trial)
            trial.metrics = trial.metrics | dump_metrics(metrics)

    def release(self, number: int, metrics: Mapping[str, MetricValue], lab: float, asked: Amendment) -> None:
        """Record that a measurement in quarantine counts, as an amendment asks: the trial goes on."""
        with self._transaction() as session:
            _amendment_row(session, asked.number).first = number
            reason = f"released by {asked.author}: {asked.reason}"
            _move(session, _transition(number, TrialState.ACQUIRED, lab, reason=reason))
            row = _trial_row(session, number)
            row.metrics, row.ended = row.metrics | dump_metrics(metrics), None
            _forget(session, number)

    def reanalyse(self, number: int, metrics: Mapping[str, MetricValue], lab: float, asked: Amendment) -> None:
        """Record what the raw data of a trial come to when analysed anew: the trial goes on from there.

        What it came to before stands in the log. A trial that failed for another reason stays so.
        """
        with self._transaction() as session:
            _amendment_row(session, asked.number).first = number
            _forget(session, number)
            row, finding = _trial_row(session, number), session.get(FindingRow, number)
            values = ((name, *metric) for name, metric in row.metrics.items())
            texts = (f"{name} {value:.6g} ± {sd:.2g} {unit}".removesuffix(" 1") for name, value, sd, unit in values)
            before = ", ".join(texts)
            reason = f"analysed anew by {asked.author}: {asked.reason}{f'; before: {before}' if before else ''}"
            row.metrics = dump_metrics(metrics)
            if row.state in (TrialState.FAILED, TrialState.UNCERTAIN) and not (finding and finding.missing):
                session.add(_transition(number, TrialState(row.state), lab, reason=reason))
                row.completed_order = _next_order(session) if metrics else None
                return
            _move(session, _transition(number, TrialState.ACQUIRED, lab, reason=reason))
            row.flags, row.ended, row.completed_order = [], None, None
            row.score = row.score_sd = row.feasible = None
            if finding is not None:
                session.delete(finding)

    def end(self, number: int, result: TrialResult, lab: float, asked: int | None = None) -> TrialRecord:
        """Record how a trial ended and return it; ``asked`` is the amendment that asks for it."""
        with self._transaction() as session:
            if asked is not None:
                _amendment_row(session, asked).first = number
            _move(session, _transition(number, result.state, lab, reason=result.reason))
            row = _trial_row(session, number)
            if result.state is TrialState.WITHDRAWN and row.completed_order is not None:
                _forget(session, number)  # it was learnt from
            row.metrics = row.metrics | dump_metrics(result.metrics)
            row.flags, row.ended = list(result.flags), time.time()
            missing = list(result.missing)
            session.merge(FindingRow(trial=number, cause=result.cause, missing=missing, fault=result.fault))
            _rescore(session, {number: result})
            teaches = result.state is TrialState.COMPLETED or (result.state in PARTIAL and bool(row.metrics))
            row.completed_order = _next_order(session) if teaches else None
        return self.trial(number)

    def _mark(self, session: Session, token: str, state: TrialState, lab: float, reason: str) -> None:
        step = _step(session, token)
        step.state, step.reason = state, reason
        if state.ended or state is TrialState.ACQUIRED:
            step.ended = lab
        if not state.ended:
            _move(session, _transition(step.trial, state, lab, step.name, reason))


def _lock(path: Path) -> IO[str]:
    """Lock the store for this process; the operating system lets go of it when the process dies, however it dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(path.name + ".lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise StoreError(f"another process runs the campaign of {path}; wait for it, or stop it") from None
    return file


def _step(session: Session, token: str) -> StepRow:
    row = session.get(StepRow, token)
    if row is None:
        raise StoreError(f"the store knows no job {token}")
    return row


def _trial_row(session: Session, number: int) -> TrialRow:
    row = session.get(TrialRow, number)
    if row is None:
        raise StoreError(f"the store knows no trial {number}")
    return row


def _next_order(session: Session) -> int:
    """Return the position of the next completed trial among them."""
    latest = session.exec(select(func.max(TrialRow.completed_order))).one()
    return 0 if latest is None else latest + 1


def _has_begun(session: Session) -> bool:
    """Return whether the campaign has changed, or proposed, anything by itself."""
    trials = session.exec(select(TrialRow)).all()
    journal = [amendment(row).change for row in session.exec(select(AmendmentRow)).all()]
    return not all(isinstance(change, Import) for change in journal) or any(
        row.proposal["generator"] != IMPORTED for row in trials
    )


def _has_imported(session: Session) -> bool:
    return session.exec(select(AmendmentRow)).first() is not None


def _changed(before: str, now: str) -> list[str]:
    """Return the sections, of those that measurements were read by, in which a campaign file's text has changed."""
    old, new = read_document(before).data, read_document(now).data
    return [name for name in _READ_BY if old.get(name) != new.get(name)]


def _amendment_row(session: Session, number: int) -> AmendmentRow:
    row = session.get(AmendmentRow, number)
    if row is None:
        raise StoreError(f"the journal has no amendment {number}")
    return row


def _forget(session: Session, revised: int | None = None) -> None:
    """Drop what was concluded from values that are other ones now: expected regrets, and the best by a model.

    Args:
        revised: trial whose own values are other ones, so that nobody suspects them yet; others stay suspected until
            the next run has looked at them anew, lest an outlier is shown as the best meanwhile.
    """
    session.execute(delete(ArtefactRow).where(col(ArtefactRow.kind).in_((REGRET, POSTERIOR))))
    session.execute(delete(OutlierRow).where(col(OutlierRow.trial) == revised))


def _rescore(session: Session, results: Mapping[int, TrialResult]) -> None:
    for number, result in results.items():
        row = _trial_row(session, number)
        row.score, row.score_sd, row.feasible = result.score, result.score_sd, result.feasible


def _move(session: Session, change: TransitionRow) -> None:
    """Change a trial's state, if that is a step forward on its line, and log the change."""
    row, state = _trial_row(session, change.trial), TrialState(change.state)
    allowed = _NEXT.get(TrialState(row.state), frozenset())
    if state not in allowed:
        known = ", ".join(sorted(allowed)) or "none"
        raise StoreError(f"trial {row.number} is {row.state}, got {state}; allowed: {known}")
    row.state, row.reason = state, change.reason
    session.add(change)


def _transition(number: int, state: TrialState, lab: float, step: str = "", reason: str = "") -> TransitionRow:
    return TransitionRow(trial=number, step=step, state=state, wall=time.time(), lab=lab, reason=reason)
