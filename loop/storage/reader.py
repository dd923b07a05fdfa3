"""What anyone may ask of a store, while a campaign goes on or not."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError
from sqlalchemy import inspect
from sqlalchemy.exc import DatabaseError
from sqlmodel import Session, func, select

from campaigns.campaign import Campaign
from campaigns.errors import StoreError
from campaigns.parsing.yaml_lines import read_document
from campaigns.values import TrialState
from instruments.load_columns import of_place
from loop.core.campaign_records import CampaignRecord, SessionRecord
from loop.core.campaign_version import as_scored, as_shown
from loop.core.formatting import trial_numbers
from loop.core.journal import Amendment
from loop.core.records import Document, PosteriorBest, SampleUse, Transition, TrialRecord
from loop.storage.engine import open_engine
from loop.storage.integrity.damage import damage_error
from loop.storage.tables import (
    DOCUMENT_TABLES,
    AmendmentRow,
    ArtefactRow,
    CampaignRow,
    DocumentRow,
    FindingRow,
    LoadRow,
    OutlierRow,
    PlanDocumentRow,
    SampleUseRow,
    SessionRow,
    StepRow,
    TransitionRow,
    TrialRow,
    amendment,
    col,
    trial_record,
)

POSTERIOR = "posterior best"
"""Kind of the artefact that holds the best measured candidate by the models' posterior, and by which weights."""

BEST = "best"
"""Name of that artefact."""

REGRET = "regret estimate"
"""Kind of the artefacts that hold, by trial, the regret that was expected when it was completed."""

_Row = TypeVar("_Row", FindingRow, OutlierRow, LoadRow)


