"""Copies of a store beside it: backups, what was replaced, and what was rescued from a store that was lost."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path


class Copy(StrEnum):
    """Why there is a copy; it stands in its name: ``cathode.backup-20260131-120000.db``."""

    BACKUP = "backup"
    RESCUED = "rescued"
    REPLACED = "replaced"


def copy_path(store: Path, kind: Copy, suffix: str = ".db") -> Path:
    """Return the path of a new copy beside a store, named by the time."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    found, number = store.with_name(f"{store.stem}.{kind}-{stamp}{suffix}"), 2
    while found.exists():
        found, number = store.with_name(f"{store.stem}.{kind}-{stamp}-{number}{suffix}"), number + 1
    return found


def copies(store: Path, *kinds: Copy) -> list[Path]:
    """Return the copies of a store beside it, oldest first, of some kinds or of all."""
    return sorted(
        (path for kind in kinds or Copy for path in store.parent.glob(f"{store.stem}.{kind}-*.db")),
        key=lambda path: path.stat().st_mtime,
    )
