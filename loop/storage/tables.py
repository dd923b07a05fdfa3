"""The tables of the store, and how their rows become records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel

from campaigns.amendments import CHANGES
from campaigns.errors import SampleError
from campaigns.values import Candidate, Cause, MetricValue, TrialState
from loop.core.journal import Amendment
from loop.core.proposals import Alternative, Proposal
from loop.core.records import RegretEstimate, StepRecord, TrialRecord


class CampaignRow(SQLModel, table=True):
    """The campaign of this store: one row."""

    __tablename__ = "campaign"
    id: int = Field(primary_key=True)
    name: str
    source: str
    seed: int
    fingerprint: str
    created: float


class SessionRow(SQLModel, table=True):
    """One start of the controller."""

    __tablename__ = "session"
    number: int | None = Field(default=None, primary_key=True)
    started: float
    ended: float
    outcome: str = ""
    pid: int
    versions: dict[str, str] = Field(sa_column=Column(JSON))


class LeaseRow(SQLModel, table=True):
    """Which process runs the campaign; no row where none does. See ``loop.storage.integrity.lease.Lease``."""

    __tablename__ = "lease"
    id: int = Field(primary_key=True)
    holder: str
    user: str
    host: str
    machine: str
    pid: int
    born: str
    file: str
    since: float
    until: float


class TrialRow(SQLModel, table=True):
    """One trial."""

    __tablename__ = "trial"
    number: int = Field(primary_key=True)
    material: str | None
    parameters: dict[str, Any] = Field(sa_column=Column(JSON))
    state: str
    reason: str = ""
    proposal: dict[str, Any] = Field(sa_column=Column(JSON))
    metrics: dict[str, Any] = Field(default_factory=dict, sa_column=Column(JSON))
    flags: list[str] = Field(default_factory=list, sa_column=Column(JSON))
    score: float | None = None
    score_sd: float | None = None
    feasible: bool | None = None
    completed_order: int | None = None
    created: float
    ended: float | None = None


class StepRow(SQLModel, table=True):
    """One attempt at one step of a trial."""

    __tablename__ = "step"
    token: str = Field(primary_key=True)
    trial: int = Field(foreign_key="trial.number", index=True)
    name: str
    attempt: int
    station: str
    state: str
    started: float | None = None
    ended: float | None = None
    run_uid: str | None = None
    reason: str = ""
    cost: float = 0.0


class LoadRow(SQLModel, table=True):
    """One sample of a load: an attempt at a step that shares its job with others, and the place where it stands."""

    __tablename__ = "load"
    token: str = Field(primary_key=True, foreign_key="step.token")
    job: str = Field(index=True)
    trial: int = Field(index=True)
    place: int


class SampleUseRow(SQLModel, table=True):
    """Which sample a job has, in the order in which they were claimed."""

    __tablename__ = "sample_use"
    id: int | None = Field(default=None, primary_key=True)
    token: str = Field(unique=True, index=True)
    sample: str
    journal: int
    wall: float


class FindingRow(SQLModel, table=True):
    """What the end of a trial says, beside its state: what it speaks of, and which metrics have no value there."""

    __tablename__ = "finding"
    trial: int = Field(foreign_key="trial.number", primary_key=True)
    cause: str | None = None
    missing: list[str] = Field(default_factory=list, sa_column=Column(JSON))
    fault: str = ""


class OutlierRow(SQLModel, table=True):
    """Why a trial is a suspected outlier, as of now."""

    __tablename__ = "outlier"
    trial: int = Field(foreign_key="trial.number", primary_key=True)
    reason: str


class TransitionRow(SQLModel, table=True):
    """One change of state."""

    __tablename__ = "transition"
    id: int | None = Field(default=None, primary_key=True)
    trial: int = Field(foreign_key="trial.number", index=True)
    step: str
    state: str
    wall: float
    lab: float
    reason: str


class DocumentColumns(SQLModel):
    """What is kept of a Bluesky document."""

    id: int | None = Field(default=None, primary_key=True)
    trial: int = Field(foreign_key="trial.number", index=True)
    step: str
    token: str = Field(index=True)
    kind: str
    run_uid: str
    body: dict[str, Any] = Field(sa_type=JSON)


class DocumentRow(DocumentColumns, table=True):
    """One Bluesky document, as it came."""

    __tablename__ = "document"


class PlanDocumentRow(DocumentColumns, table=True):
    """One Bluesky document of a plan of the user's own, which a station has run within its own."""

    __tablename__ = "plan_document"


DOCUMENT_TABLES: tuple[Any, ...] = (DocumentRow, PlanDocumentRow)
"""The tables of documents, with the same columns."""