class Reader:
    """What anyone may ask of a store."""

    _writable: ClassVar[bool] = False

    def __init__(self, url: str) -> None:
        """Open the store at ``url``.

        Raises:
            StoreError: the URL is not sqlite, or there is no store of a campaign.
        """
        self.path = store_path(url)
        if not self.path.exists():
            raise StoreError(f"no store at {self.path}; start the campaign with 'athanor run FILE', or give --store")
        self._engine = open_engine(self.path, writable=self._writable)
        self._tables: set[str] = set()
        weakref.finalize(self, self._engine.dispose)  # a pool leaves its connections open when it goes
        self._check()

    def _has_table(self, name: str) -> bool:
        """Return whether the store has a table, which one of an earlier version may lack; none ever goes."""
        if name not in self._tables and inspect(self._engine).has_table(name):
            self._tables.add(name)
        return name in self._tables

    def _check(self) -> None:
        """Check that the store holds a campaign."""
        try:
            if not inspect(self._engine).get_table_names():
                raise StoreError(f"{self.path} holds no campaign yet: the run that makes it has just begun; ask again")
            self.campaign()
        except DatabaseError as error:
            raise damage_error(self.path, str(error.orig)) from error

    def campaign(self) -> CampaignRecord:
        """Return the campaign of this store."""
        with Session(self._engine) as session:
            row = session.get(CampaignRow, 1)
            if row is None:
                raise StoreError(f"{self.path} holds no campaign; start one with 'athanor run FILE'")
            return CampaignRecord(row.name, row.source, row.seed, row.fingerprint, row.created)

    def sessions(self) -> list[SessionRecord]:
        """Return every start of the controller, oldest first."""
        with Session(self._engine) as session:
            rows = session.exec(select(SessionRow).order_by(col(SessionRow.number))).all()
            return [SessionRecord(r.number or 0, r.started, r.ended, r.outcome, r.pid, r.versions) for r in rows]

    def trials(self) -> list[TrialRecord]:
        """Return every trial, in the order of their numbers."""
        regrets = self.artefacts(REGRET)
        with Session(self._engine) as session:
            loads = {row.token: row for row in self._rows(session, LoadRow)}
            steps: dict[int, list[StepRow]] = {}
            for step in session.exec(select(StepRow)).all():
                steps.setdefault(step.trial, []).append(step)
            rows = session.exec(select(TrialRow).order_by(col(TrialRow.number))).all()
            findings = {row.trial: row for row in self._rows(session, FindingRow)}
            outliers = {row.trial: row.reason for row in self._rows(session, OutlierRow)}
        return [
            trial_record(
                row,
                steps.get(row.number, []),
                loads,
                findings.get(row.number),
                outliers.get(row.number, ""),
                regrets.get(str(row.number)),
            )
            for row in rows
        ]

    def trial(self, number: int) -> TrialRecord:
        """Return one trial.

        Raises:
            StoreError: there is no trial of that number.
        """
        with Session(self._engine) as session:
            row = session.get(TrialRow, number)
            if row is None:
                count = session.exec(select(func.count()).select_from(TrialRow)).one()
                raise StoreError(f"no trial {number}; allowed: {trial_numbers(count)}")
            steps = session.exec(select(StepRow).where(StepRow.trial == number)).all()
            loads = {row.token: row for row in self._rows(session, LoadRow, number)} if steps else {}
            findings = self._rows(session, FindingRow, number)
            outliers = self._rows(session, OutlierRow, number)
        reason = outliers[0].reason if outliers else ""
        regret = self.artefacts(REGRET, str(number)).get(str(number)) if row.ended else None
        return trial_record(row, list(steps), loads, findings[0] if findings else None, reason, regret)

    def sample_uses(self) -> list[SampleUse]:
        """Return which sample each job has, in the order in which they were claimed; nothing from an older store."""
        if not inspect(self._engine).has_table("sample_use"):
            return []
        with Session(self._engine) as session:
            rows = session.exec(select(SampleUseRow).order_by(col(SampleUseRow.id))).all()
            return [SampleUse(row.token, row.sample, row.journal, row.wall) for row in rows]

    def sample_of(self, token: str) -> str | None:
        """Return the id of the sample that a job has; None where that was not recorded."""
        with Session(self._engine) as session:
            return session.exec(select(SampleUseRow.sample).where(SampleUseRow.token == token)).first()

    def count(self) -> int:
        """Return how many trials there are."""
        with Session(self._engine) as session:
            return session.exec(select(func.count()).select_from(TrialRow)).one()

    def transitions(self, number: int | None = None) -> list[Transition]:
        """Return the changes of state of one trial, or of all, in the order in which they were committed."""
        with Session(self._engine) as session:
            query = select(TransitionRow).order_by(col(TransitionRow.id))
            if number is not None:
                query = query.where(TransitionRow.trial == number)
            return [
                Transition(r.trial, r.step, TrialState(r.state), r.wall, r.lab, r.reason)
                for r in session.exec(query).all()
            ]

    def documents(self, number: int) -> list[Document]:
        """Return the Bluesky documents of one trial in the order in which they came, then those of its plans."""
        found: list[Document] = []
        with Session(self._engine) as session:
            for table in DOCUMENT_TABLES:
                if self._has_table(table.__tablename__):
                    jobs = [part.job for part in self._rows(session, LoadRow, number)]
                    mine = (table.trial == number) | col(table.token).in_(jobs)
                    query = select(table).where(mine).order_by(col(table.id))
                    found += [_document(row) for row in session.exec(query).all()]
        return found

    def artefacts(self, kind: str, name: str | None = None) -> dict[str, dict[str, Any]]:
        """Return what was kept of a kind, all of it or one, by name; nothing from a store older than that table."""
        if not self._has_table("artefact"):
            return {}
        with Session(self._engine) as session:
            query = select(ArtefactRow).where(ArtefactRow.kind == kind).order_by(col(ArtefactRow.name))
            rows = session.exec(query if name is None else query.where(ArtefactRow.name == name))
            return {row.name: row.body for row in rows.all()}

    def amendments(self) -> list[Amendment]:
        """Return the journal, in the order in which it was written; nothing from a store that is older than that."""
        if not self._has_table("amendment"):
            return []
        with Session(self._engine) as session:
            return [
                amendment(row) for row in session.exec(select(AmendmentRow).order_by(col(AmendmentRow.number))).all()
            ]

    def latest_amendment(self) -> int:
        """Return the number of the last line of the journal; 0 without one."""
        with Session(self._engine) as session:
            return session.exec(select(func.max(AmendmentRow.number))).one() or 0

    def _rows(self, session: Session, table: type[_Row], number: int | None = None) -> Sequence[_Row]:
        """Return what a table says of all trials, or of one; nothing from a store that is older than the table."""
        if not self._has_table(str(table.__tablename__)):
            return []
        query = select(table)
        return session.exec(query if number is None else query.where(col(table.trial) == number)).all()

    def posterior_best(self) -> tuple[PosteriorBest | None, int] | None:
        """Return the best measured candidate by the models' posterior, and the amendment of the weights that it is by.

        None before there was a model; without a candidate where none was likely feasible.
        """
        kept = self.artefacts(POSTERIOR, BEST).get(BEST)
        if kept is None:
            return None
        found = kept["found"]
        best = None if found is None else PosteriorBest(**(found | {"interval": tuple(found["interval"])}))
        return best, kept["weighed"]

    def doubts(self) -> dict[int, str]:
        """Return the measured candidates, by trial, of which the models doubt that they are feasible, and why."""
        kept = self.artefacts(POSTERIOR, BEST).get(BEST) or {}
        return {int(number): text for number, text in kept.get("doubts", {}).items()}

    def event(self, token: str) -> Document | None:
        """Return the last event of the job with this token, or None; of a load, what it says of this sample."""
        return self._latest(token, "event")

    def _latest(self, token: str, kind: str) -> Document | None:
        """Return the last document of a kind of the job with this token, or None."""
        with Session(self._engine) as session:
            part = self._part(session, token)
            query = select(DocumentRow).where(DocumentRow.kind == kind).order_by(col(DocumentRow.id).desc())
            if part is None:
                row = session.exec(query.where(DocumentRow.token == token)).first()
                return None if row is None else _document(row)
            step = session.get_one(StepRow, token)
            query = query.where(DocumentRow.token == part.job, DocumentRow.run_uid == step.run_uid)
            row = session.exec(query).first()
            return None if row is None else _of_part(row, part, step.station)

    def _part(self, session: Session, token: str) -> LoadRow | None:
        """Return the part of a load that an attempt is; None where it is a job of its own."""
        return session.get(LoadRow, token) if self._has_table("load") else None

    def events_before(self, token: str, station: str, first: int) -> tuple[Document | None, list[Document]]:
        """Return the event before that of a job on a station, of another job, and the first ones there.

        Of a load, those are meant that say something of the same place.
        """
        with Session(self._engine) as session:
            if (part := self._part(session, token)) is not None:
                return self._loads_before(session, part, station, first)
            own = select(func.min(DocumentRow.id)).where(DocumentRow.token == token, DocumentRow.kind == "event")
            query = (
                select(DocumentRow)
                .join(StepRow, col(StepRow.token) == col(DocumentRow.token))
                .where(StepRow.station == station, DocumentRow.kind == "event", DocumentRow.token != token)
                .where(col(DocumentRow.id) < (session.exec(own).one() or 0))
            )
            last = session.exec(query.order_by(col(DocumentRow.id).desc())).first()
            rows = session.exec(query.order_by(col(DocumentRow.id)).limit(first)).all()
            return None if last is None else _document(last), [_document(row) for row in rows]

    def _loads_before(
        self, session: Session, part: LoadRow, station: str, first: int
    ) -> tuple[Document | None, list[Document]]:
        own = select(func.min(DocumentRow.id)).where(DocumentRow.token == part.job, DocumentRow.kind == "event")
        query = (
            select(DocumentRow, LoadRow)
            .join(LoadRow, col(LoadRow.job) == col(DocumentRow.token))
            .join(StepRow, col(StepRow.token) == col(LoadRow.token))
            .where(StepRow.station == station, DocumentRow.kind == "event", DocumentRow.token != part.job)
            .where(DocumentRow.run_uid == StepRow.run_uid, LoadRow.place == part.place)
            .where(col(DocumentRow.id) < (session.exec(own).one() or 0))
        )
        last = session.exec(query.order_by(col(DocumentRow.id).desc())).first()
        rows = session.exec(query.order_by(col(DocumentRow.id)).limit(first)).all()
        return None if last is None else _of_part(*last, station), [_of_part(*row, station) for row in rows]

    def dispatched(self, trial: int, step: str, before: float) -> float | None:
        """Return when a trial's step was dispatched for the last time before a time, in seconds since the epoch."""
        with Session(self._engine) as session:
            query = select(func.max(TransitionRow.wall)).where(
                TransitionRow.trial == trial,
                TransitionRow.step == step,
                TransitionRow.state == TrialState.DISPATCHED,
                TransitionRow.wall <= before,
            )
            return session.exec(query).one()

    def event_units(self, token: str) -> dict[str, str]:
        """Return the units of the last event of the job with this token, by signal; of those that state one."""
        found = self._latest(token, "descriptor")
        keys = {} if found is None else found.body.get("data_keys", {})
        return {name: str(key["units"]) for name, key in keys.items() if key.get("units")}

    def event_data(self, token: str) -> dict[str, Any]:
        """Return the data of the last event of the job with this token.

        Raises:
            StoreError: the job has no event.
        """
        found = self.event(token)
        if found is None:
            raise StoreError(f"the store holds no event of job {token}")
        return dict(found.body["data"])

    def stored_campaign(self) -> Campaign:
        """Return the campaign of the store's file, whose text was validated when the campaign began.

        Raises:
            StoreError: the store holds no campaign, or one of a version with another format.
        """
        try:
            return Campaign.model_validate(read_document(self.campaign().source).data)
        except ValidationError as error:
            sessions = self.sessions()
            writer = sessions[-1].versions.get("athanor-sdl", "unknown") if sessions else "unknown"
            raise StoreError(
                f"{self.path} holds a campaign file with {error.error_count()} keys that this version does not know; "
                f"use the version that ran it (athanor-sdl {writer})"
            ) from error

    def scored_campaign(self) -> Campaign:
        """Return the current campaign of the store, with the weights by which its trials are scored.

        Raises:
            StoreError: the store holds no campaign, or one of a version with another format.
        """
        return as_scored(self.stored_campaign(), self.amendments()).campaign

    def shown_campaign(self) -> Campaign:
        """Return the campaign of the store as its trials are scored and shown.

        Raises:
            StoreError: the store holds no campaign, or one of a version with another format.
        """
        return as_shown(self.stored_campaign(), self.amendments())


def _document(row: DocumentRow | PlanDocumentRow) -> Document:
    return Document(row.trial, row.step, row.kind, row.run_uid, row.body)


def _of_part(row: DocumentRow, part: LoadRow, station: str) -> Document:
    """Return what a document of a load says of one sample, by the names that a job of its own would have."""
    body = dict(row.body)
    body |= {
        key: of_place(station, part.place, body[key]) for key in ("data", "timestamps", "data_keys") if key in body
    }
    return Document(part.trial, row.step, row.kind, row.run_uid, body)


def store_path(url: str) -> Path:
    """Return the file of a store.

    Raises:
        StoreError: the URL is not ``sqlite:///PATH``.
    """
    prefix = "sqlite:///"
    if not url.startswith(prefix) or len(url) == len(prefix):
        raise StoreError(f"got store {url!r}; allowed: sqlite:///PATH")
    return Path(url.removeprefix(prefix))
