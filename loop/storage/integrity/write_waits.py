"""What a write to the store waits for: room on its disk, and other processes that write."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

from campaigns.errors import StoreError

Tell = Callable[[str], None]
PATIENCE = 60.0
"""Wall time in seconds for which either is waited for. Not tuned: below the two minutes after which a station gives up
a job that waits for its documents to be kept."""
_QUIET = 3.0
"""Wall time in seconds before a wait is told of. Not tuned: a backup and a report take less."""
_ROOM = 8 * 2**20
"""Bytes that the disk has to have free. Not tuned: twice what the log of changes grows to before it is written back
(https://sqlite.org/wal.html, 1000 pages of 4 KiB)."""
_POLL = 0.2


def wait_for_room(path: Path, tell: Tell, *, patient: bool = True) -> None:
    """Wait until the disk of a store has room, so that no transaction breaks off in the middle; if not patient, look.

    Raises:
        StoreError: it still has none after a while.
    """
    begun, told = time.monotonic(), False
    while (left := shutil.disk_usage(path.parent).free) < _ROOM:
        waited = time.monotonic() - begun
        text = f"its disk has {left / 2**20:.1f} MiB left; allowed: {_ROOM / 2**20:.0f} MiB or more"
        if waited > PATIENCE or not patient:
            raise StoreError(f"{path} cannot be written: {text}; make room, then 'athanor run' goes on")
        if waited > _QUIET and not told:
            told = True
            tell(f"{path} waits for room: {text}; make room within {PATIENCE:.0f} s, else this run ends")
        time.sleep(_POLL)


@contextmanager
def told_of_lock(path: Path, tell: Tell) -> Iterator[None]:
    """Tell of a wait for another process' transaction, once it takes a while; from a thread, as this one waits."""
    text = (
        f"{path} waits for another process that writes to it; end that one within {PATIENCE:.0f} s, else this run ends"
    )
    timer = Timer(_QUIET, tell, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
