"""What is left of a store whose file was deleted, emptied or replaced while a process ran its campaign."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from campaigns.errors import StoreError
from loop.core.records import TrialRecord
from loop.core.serialization import plain
from loop.storage.integrity.backup import copy_to
from loop.storage.integrity.copies import Copy, copy_path
from loop.storage.integrity.damage import check_whole
from loop.storage.integrity.lease import inode


def identity(store: Path) -> tuple[str, ...]:
    """Return which files a store and its log are; empty where a file is missing, or the store holds nothing."""
    place = store.resolve()
    log = place.with_name(place.name + "-wal")
    try:
        return () if place.stat().st_size == 0 else (inode(place), inode(log) if log.exists() else "")
    except OSError:
        return ()


def rescue(store: Path, connection: sqlite3.Connection, trials: Iterable[TrialRecord]) -> str:
    """Write beside a lost store what is left of it; return what happened and what to do.

    Args:
        store: where it was.
        connection: open since before it was lost: the system keeps a deleted file for it.
        trials: as they were last read, which are written where the file itself was emptied.
    """
    lost = f"{store} was deleted, emptied or replaced while this process ran its campaign, and nothing was begun since"
    store.parent.mkdir(parents=True, exist_ok=True)
    copy = copy_path(store, Copy.RESCUED)
    try:
        copy_to(connection, copy)
        check_whole(copy)
    except (sqlite3.Error, StoreError):
        copy.unlink(missing_ok=True)
        text = copy_path(store, Copy.RESCUED, ".json")
        text.write_text(json.dumps(plain(list(trials)), indent=2, allow_nan=False), encoding="utf-8")
        return f"{lost}; its trials are in {text}, and 'athanor restore BACKUP' brings back a copy of before"
    return f"{lost}; all that it held is in {copy}: 'athanor restore {copy}' brings it back"
