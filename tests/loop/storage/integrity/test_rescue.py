"""A store that is lost in the midst of a run is noticed before the next dispatch, and what it held is not lost."""

import json
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.errors import StoreError
from campaigns.values import Candidate
from loop.core.proposals import Proposal
from loop.storage.reader import Reader
from loop.storage.store import Store
from tests.stores import fill


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return fill(tmp_path).with_suffix(".db")


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{file}")
    store.propose(4, Candidate({"temperature": 700.0}), Proposal("model"), 0.0)
    store.trials()
    yield store
    store.close("")


def delete(file: Path) -> None:
    for path in file.parent.glob("small.db*"):
        path.unlink()


def replace(file: Path) -> None:
    other = file.with_name("other.db")
    other.write_bytes(file.read_bytes())
    other.rename(file)


def remove_the_log(file: Path) -> None:
    file.with_name("small.db-wal").unlink()


def move_away(file: Path) -> None:
    file.rename(file.with_name("elsewhere.db"))


@pytest.mark.parametrize("lose", [delete, replace, remove_the_log, move_away], ids=lambda f: f.__name__)
def test_a_lost_store_ends_the_run_and_what_it_held_lies_beside_it(
    store: Store, file: Path, lose: Callable[[Path], None]
) -> None:
    expected = store.trials()
    lose(file)
    words = r"small.db was deleted, emptied or replaced.*all that it held is in .*rescued.*'athanor restore "
    for _ in range(2):
        with pytest.raises(StoreError, match=words):
            store.propose(5, Candidate({"temperature": 701.0}), Proposal("model"), 0.0)
    (copy,) = file.parent.glob("small.rescued-*.db")
    assert Reader(f"sqlite:///{copy}").trials() == expected


def test_of_an_emptied_store_the_trials_are_written(store: Store, file: Path) -> None:
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with file.open("r+b") as emptied:
        emptied.truncate(0)
    with pytest.raises(StoreError, match=r"its trials are in .*small.rescued-.*json"):
        store.keep("kind", "name", {})
    (text,) = file.parent.glob("small.rescued-*.json")
    assert [trial["number"] for trial in json.loads(text.read_text())] == [0, 1, 2, 3, 4]


def test_a_full_disk_ends_with_what_to_do_and_the_store_stays_whole(store: Store, file: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (file.with_name("small.db-wal").stat().st_size + 8192, before[1]))
    try:
        with pytest.raises(StoreError, match=r"cannot be written: .*make room on its disk"):
            store.keep("kind", "name", {"counts": list(range(20_000))})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert store.artefacts("kind") == {}
    store.keep("kind", "name", {})
    assert store.artefacts("kind") == {"name": {}}


def test_a_long_lock_of_another_process_ends_with_what_to_do(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.storage.connections.PATIENCE", 0.1)
    store = Store(f"sqlite:///{file}")
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is locked by another process"):
            store.keep("kind", "name", {})
        other.rollback()
    store.keep("kind", "name", {})
    store.close("")
