"""A write waits for room on the disk and for other processes, says so, and ends in words."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from campaigns.errors import StoreError
from loop.core.campaign_records import CampaignRecord
from loop.storage.integrity import write_waits
from loop.storage.integrity.damage import check_whole
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from loop.storage.store import Store

CAMPAIGN = CampaignRecord("test", "name: test", 3, "f1", 100.0)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was told, at once instead of after a while."""
    monkeypatch.setattr(write_waits, "_QUIET", 0.0)
    return []


@pytest.fixture
def open_store(told: list[str]) -> Iterator[Callable[[Path], Store]]:
    stores: list[Store] = []

    def opened(folder: Path) -> Store:
        stores.append(Store(f"sqlite:///{folder / 'store.db'}"))
        stores[-1].on_wait = told.append
        stores[-1].begin(CAMPAIGN, {})
        told.clear()
        return stores[-1]

    yield opened
    for store in stores:
        store.close("")


def test_another_process_that_writes_is_waited_for_and_named(
    open_store: Callable[[Path], Store], told: list[str], tmp_path: Path
) -> None:
    store = open_store(tmp_path)
    with closing(sqlite3.connect(store.path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        ended = _once(told, lambda: other.execute("ROLLBACK"))
        store.keep("picture", "one", {"seen": True})
        ended.join()
    assert f"{store.path} waits for another process that writes to it" in told[0]
    assert store.artefacts("picture", "one") == {"one": {"seen": True}}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 12 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_full_disk_is_waited_for_until_there_is_room(
    small_disk: Path, open_store: Callable[[Path], Store], told: list[str]
) -> None:
    store = open_store(small_disk)
    other = small_disk / "other"
    other.write_bytes(bytes(6 * 2**20))
    cleared = _once(told, other.unlink)
    store.keep("picture", "one", {"seen": True})
    cleared.join()
    assert "waits for room: its disk has" in told[0]
    assert "MiB left; allowed: 8 MiB or more" in told[0]
    assert store.artefacts("picture", "one") == {"one": {"seen": True}}


def test_a_disk_that_stays_full_ends_in_words_and_loses_nothing(
    small_disk: Path, open_store: Callable[[Path], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store(small_disk)
    store.keep("picture", "one", {"seen": True})
    monkeypatch.setattr(write_waits, "PATIENCE", 0.1)
    other = small_disk / "other"
    other.write_bytes(bytes(6 * 2**20))
    with pytest.raises(StoreError, match=r"cannot be written: its disk has .* make room, then 'athanor run' goes on"):
        store.keep("picture", "two", {"seen": True})
    monkeypatch.undo()  # the next write does not wait once more
    began = time.monotonic()
    with pytest.raises(StoreError, match="cannot be written"):
        store.keep("picture", "two", {"seen": True})
    assert time.monotonic() - began < write_waits.PATIENCE / 2
    other.unlink()
    assert set(store.artefacts("picture")) == {"one"}
    store.keep("picture", "two", {"seen": True})


def test_what_reads_needs_no_room_and_a_full_disk_is_no_damage(
    small_disk: Path, open_store: Callable[[Path], Store]
) -> None:
    store = open_store(small_disk)
    store.keep("picture", "one", {"seen": True})
    path = store.path
    store.close("")
    with (small_disk / "other").open("wb", buffering=0) as other, suppress(OSError):
        while other.write(bytes(4096)):
            pass
    assert set(Reader(f"sqlite:///{path}").artefacts("picture")) == {"one"}
    check_whole(path)
    with pytest.raises(StoreError, match=r"cannot be written: .*; make room on its disk"):
        Journal(f"sqlite:///{path}").keep("picture", "two", {})


def _once(told: list[str], action: Callable[[], object]) -> threading.Thread:
    """Do something, in a thread, once something was told."""

    def wait() -> None:
        pause = threading.Event()
        while not told:
            pause.wait(0.01)
        action()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread
