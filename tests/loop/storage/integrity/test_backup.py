import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.errors import StoreError, StoreInUseError
from campaigns.values import Candidate
from loop.core.proposals import Proposal
from loop.storage.integrity.backup import back_up, restore_backup
from loop.storage.integrity.damage import check_whole
from loop.storage.reader import Reader
from loop.storage.store import Store
from tests.stores import fill


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return fill(tmp_path).with_suffix(".db")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_backup_while_a_run_goes_on_is_whole_one_file_and_free(file: Path, tmp_path: Path) -> None:
    store = Store(url(file))
    store.propose(4, Candidate({"temperature": 700.0}), Proposal("model"), 0.0)
    back_up(file, tmp_path / "copy.db")
    store.propose(5, Candidate({"temperature": 701.0}), Proposal("model"), 0.0)
    assert store.count() == 6
    check_whole(tmp_path / "copy.db")
    assert Reader(url(tmp_path / "copy.db")).trials() == store.trials()[:5]
    assert names(tmp_path) == {"small.yaml", "small.db", "small.db-wal", "small.db-shm", "copy.db"}
    store.close("")
    Store(url(tmp_path / "copy.db")).close("")


def test_a_backup_overwrites_nothing_and_leaves_nothing_of_a_failure(file: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"small.yaml is there already; allowed: a new file"):
        back_up(file, tmp_path / "small.yaml")
    with pytest.raises(StoreError, match="cannot be copied to"):
        back_up(file, tmp_path / "none" / "copy.db")
    file.write_bytes(b"no database, only text " * 1000)
    with pytest.raises(StoreError, match="is damaged"):
        back_up(file, tmp_path / "copy.db")
    assert names(tmp_path) == {"small.yaml", "small.db"}


def test_what_is_replaced_is_kept_with_what_a_killed_process_has_left(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db")
    with closing(sqlite3.connect(file)) as killed:
        killed.execute("UPDATE trial SET reason = 'later' WHERE number = 0")
        killed.commit()
        kept = restore_backup(tmp_path / "copy.db", file)
        assert kept is not None
        assert {kept.name, kept.name + "-wal"} <= names(tmp_path)
        assert Reader(url(kept)).trial(0).reason == "later"
    assert Reader(url(file)).trial(0).reason == ""
    assert "copy.db" in names(tmp_path)


def test_a_missing_store_is_restored(file: Path, tmp_path: Path) -> None:
    back_up(file, tmp_path / "copy.db")
    before = Reader(url(file)).trials()
    file.unlink()
    assert restore_backup(tmp_path / "copy.db", file) is None
    assert Reader(url(file)).trials() == before


def test_nothing_is_restored_while_a_process_runs_the_campaign_nor_from_a_damaged_backup(
    file: Path, tmp_path: Path
) -> None:
    back_up(file, tmp_path / "copy.db")
    store = Store(url(file))
    with pytest.raises(StoreInUseError):
        restore_backup(tmp_path / "copy.db", file)
    assert store.count() == 4
    store.close("")
    (tmp_path / "copy.db").write_bytes(b"text " * 2000)
    with pytest.raises(StoreError, match=r"copy.db is damaged"):
        restore_backup(tmp_path / "copy.db", file)
    assert Reader(url(file)).count() == 4
