"""How the file of a store is opened: to be read, where not even its folder may be written, or to be written."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

from loop.storage.integrity.write_waits import PATIENCE


def is_empty(path: Path) -> bool:
    """Return whether a store is missing or holds nothing at all; SQLite would drop the log of such a file."""
    return not path.exists() or path.stat().st_size == 0


def connect_writing(path: Path) -> sqlite3.Connection:
    """Open a store to be written; it is never made by that.

    Raises:
        sqlite3.Error: it is not there, or no database.
    """
    return _connect(path, "mode=rw", "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")


def connect_reading(path: Path) -> sqlite3.Connection:
    """Open a store to be read, also on a read-only file system, or a full one.

    SQLite reads a log of changes (``-wal``) with the help of an index (``-shm``). Where neither is there, and the
    folder can be written, they are made and removed again; where it cannot, nobody writes, and the file alone is read.
    A log whose index is missing there is read from a copy (https://sqlite.org/wal.html#read_only_databases). It is the
    same where the folder can be written, but its disk has no room for an index.

    Raises:
        sqlite3.Error: it is not there, or no database.
    """
    log, index = (path.resolve().with_name(path.resolve().name + end) for end in ("-wal", "-shm"))
    if _may_write(path) and _may_write(log.parent):
        connection = _connect(path, "mode=ro" if log.exists() else "mode=rw", "query_only=ON")
        if _has_room(connection):
            return connection
        connection.close()
    if not log.exists() or log.stat().st_size == 0:
        return _connect(path, "immutable=1")
    return _connect(path, "mode=ro") if index.exists() else _copied(path, log)


def _has_room(connection: sqlite3.Connection) -> bool:
    """Return whether the disk has room for what SQLite needs to read; all other errors come again with what is read."""
    try:
        connection.execute("PRAGMA schema_version").fetchone()
    except sqlite3.DatabaseError as error:
        return not error.sqlite_errorname.startswith(("SQLITE_IOERR", "SQLITE_FULL"))
    return True


def _may_write(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _copied(path: Path, log: Path) -> sqlite3.Connection:
    """Return a connection to a copy of a store with its log, in memory."""
    connection = sqlite3.connect(":memory:", check_same_thread=False)
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, "store.db")
        shutil.copyfile(path, copy)
        shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
        source = _connect(copy, "mode=rw")
        source.backup(connection)
        source.close()
    return connection


def _connect(path: Path, how: str, *pragmas: str) -> sqlite3.Connection:
    # SQLAlchemy's pool gives a connection to one thread at a time.
    url = f"{path.absolute().as_uri()}?{how}"
    connection = sqlite3.connect(url, uri=True, timeout=PATIENCE, check_same_thread=False)
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
