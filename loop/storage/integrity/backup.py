"""Whole copies of a store, made while a campaign goes on or not, and the way back from one."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from campaigns.errors import StoreError
from instruments.whole_file import sync_folder
from loop.storage.artefacts import RESTORED
from loop.storage.connections import connect_reading
from loop.storage.integrity.copies import Copy, copy_path
from loop.storage.integrity.damage import check_whole, damage_error
from loop.storage.integrity.lease import check_free

_BESIDE = ("", "-wal", "-shm")
"""Endings of the files that make up a store which was not closed."""


def back_up(store: Path, target: Path) -> None:
    """Copy a store as it is at one instant; who writes meanwhile goes on.

    Raises:
        StoreError: the target is there, or cannot be written, or the store is damaged.
    """
    if target.exists():
        raise StoreError(f"{target} is there already; allowed: a new file, as no backup is overwritten")
    part = _copied(store, target)
    part.replace(target)
    sync_folder(target.parent)


def restore_backup(backup: Path, store: Path) -> Path | None:
    """Put a copy of a backup in the place of a store; return where that is kept now, None where there was none.

    Raises:
        StoreInUseError: a process runs the campaign.
        StoreError: the backup is damaged, or the files cannot be written.
    """
    check_whole(backup)
    part = _copied(backup, store)
    _mark_restored(part)
    check_free(store)
    kept = copy_path(store, Copy.REPLACED)
    there = [ending for ending in _BESIDE if _beside(store, ending).exists()]
    for ending in reversed(there):  # the store itself last: killed in between, this is done again
        _beside(store, ending).rename(_beside(kept, ending))
    part.replace(store)
    sync_folder(store.parent)
    return kept if "" in there else None


def copy_to(source: sqlite3.Connection, target: Path) -> None:
    """Write what a connection sees into a new file, without a lease.

    Raises:
        sqlite3.Error: the source cannot be read, or the target not be written.
    """
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file holds all
        if copy.execute("SELECT 1 FROM sqlite_schema WHERE name = 'lease'").fetchone():
            copy.execute("DELETE FROM lease")
        copy.commit()


def _copied(source: Path, target: Path) -> Path:
    """Return a whole copy beside its later place; what an earlier attempt has left there is overwritten."""
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        with closing(connect_reading(source)) as connection:
            copy_to(connection, part)
        check_whole(part)
        with part.open("rb") as file:
            os.fsync(file.fileno())
    except sqlite3.DatabaseError as error:
        part.unlink(missing_ok=True)
        if error.sqlite_errorname.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise damage_error(source, str(error)) from error
        raise StoreError(
            f"{source} cannot be copied to {target}: {error}; look at the space and rights there"
        ) from error
    except OSError as error:
        raise StoreError(f"{source} cannot be copied to {target}: {error.strerror}") from error
    except StoreError:
        part.unlink(missing_ok=True)
        raise
    return part


def _mark_restored(copy: Path) -> None:
    """Say in a copy that it counts from now on, whatever other copies of its store have become."""
    with closing(sqlite3.connect(copy)) as connection:
        body = json.dumps({"wall": time.time()})
        connection.execute("INSERT OR REPLACE INTO artefact VALUES (?, ?, ?)", (RESTORED, "store", body))
        connection.commit()


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)
