"""The Bluesky documents of a session: numbered over the campaign, kept in the store, handed to who subscribes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from itertools import count
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from campaigns.errors import StoreError
from campaigns.values import TrialState
from instruments.job import NO_TRIAL, Job
from instruments.job_instrument import JobInstrument
from instruments.places import failed_members
from instruments.run_context import RunContext
from instruments.step_errors import SILENT
from loop.execution.subscribers import Subscribers
from loop.storage.store import Store

_OPEN = (TrialState.CLAIMED, TrialState.RUNNING, TrialState.DISPATCHED, TrialState.UNCERTAIN)
"""States of a step of which an earlier session may have left documents with the instrument."""


class RunDocuments:
    """Keeps the documents of all stations.

    Args:
        store: where they are kept.
        now: returns the lab time in seconds.
        subscribers: get each document once it is kept; those of plans as they come.
    """

    def __init__(self, store: Store, now: Callable[[], float], subscribers: Subscribers) -> None:
        self._store, self._now, self._subscribers = store, now, subscribers
        self._ids = count(1)
        self._of_standards: dict[str, dict[str, dict[str, Any]]] = {}
        record = store.campaign()
        campaign_id = str(uuid5(NAMESPACE_OID, f"{record.name} {record.created!r}"))
        start = {"campaign": record.name, "campaign_id": campaign_id}
        self.context = RunContext(start, lambda: next(self._ids), subscribers.publish)

    def recover(self, instruments: Mapping[str, JobInstrument]) -> None:
        """Keep what instruments have of open steps, end the runs that a kill cut short, and number on from there."""
        for trial in self._store.trials():
            for step in trial.steps:
                if step.state in _OPEN and step.station in instruments:
                    with suppress(*SILENT):  # they are taken when its job has ended
                        self.take(instruments[step.station], step.job)
        self._store.end_open_runs("the controller ended before the run did")
        self._ids = count(1 + self._store.last_scan_id())

    def of_run(self) -> dict[str, Any]:
        """Return what the start document of the next run says of the campaign."""
        return {**self.context.start, "scan_id": self.context.scan_id()}

    def keep(self, instrument: JobInstrument, job: Job, kind: str, document: dict[str, Any]) -> None:
        """Keep a document of a station's run, before its event those of the plan, and hand it on."""
        if job.trial == NO_TRIAL:
            self._of_standards.setdefault(job.token, {})[kind] = document
        else:
            self._keep(instrument, job, kind, document)
        self._subscribers.publish(kind, document)

    def _keep(self, instrument: JobInstrument, job: Job, kind: str, document: dict[str, Any]) -> None:
        if kind == "event":
            self.take(instrument, job.token)
        failed = failed_members(instrument.name, job.members, document["data"]) if kind == "event" else {}
        self._store.document(job.token, kind, document, self._now(), failed)

    def of_standard(self, token: str) -> tuple[dict[str, Any], dict[str, str]]:
        """Return data and units of what was read of a calibration standard, by signal, once."""
        found = self._of_standards.pop(token, {})
        keys = found.get("descriptor", {}).get("data_keys", {})
        units = {name: str(key["units"]) for name, key in keys.items() if key.get("units")}
        return dict(found.get("event", {}).get("data", {})), units

    def take(self, instrument: JobInstrument, token: str) -> None:
        """Keep the documents that an instrument itself has of a job."""
        self._store.keep_plan_documents(token, instrument.documents(token))

    def warnings(self) -> list[str]:
        """Return what went wrong with subscribers since this was asked last."""
        return self._subscribers.warnings()

    def finish(self) -> list[str]:
        """Hand on what is left; return what went wrong."""
        self._subscribers.close()
        return self.warnings()

    def close(self) -> None:
        """End each run that has no end; the stations are closed by now."""
        self._subscribers.close()
        if self._store.is_writable:
            with suppress(StoreError):  # what ails the store has been told, and the next session does it
                self._store.end_open_runs("the session ended before the run did")