class AmendmentRow(SQLModel, table=True):
    """A line of the journal, which is only ever appended to; what a run made of it is filled in once."""

    __tablename__ = "amendment"
    number: int | None = Field(default=None, primary_key=True)
    written: float
    author: str
    reason: str
    change: dict[str, Any] = Field(sa_column=Column(JSON))
    first: int | None = None
    refused: str = ""


class ArtefactRow(SQLModel, table=True):
    """Something that the report shows and that is no trial: what the pool looks like, a material's structure."""

    __tablename__ = "artefact"
    kind: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    body: dict[str, Any] = Field(sa_column=Column(JSON))


def col(attribute: Any) -> Any:
    """Return a mapped attribute as the column expression that it is at run time."""
    return attribute


def trial_record(
    row: TrialRow,
    steps: list[StepRow],
    loads: Mapping[str, LoadRow],
    finding: FindingRow | None,
    outlier: str,
    regret: Mapping[str, Any] | None,
) -> TrialRecord:
    """Return a trial with its steps in the order in which they began.

    Args:
        row: its own row.
        steps: the rows of its steps.
        loads: token of a step to its part of a load.
        finding: what its end says, or None.
        outlier: why it is a suspected outlier; empty if it is none.
        regret: the regret that was expected when it was completed, as JSON values, or None.
    """
    return TrialRecord(
        number=row.number,
        candidate=Candidate(row.parameters, row.material),
        state=TrialState(row.state),
        reason=row.reason,
        proposal=_load_proposal(row.proposal),
        metrics=_load_metrics(row.metrics),
        flags=tuple(row.flags),
        score=row.score,
        score_sd=row.score_sd,
        feasible=row.feasible,
        completed_order=row.completed_order,
        created=row.created,
        ended=row.ended,
        steps=tuple(_step_record(step, loads.get(step.token)) for step in sorted(steps, key=_begun)),
        outlier=outlier,
        regret=None if regret is None else _load_regret(regret),
        cause=_cause(row, finding),
        missing=() if finding is None else tuple(finding.missing),
        fault="" if finding is None else finding.fault,
    )


def _begun(row: StepRow) -> tuple[float, int]:
    """Return by what the steps of a trial are ordered."""
    return row.started or 0.0, row.attempt


def _cause(row: TrialRow, finding: FindingRow | None) -> Cause | None:
    """Return what a trial's end speaks of; of a failure in a store of an earlier version, only its reason says so."""
    if finding is not None:
        return None if finding.cause is None else Cause(finding.cause)
    if row.state != TrialState.FAILED:
        return None
    return Cause.SAMPLE if f"{SampleError.__name__}:" in row.reason else Cause.LAB


def amendment(row: AmendmentRow) -> Amendment:
    """Return a line of the journal."""
    change = CHANGES.validate_python(row.change)
    return Amendment(row.number or 0, row.written, row.author, row.reason, change, row.first, row.refused)


def _step_record(row: StepRow, part: LoadRow | None) -> StepRecord:
    return StepRecord(
        row.name,
        row.attempt,
        row.station,
        row.token,
        TrialState(row.state),
        row.started,
        row.ended,
        row.run_uid,
        row.reason,
        row.cost,
        "" if part is None else part.job,
        0 if part is None else part.place,
    )


def step_columns(step: StepRecord) -> dict[str, Any]:
    """Return a step as the columns of its row."""
    return {key: value for key, value in asdict(step).items() if key not in ("load", "place")}


def dump_metrics(metrics: Mapping[str, MetricValue]) -> dict[str, Any]:
    """Return metrics as JSON values."""
    return {name: [m.value, m.sd, m.unit] for name, m in metrics.items()}


def _load_metrics(stored: Mapping[str, Any]) -> dict[str, MetricValue]:
    return {name: MetricValue(*m) for name, m in stored.items()}


def dump_proposal(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as JSON values."""
    return asdict(proposal) | {"predictions": dump_metrics(proposal.predictions)}


def _load_regret(stored: Mapping[str, Any]) -> RegretEstimate:
    pairs = {key: tuple(tuple(item) for item in stored[key]) for key in ("reached", "better")}
    return RegretEstimate(**(dict(stored) | pairs | {"score": tuple(stored["score"])}))


def _load_proposal(stored: Mapping[str, Any]) -> Proposal:
    alternatives = tuple(Alternative(Candidate(**a["candidate"]), a["acquisition"]) for a in stored["alternatives"])
    changed = {
        "predictions": _load_metrics(stored["predictions"]),
        "score": None if stored["score"] is None else tuple(stored["score"]),
        "learnt_from": tuple(stored["learnt_from"]),
        "pending": tuple(stored["pending"]),
        "alternatives": alternatives,
    }
    return Proposal(**(dict(stored) | changed))
