"""Writing to the journal of a store, whether a run goes on meanwhile or not."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from sqlmodel import Session, SQLModel, col, delete

from campaigns.amendments import Change
from campaigns.errors import StoreError
from loop.core.journal import Amendment
from loop.core.records import TrialResult
from loop.storage.integrity.write_waits import Tell, told_of_lock, wait_for_room
from loop.storage.reader import Reader
from loop.storage.stored_rows import rescore
from loop.storage.tables import AmendmentRow, ArtefactRow, OutlierRow, amendment


class Journal(Reader):
    """The store of a campaign to whose journal an operator writes, whether a run goes on meanwhile or not.

    Attributes:
        on_wait: told what a write waits for, from any thread; by default it is printed, as commands have it.
    """

    _writable = True

    def __init__(self, url: str) -> None:
        """Open the store at ``url``; see ``Reader``."""
        super().__init__(url)
        self.on_wait: Tell = partial(print, file=sys.stderr)
        self._write = threading.Lock()
        self._had_room = True
        SQLModel.metadata.create_all(self._engine)  # a store of an earlier version has no journal

    def amend(
        self,
        changes: Sequence[Change],
        by: tuple[str, str],
        results: Mapping[int, TrialResult],
        first: int | None = None,
    ) -> list[Amendment]:
        """Append changes, with their author and the reason, and score the trials by the campaign as it is then.

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
            rescore(session, results)
            session.flush()
            return [amendment(row) for row in rows]

    def keep(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        """Keep something that the report shows, in the place of what had that kind and name."""
        with self._transaction() as session:
            session.merge(ArtefactRow(kind=kind, name=name, body=dict(body)))

    def drop(self, kind: str, name: str | None = None) -> None:
        """Keep something of a kind no longer, or all of it."""
        with self._transaction() as session:
            query = delete(ArtefactRow).where(col(ArtefactRow.kind) == kind)
            session.execute(query if name is None else query.where(col(ArtefactRow.name) == name))

    def set_outliers(self, reasons: Mapping[int, str]) -> None:
        """Record which trials are suspected outliers, each with the reason, in the place of those that were before."""
        with self._transaction() as session:
            session.execute(delete(OutlierRow))
            session.add_all(OutlierRow(trial=number, reason=reason) for number, reason in reasons.items())

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """Write in one transaction, which waits for room on the disk, and for those of other processes.

        Raises:
            StoreError: it has waited for too long.
        """
        try:
            wait_for_room(self.path, self.on_wait, patient=self._had_room)
        except StoreError:
            self._had_room = False  # so that what ends a session does not wait again and again
            raise
        self._had_room = True
        with self._write, Session(self._engine) as session, session.begin():
            with told_of_lock(self.path, self.on_wait):
                session.connection().exec_driver_sql("BEGIN IMMEDIATE")
            yield session
