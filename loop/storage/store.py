"""The store: the only memory of a campaign.

Every method that writes is one transaction. SQLite runs in WAL mode with ``synchronous=FULL``, so that what was
committed survives ``kill -9`` and power loss (https://sqlite.org/pragma.html#pragma_synchronous).
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlmodel import Session

from campaigns.errors import StoreError
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.journal import Amendment
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialRecord, TrialResult
from loop.core.trial_selection import PARTIAL
from loop.storage.artefacts import LOST
from loop.storage.integrity.leased_store import LeasedStore
from loop.storage.integrity.same_campaign import keep_campaign
from loop.storage.stored_documents import Documents, end_open_runs, keep_plan_documents, last_scan_id
from loop.storage.stored_rows import (
    amendment_row,
    drop_conclusions,
    forget_ending,
    keep_lost_jobs,
    keep_sample_use,
    next_order,
    rescore,
    state_between,
    step_row,
    steps_of,
    trial_row,
)
from loop.storage.tables import (
    CampaignRow,
    DocumentRow,
    FindingRow,
    LoadRow,
    SessionRow,
    StepRow,
    TrialRow,
    dump_metrics,
    dump_proposal,
    step_columns,
)
from loop.storage.trial_transitions import move, transition


class Store(LeasedStore):
    """The store of a running campaign: its single writer, but for the journal."""

    def __init__(self, url: str) -> None:
        """Open or create the store and lease it for this process.

        Raises:
            StoreError: the URL is not sqlite, or another process runs this campaign.
        """
        super().__init__(url)
        self._session: int | None = None
        self._origin = time.time() - time.monotonic()

    def begin(self, campaign: CampaignRecord, versions: Mapping[str, str]) -> None:
        """Start a session, on a new store or on one of the same campaign.

        Raises:
            StoreError: the store holds another campaign, or the campaign file has changed since.
        """
        with self._transaction() as session:
            keep_campaign(session, campaign, self.path)
            keep_lost_jobs(session, self.path)
            now = self.session_time
            started = SessionRow(started=now, ended=now, pid=os.getpid(), versions=dict(versions))
            session.add(started)
            session.flush()
            self._session = started.number

    @property
    def session_time(self) -> float:
        """Seconds since the epoch by the system's clock as it was at first: one that is set meanwhile takes no time."""
        return self._origin + time.monotonic()

    def create_campaign(self, campaign: CampaignRecord) -> None:
        """Record the campaign of a new store, so that measurements can be imported before its first session."""
        with self._transaction() as session:
            if session.get(CampaignRow, 1) is None:
                session.add(CampaignRow(id=1, **asdict(campaign)))

    def close(self, outcome: str) -> None:
        """End the session with its outcome, if one was begun, and release the store."""
        if self._session is not None and self.is_writable:
            self.beat(outcome)
        self._session = None
        self.release_lease()

    def beat(self, outcome: str = "") -> None:
        """Record a heartbeat of this session."""
        with self._transaction() as session:
            row = session.get(SessionRow, self._session)
            if row is None:
                raise StoreError("no session has begun; call begin first")
            row.ended, row.outcome = self.session_time, outcome

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
                amendment_row(session, number).first = trial
            for number, reason in refused.items():
                amendment_row(session, number).refused = reason
            rescore(session, results)

    def lost_attempts(self, trial: int, step: str) -> int:
        """Return the last attempt at a step that instruments know of another sample of this number, lost since."""
        kept = self.artefacts(LOST, f"{trial} {step}").values()
        return max((one["attempt"] for one in kept if one["later"]), default=0)

    def lost_station(self, trial: int, step: str) -> str | None:
        """Return the station that has begun a trial's step, of which an earlier copy of the store knows nothing."""
        kept = self.artefacts(LOST, f"{trial} {step}").values()
        return next((one["station"] for one in kept if not one["later"]), None)

    def propose(
        self, number: int, candidate: Candidate, proposal: Proposal, lab: float, asked: int | None = None
    ) -> None:
        """Record a proposed candidate: the trial is queued; ``asked`` is the amendment that asks for it."""
        with self._transaction() as session:
            if asked is not None:
                amendment_row(session, asked).first = number
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
            session.add(transition(number, TrialState.QUEUED, lab))

    def import_trials(self, trials: Sequence[TrialRecord], asked: int, lab: float) -> None:
        """Record completed trials that were measured elsewhere; ``asked`` is the amendment that brings them."""
        with self._transaction() as session:
            amendment_row(session, asked).first = trials[0].number
            order = next_order(session)
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
            session.add_all(transition(t.number, TrialState.COMPLETED, lab, reason=t.proposal.reason) for t in trials)

    def complete(self, trials: Mapping[int, TrialRecord], asked: int, lab: float, reasons: Mapping[int, str]) -> None:
        """Record what was measured later of trials that were imported; ``asked`` is the amendment that brings it.

        Args:
            trials: number of a trial to the trial with all that is known of it now.
            asked: the amendment that brings it.
            lab: lab time in seconds.
            reasons: number of a trial to what its log says.
        """
        with self._transaction() as session:
            amendment_row(session, asked).first = min(trials)
            drop_conclusions(session)
            for number, trial in trials.items():
                row = trial_row(session, number)
                row.metrics, row.reason = dump_metrics(trial.metrics), trial.reason
                row.score, row.score_sd, row.feasible = trial.score, trial.score_sd, trial.feasible
                session.add(transition(number, TrialState.COMPLETED, lab, reason=reasons[number]))

    def claim(self, number: int, step: StepRecord, lab: float) -> None:
        """Record that a station takes a trial's step; the same token may be claimed again after a restart."""
        self.claim_load([(number, step)], lab)

    def claim_load(
        self, steps: Sequence[tuple[int, StepRecord]], lab: float, samples: Mapping[str, str] | None = None
    ) -> None:
        """Record that a station takes a step of several trials, each with its number, at once.

        Args:
            steps: number of the trial, and the attempt.
            lab: lab time in seconds.
            samples: token of an attempt to the id of its sample, where that is not recorded yet.
        """
        with self._transaction() as session:
            for token, sample in (samples or {}).items():
                keep_sample_use(session, token, sample)
            for number, step in steps:
                move(session, transition(number, TrialState.CLAIMED, lab, step.name))
                row = session.get(StepRow, step.token)
                if row is None:
                    row = StepRow(trial=number, **(step_columns(step) | {"state": TrialState.CLAIMED, "started": lab}))
                    session.add(row)
                else:
                    row.state, row.station, row.reason = TrialState.CLAIMED, step.station, ""
            session.flush()
            for number, step in steps:
                if step.load:
                    session.merge(LoadRow(token=step.token, job=step.load, trial=number, place=step.place))

    def mark(self, token: str, state: TrialState, lab: float, reason: str = "") -> None:
        """Record the state of a step, and with it of its trial; of a load, of all its samples."""
        with self._transaction() as session:
            for step in steps_of(session, token)[1]:
                self._mark(session, step.token, state, lab, reason)

    def requeue(self, token: str, lab: float, reason: str) -> None:
        """Record that an attempt at a step was given up before anything moved: the trial waits for another one."""
        with self._transaction() as session:
            step = step_row(session, token)
            step.state, step.reason, step.ended, step.cost = TrialState.WITHDRAWN, reason, lab, 0.0
            move(session, transition(step.trial, state_between(session, step.trial), lab, step.name, reason))

    def document(
        self, token: str, kind: str, body: Mapping[str, Any], lab: float, failed: Mapping[str, str] | None = None
    ) -> None:
        """Keep a Bluesky document; with a start the trial is running, with an event acquired, in one transaction.

        Args:
            token: of the job, or of the load whose samples all are then.
            kind: name of the document.
            body: the document.
            lab: lab time in seconds.
            failed: of a load's event, the samples, by the token of their attempt, whose places say why they failed.
        """
        with self._transaction() as session:
            steps, under_way = steps_of(session, token)
            uid = body["uid"] if kind == "start" else body.get("run_start") or (under_way or steps)[0].run_uid or ""
            row = DocumentRow(
                trial=steps[0].trial, step=steps[0].name, token=token, kind=kind, run_uid=uid, body=dict(body)
            )
            session.add(row)
            for step in under_way:
                if kind == "start":
                    step.run_uid = uid
                    if step.state == TrialState.CLAIMED:
                        self._mark(session, step.token, TrialState.RUNNING, lab, "")
                elif kind == "event":
                    why = (failed or {}).get(step.token)
                    state = TrialState.ACQUIRED if why is None else TrialState.FAILED
                    self._mark(session, step.token, state, lab, why or "")

    def keep_plan_documents(self, token: str, documents: Documents) -> None:
        """Keep the documents of what a job's plan did, as far as they are not kept yet."""
        if documents:
            with self._transaction() as session:
                keep_plan_documents(session, token, documents)

    def end_open_runs(self, reason: str) -> None:
        """Add a stop document, which gives a reason, to each run that has none."""
        with self._transaction() as session:
            end_open_runs(session, reason)

    def last_scan_id(self) -> int:
        """Return the highest number of a run; 0 before the first one."""
        with Session(self._engine) as session:
            return last_scan_id(session)

    def measure(self, token: str, metrics: Mapping[str, MetricValue]) -> None:
        """Record the metrics that a step's analysis gave."""
        with self._transaction() as session:
            trial = trial_row(session, step_row(session, token).trial)
            trial.metrics = trial.metrics | dump_metrics(metrics)

    def release(self, number: int, metrics: Mapping[str, MetricValue], lab: float, asked: Amendment) -> None:
        """Record that a measurement in quarantine counts, as an amendment asks: the trial goes on."""
        with self._transaction() as session:
            amendment_row(session, asked.number).first = number
            reason = f"released by {asked.author}: {asked.reason}"
            move(session, transition(number, TrialState.ACQUIRED, lab, reason=reason))
            row = trial_row(session, number)
            row.metrics, row.ended = row.metrics | dump_metrics(metrics), None
            drop_conclusions(session, number)

    def reanalyse(self, number: int, metrics: Mapping[str, MetricValue], lab: float, asked: Amendment) -> None:
        """Record what the raw data of a trial come to when analysed anew: the trial goes on from there.

        What it came to before stands in the log. A trial that failed for another reason stays so.
        """
        with self._transaction() as session:
            amendment_row(session, asked.number).first = number
            drop_conclusions(session, number)
            row, finding = trial_row(session, number), session.get(FindingRow, number)
            values = ((name, *metric) for name, metric in row.metrics.items())
            texts = (f"{name} {value:.6g} ± {sd:.2g} {unit}".removesuffix(" 1") for name, value, sd, unit in values)
            before = ", ".join(texts)
            reason = f"analysed anew by {asked.author}: {asked.reason}{f'; before: {before}' if before else ''}"
            row.metrics = dump_metrics(metrics)
            if row.state in (TrialState.FAILED, TrialState.UNCERTAIN) and not (finding and finding.missing):
                session.add(transition(number, TrialState(row.state), lab, reason=reason))
                row.completed_order = next_order(session) if metrics else None
                return
            move(session, transition(number, TrialState.ACQUIRED, lab, reason=reason))
            forget_ending(session, number, metrics)

    def reopen(
        self, last: StepRecord, kept: Mapping[str, MetricValue], lab: float, asked: Amendment | None = None
    ) -> None:
        """Record that a trial that has ended goes on with its last step, as an amendment asks, or its job ends late.

        Args:
            last: the attempt with which it ended, in its new state: dispatched where its job is taken up again, else
                there will be another attempt.
            kept: the metrics of the steps before.
            lab: lab time in seconds.
            asked: the amendment that asks for it, if any does.
        """
        with self._transaction() as session:
            step = step_row(session, last.token)
            number = step.trial
            if asked is not None:
                amendment_row(session, asked.number).first = number
            step.state, step.reason = last.state, last.reason
            step.ended = None if last.state is TrialState.DISPATCHED else step.ended
            state = last.state if last.state is TrialState.DISPATCHED else state_between(session, number)
            move(session, transition(number, state, lab, reason=last.reason))
            forget_ending(session, number, kept)

    def enter_result(
        self, number: int, steps: Sequence[StepRecord], metrics: Mapping[str, MetricValue], lab: float, asked: Amendment
    ) -> None:
        """Record that steps of a trial count as done with metrics that were entered by hand, as an amendment asks.

        Args:
            number: of the trial.
            steps: those steps; the tokens of attempts that are known already stay.
            metrics: all that are known of the trial now.
            lab: lab time in seconds.
            asked: the amendment that asks for it.
        """
        with self._transaction() as session:
            amendment_row(session, asked.number).first = number
            for step in steps:
                session.merge(StepRow(trial=number, **step_columns(step)))
            reason = f"result entered by {asked.author}: {asked.reason}"
            move(session, transition(number, TrialState.ACQUIRED, lab, reason=reason))
            forget_ending(session, number, metrics)

    def end(self, number: int, result: TrialResult, lab: float, asked: int | None = None) -> TrialRecord:
        """Record how a trial ended, with the job that it ended with; ``asked`` is the amendment that asks for it."""
        with self._transaction() as session:
            if asked is not None:
                amendment_row(session, asked).first = number
            if result.job:
                self._mark(session, result.job, result.state, lab, result.reason)
            move(session, transition(number, result.state, lab, reason=result.reason))
            row = trial_row(session, number)
            if result.state is TrialState.WITHDRAWN and row.completed_order is not None:
                drop_conclusions(session, number)  # the models used it
            row.metrics = row.metrics | dump_metrics(result.metrics)
            row.flags, row.ended = list(result.flags), time.time()
            missing = list(result.missing)
            session.merge(FindingRow(trial=number, cause=result.cause, missing=missing, fault=result.fault))
            rescore(session, {number: result})
            teaches = result.state is TrialState.COMPLETED or (result.state in PARTIAL and bool(row.metrics))
            row.completed_order = next_order(session) if teaches else None
        return self.trial(number)

    def _mark(self, session: Session, token: str, state: TrialState, lab: float, reason: str) -> None:
        step = step_row(session, token)
        step.state, step.reason = state, reason
        if state is TrialState.WITHDRAWN:  # nothing was moved
            step.cost = 0.0
        if state.ended or state is TrialState.ACQUIRED:
            step.ended = lab
        if not state.ended:
            move(session, transition(step.trial, state, lab, step.name, reason))
