"""What becomes of built pools: who uses them, and which of them go.

A pool is used as long as a process holds its file by a shared lock; such a pool is never removed. Embeddings are kept
by structure, in a file of their own, and stay when a pool goes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from surrogates.cache import cache_folder

FILE = "pool.sqlite"
_SOURCES = "sources"  # in a pool's folder: for each source it was made from, a file that says which
_VERSIONS = 5  # of one source: going back to what stood there before costs nothing
_MOST_BYTES = 10_000_000_000


@dataclass(frozen=True, slots=True)
class BuiltPool:
    """A pool on disk.

    Attributes:
        sources: file of the mark to what the pool was made from.
        used: seconds since the epoch, when it was last opened.
        size: bytes, with the arrays of its features.
    """

    folder: Path
    sources: dict[Path, str]
    used: float
    size: int


def pools_folder() -> Path:
    """Return the folder of built pools."""
    return cache_folder() / "pools"


def built_pools() -> list[BuiltPool]:
    """Return what has been built, longest not used first."""
    folders = [file.parent for file in pools_folder().glob(f"*/{FILE}") if file.parent.suffix != ".tmp"]
    pools = [pool for folder in folders if (pool := _look_at(folder)) is not None]
    return sorted(pools, key=lambda pool: pool.used)


def hold_open(file: Path) -> int:
    """Return a descriptor that keeps a pool from being removed until it is closed."""
    descriptor = os.open(file, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_SH)
    return descriptor


def note_use(folder: Path, source: str) -> None:
    """Remember that a pool is used, and what it was made from."""
    with suppress(OSError):  # a cache of somebody else may be read without a note
        os.utime(folder)
        mark = _mark(folder, source)
        mark.parent.mkdir(exist_ok=True)
        mark.write_text(source, encoding="utf-8")


def make_room(source: str) -> None:
    """Remove what has not been used longest: old versions of a source, and what is beyond the limit of the cache."""
    versions = [pool for pool in built_pools() if _mark(pool.folder, source) in pool.sources]
    for pool in versions[:-_VERSIONS]:
        _mark(pool.folder, source).unlink(missing_ok=True)
        if len(pool.sources) == 1:
            remove_pool(pool)
    pools = built_pools()
    excess = sum(pool.size for pool in pools) - _MOST_BYTES
    for pool in pools[:-1]:
        if excess > 0 and remove_pool(pool):
            excess -= pool.size


def unused_since(days: float) -> Sequence[BuiltPool]:
    """Return the pools that nobody has opened for so many days, longest not used first."""
    return [pool for pool in built_pools() if pool.used <= time.time() - 86_400 * days]


def remove_pool(pool: BuiltPool) -> bool:
    """Remove a pool unless it is used, or is somebody else's; return whether this removed it.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        descriptor = os.open(pool.folder / FILE, os.O_RDWR)
    except (FileNotFoundError, PermissionError):
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if pool.folder.stat().st_mtime != pool.used:
            return False  # found by somebody who is about to open it
        gone = pool.folder.with_name(f"{uuid.uuid4().hex}.tmp")
        pool.folder.rename(gone)
    except (BlockingIOError, FileNotFoundError, PermissionError):
        return False
    finally:
        os.close(descriptor)
    shutil.rmtree(gone)
    return True


def _look_at(folder: Path) -> BuiltPool | None:
    """Return what is known of a pool; None if it has just gone."""
    try:
        sources = {mark: mark.read_text(encoding="utf-8") for mark in sorted((folder / _SOURCES).glob("*"))}
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        return BuiltPool(folder, sources, folder.stat().st_mtime, size)
    except FileNotFoundError:
        return None


def _mark(folder: Path, source: str) -> Path:
    return folder / _SOURCES / hashlib.sha256(source.encode()).hexdigest()[:16]
