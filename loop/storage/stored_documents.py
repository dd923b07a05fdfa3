"""The Bluesky documents of an open transaction: those of plans of the user's own, and the end of every run."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import uuid4

from sqlmodel import Session, col, func, select

from loop.storage.stored_rows import steps_of
from loop.storage.tables import DOCUMENT_TABLES, PlanDocumentRow

Documents = Sequence[tuple[str, Mapping[str, Any]]]


def keep_plan_documents(session: Session, token: str, documents: Documents) -> None:
    """Add those documents of a job's plan that are not kept yet; a run has one stop document."""
    step = steps_of(session, token)[0][0]
    rows = session.exec(select(PlanDocumentRow).where(PlanDocumentRow.token == token)).all()
    kept = {_identity(row.kind, row.body) for row in rows}
    descriptors = {row.body["uid"]: row.run_uid for row in rows if row.kind == "descriptor"}
    run = ""
    for kind, body in documents:
        run = _run_of(kind, body, descriptors) or run
        if kind == "descriptor":
            descriptors[body["uid"]] = run
        if _identity(kind, body) not in kept:
            row = PlanDocumentRow(
                trial=step.trial, step=step.name, token=token, kind=kind, run_uid=run, body=dict(body)
            )
            session.add(row)


def end_open_runs(session: Session, reason: str) -> None:
    """Add a stop document to each run that has none: its controller was killed, or its station lost."""
    for table in DOCUMENT_TABLES:
        stopped = select(table.run_uid).where(table.kind == "stop")
        for start in session.exec(select(table).where(table.kind == "start", col(table.run_uid).not_in(stopped))).all():
            events = dict(Counter(_streams(session, start)))
            stop = {
                "uid": str(uuid4()),
                "run_start": start.run_uid,
                "time": time.time(),
                "exit_status": "abort",
                "reason": reason,
                "num_events": events,
            }
            same = start.model_dump(include={"trial", "step", "token", "run_uid"})
            session.add(table(**same, kind="stop", body=stop))


def last_scan_id(session: Session) -> int:
    """Return the highest number of a run; 0 before the first one."""
    found = [
        session.exec(select(func.max(func.json_extract(table.body, "$.scan_id"))).where(table.kind == "start")).one()
        for table in DOCUMENT_TABLES
    ]
    return max(one or 0 for one in found)


def _streams(session: Session, start: Any) -> Iterator[str]:
    """Yield the name of the stream of each event of a run."""
    table = type(start)
    rows = session.exec(select(table).where(table.run_uid == start.run_uid)).all()
    names = {row.body.get("uid"): row.body.get("name", "primary") for row in rows if row.kind == "descriptor"}
    for row in rows:
        if row.kind == "event":
            yield names.get(row.body.get("descriptor"), "primary")


def _identity(kind: str, body: Mapping[str, Any]) -> str:
    """Return what tells a document from others."""
    return f"stop {body['run_start']}" if kind == "stop" else str(body.get("uid") or body.get("datum_id"))


def _run_of(kind: str, body: Mapping[str, Any], descriptors: Mapping[str, str]) -> str:
    """Return the uid of a document's run; empty where it does not say."""
    if kind == "start":
        return str(body["uid"])
    return str(body.get("run_start") or descriptors.get(body.get("descriptor", ""), ""))
