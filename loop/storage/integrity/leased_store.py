"""A store that one process has leased: while it lives, no other one runs the campaign."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path

from sqlalchemy.exc import DatabaseError
from sqlmodel import Session

from campaigns.errors import StoreError, StoreInUseError
from loop.core.records import TrialRecord
from loop.storage.connections import connect_writing, is_empty
from loop.storage.integrity.damage import check_whole
from loop.storage.integrity.lease import BEAT, Lease, check_free, end, in_use, new_lease
from loop.storage.integrity.rescue import identity, rescue
from loop.storage.integrity.witnesses import check_not_lost
from loop.storage.journal_writer import Journal
from loop.storage.reader import store_path
from loop.storage.tables import LeaseRow


class LeasedStore(Journal):
    """The store of a campaign that this process runs.

    Every transaction first makes sure that the lease is still this process's, which may have been suspended or cut off
    for longer than the lease holds.
    """

    def __init__(self, url: str) -> None:
        """Open or create the store and lease it for this process.

        Raises:
            StoreError: the URL is not sqlite, it cannot be written, or another process runs this campaign.
        """
        path = store_path(url)
        if not is_empty(path):
            check_free(path)
            check_whole(path)
        check_not_lost(path)
        _touch(path)
        super().__init__(url)
        self._lease: Lease | None = None
        self._failure: StoreError | None = None
        self._ended = threading.Event()
        try:
            self._lease = self._take_lease()
        except StoreInUseError:
            self._engine.dispose()
            raise
        self._seen: dict[int, TrialRecord] = {}
        self._finding = threading.Lock()
        self._kept = connect_writing(self.path)
        self._kept.execute("SELECT count(*) FROM lease").fetchone()  # opens the log, too
        self._identity = identity(self.path)
        self._beats = threading.Thread(target=self._renew_lease, name="lease", daemon=True)
        self._beats.start()

    @property
    def is_writable(self) -> bool:
        """Whether the store is open, and nothing has failed that ends this session."""
        return self._lease is not None and self._failure is None

    def release_lease(self) -> None:
        """Let others run the campaign, and close the store."""
        self._ended.set()
        self._beats.join()
        if self.is_writable:
            with self._transaction() as session:
                session.delete(session.get_one(LeaseRow, 1))
        self._lease = None
        self._kept.close()
        self._engine.dispose()

    def trials(self) -> list[TrialRecord]:
        """Return every trial, in the order of their numbers."""
        found = super().trials()
        self._seen = {trial.number: trial for trial in found}
        return found

    def trial(self, number: int) -> TrialRecord:
        """Return one trial; see ``Reader``."""
        found = super().trial(number)
        self._seen[number] = found
        return found

    def _notice_loss(self) -> None:
        """Notice that the store's file is another one than at the start, and write what is left of it beside it."""
        with self._finding:
            if self._failure is None and identity(self.path) != self._identity:
                self._failure = StoreError(rescue(self.path, self._kept, self._seen.values()))

    def _check(self) -> None:
        """Allow a store without a campaign: that is recorded when the first session begins."""

    def _take_lease(self) -> Lease:
        lease = new_lease(self.path)
        with self._transaction() as session:
            row = session.get(LeaseRow, 1)
            if row is not None and (other := Lease(**row.model_dump(exclude={"id"}))).keeps_out(self.path):
                raise in_use(self.path, other)
            session.merge(LeaseRow(id=1, **asdict(lease)))
        with self._engine.connect() as connection:  # what opens the file by another hard link has another log
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return lease

    def _renew_lease(self) -> None:
        """Renew the lease until the store is closed; what speaks against it is told to who writes next."""
        while not self._ended.wait(BEAT):
            with suppress(StoreError, DatabaseError), self._transaction() as session:
                session.get_one(LeaseRow, 1).until = end()

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        """Write in one transaction, which waits for those of other processes.

        Raises:
            StoreError: the store is lost, or another process has taken it over; from then on, every write raises this.
        """
        if self._lease is not None:
            self._notice_loss()
        if self._failure is not None:
            raise self._failure
        with super()._transaction() as session:
            if self._lease is not None:
                row = session.get(LeaseRow, 1)
                if row is None or row.holder != self._lease.holder:
                    self._failure = StoreError(_taken_over(row, self._lease))
                    raise self._failure
            yield session


def _touch(path: Path) -> None:
    """Make an empty store unless there is one, as far as its disk allows to write at all.

    Raises:
        StoreError: it does not.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        advice = "look at its rights, at those of its folder, and whether its disk may be written"
        raise StoreError(f"{path} cannot be opened or written: {error.strerror}; {advice}") from error


def _taken_over(row: LeaseRow | None, lease: Lease) -> str:
    by = "" if row is None else f" by process {row.pid} of {row.user} on {row.host}"
    return (
        f"the store was taken over{by}, as this process (on {lease.host}) sent no heartbeat for a while; "
        "this process ends, and what it had begun is gone on with there"
    )
