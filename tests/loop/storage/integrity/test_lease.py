"""Two controllers never run one store, by whatever name they open it."""

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.errors import StoreError, StoreInUseError
from campaigns.values import Candidate
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.storage.integrity.lease import new_lease
from loop.storage.journal_writer import Journal
from loop.storage.store import Store

CAMPAIGN = CampaignRecord("test", "name: test", 3, "f1", 100.0)
FORKS = multiprocessing.get_context("forkserver")


def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest.fixture
def store(file: Path) -> Iterator[Store]:
    store = Store(url(file))
    store.begin(CAMPAIGN, {})
    yield store
    store.close("")


def change(file: Path, **values: object) -> None:
    """Have another process's lease stand in a store."""
    with closing(sqlite3.connect(file)) as connection, connection:
        for name, value in values.items():
            connection.execute(f"UPDATE lease SET {name} = ?", (value,))


def hold(file: Path, ready: "multiprocessing.synchronize.Event") -> None:
    Store(url(file)).begin(CAMPAIGN, {})
    ready.set()
    signal.pause()


def test_through_a_symbolic_link_no_second_controller_runs(store: Store, file: Path, tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(file)
    with pytest.raises(StoreInUseError, match=f"another process runs.*process {os.getpid()} of "):
        Store(url(tmp_path / "link.db"))


def test_no_file_beside_the_store_can_be_removed_to_let_a_second_controller_run(store: Store, file: Path) -> None:
    assert {other.name for other in file.parent.iterdir()} == {"store.db", "store.db-shm", "store.db-wal"}
    with pytest.raises(StoreInUseError):
        Store(url(file))


def test_a_copy_of_a_leased_store_is_free(store: Store, file: Path, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(file.read_bytes())
    Store(url(tmp_path / "copy.db")).close("")


@pytest.fixture
def process(file: Path) -> Iterator[int]:
    """A process that runs the campaign of the store, by its number."""
    ready = FORKS.Event()
    process = FORKS.Process(target=hold, args=(file, ready))
    process.start()
    assert ready.wait(60)
    assert process.pid is not None
    yield process.pid
    process.kill()
    process.join()


@pytest.mark.slow
def test_a_killed_process_holds_nothing_and_a_stopped_one_does(file: Path, process: int) -> None:
    os.kill(process, signal.SIGSTOP)
    with pytest.raises(StoreInUseError, match=f"process {process} of "):
        Store(url(file))
    os.kill(process, signal.SIGKILL)
    with suppress(ChildProcessError):  # it may be the fork server's
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
    deadline = time.monotonic() + 20.0
    while Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    Store(url(file)).close("")


@pytest.mark.slow
def test_through_a_hard_link_no_second_controller_runs(file: Path, process: int, tmp_path: Path) -> None:
    (tmp_path / "second.db").hardlink_to(file)
    with pytest.raises(StoreInUseError, match=f"process {process} of "):
        Store(url(tmp_path / "second.db"))


def test_a_lease_of_another_machine_holds_until_it_is_over(store: Store, file: Path) -> None:
    store.close("")
    store = Store(url(file))
    change(file, machine="another", host="beamline", until=time.time() + 60.0)
    with pytest.raises(StoreInUseError, match=r"on beamline, since .*if that machine is dead, the store is free at"):
        Store(url(file))
    change(file, until=time.time() - 1.0)
    after = Store(url(file))
    with pytest.raises(StoreError, match=r"the store was taken over by process .* sent no heartbeat"):
        store.propose(0, Candidate({"x": 1.0}), Proposal("model"), 0.0)
    assert after.count() == 0
    after.close("")


def test_a_process_that_was_born_at_another_time_is_another_one(file: Path) -> None:
    file.touch()
    own = new_lease(file)
    assert own.keeps_out(file)
    if own.born:
        assert not replace(own, born="1").keeps_out(file)


def test_a_lease_is_renewed_while_nothing_happens(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loop.storage.integrity.leased_store.BEAT", 0.01)
    store = Store(url(file))
    with closing(sqlite3.connect(file, timeout=10)) as connection:
        query = "SELECT until FROM lease"
        (first,) = connection.execute(query).fetchone()
        deadline = time.monotonic() + 20.0
        while connection.execute(query).fetchone() == (first,) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert connection.execute(query).fetchone()[0] > first
    store.close("")


def test_operators_write_into_the_journal_of_a_leased_store(store: Store, file: Path) -> None:
    Journal(url(file)).keep("kind", "name", {})
    assert store.artefacts("kind") == {"name": {}}


def test_a_closed_store_has_no_lease_and_no_lock_file_beside_it(store: Store, file: Path) -> None:
    store.close("done")
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM lease").fetchone() == (0,)
    assert [other.name for other in file.parent.iterdir()] == ["store.db"]
