"""Who only looks needs no right to write: neither to the file nor to its folder."""

import gc
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from campaigns.errors import StoreError
from loop.cli.app import app
from loop.storage.connections import connect_reading, connect_writing
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from loop.storage.store import Store
from tests.stores import fill

COUNT = "SELECT count(*) FROM trial"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return fill(tmp_path).with_suffix(".db")


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing be writable, as on a read-only file system: root may write whatever the rights say."""
    monkeypatch.setattr("loop.storage.connections._may_write", lambda _: False)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_reading_leaves_the_folder_as_it_was(file: Path) -> None:
    before, content = names(file.parent), file.read_bytes()
    assert len(Reader(f"sqlite:///{file}").trials()) == 4
    assert names(file.parent) == before
    assert file.read_bytes() == content


def test_what_reads_cannot_write(file: Path) -> None:
    with closing(connect_reading(file)) as connection, pytest.raises(sqlite3.OperationalError, match="readonly"):
        connection.execute("DELETE FROM trial")


def test_what_is_written_meanwhile_is_read(file: Path) -> None:
    reader = Reader(f"sqlite:///{file}")
    store = Store(f"sqlite:///{file}")
    store.keep("kind", "name", {"x": 1})
    assert reader.artefacts("kind") == {"name": {"x": 1}}
    store.close("")
    assert reader.artefacts("kind") == {"name": {"x": 1}}
    assert names(file.parent) == {"small.yaml", "small.db"}


@pytest.mark.parametrize("left", [(), ("-wal",), ("-wal", "-shm")], ids=["closed", "log", "log and index"])
def test_a_read_only_folder_is_read_with_what_a_killed_process_has_left(
    file: Path, tmp_path: Path, guarded: None, left: tuple[str, ...]
) -> None:
    place = tmp_path / "disc"
    place.mkdir()
    with closing(connect_writing(file)) as writer, writer:
        if left:
            writer.execute("DELETE FROM outlier")
            writer.execute("DELETE FROM transition WHERE id = 1")
            writer.commit()
        for end in ("", *left):
            shutil.copyfile(file.with_name(file.name + end), place / (file.name + end))
    before = names(place)
    with closing(connect_reading(place / file.name)) as connection:
        assert connection.execute(COUNT).fetchone() == (4,)
        (first,) = connection.execute("SELECT min(id) FROM transition").fetchone()
    assert first == (2 if left else 1)
    assert names(place) == before


def open_files(folder: Path) -> set[str]:
    """Return the names of the files in a folder that this process has open."""
    found = (path.resolve() for path in Path("/proc/self/fd").iterdir())
    return {path.name for path in found if path.parent == folder.resolve()}


@pytest.fixture
def no_collector() -> Iterator[None]:
    """Have no garbage collector close what was forgotten."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell which files are open")
@pytest.mark.parametrize("kind", [Reader, Journal])
def test_a_store_that_nobody_holds_any_more_is_closed_at_once(
    file: Path, no_collector: None, kind: type[Reader]
) -> None:
    reader = kind(f"sqlite:///{file}")
    assert len(reader.trials()) == 4
    assert open_files(file.parent) == (set() if kind is Reader else {"small.db", "small.db-shm", "small.db-wal"})
    del reader
    assert open_files(file.parent) == set()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="the system does not tell which files are open")
def test_what_is_no_store_is_closed_at_once(file: Path, no_collector: None) -> None:
    file.write_text("this is no database, only text " * 100)
    for kind in (Reader, Journal):
        with pytest.raises(StoreError, match="no store of a campaign"):
            kind(f"sqlite:///{file}")
    with pytest.raises(sqlite3.DatabaseError) as caught:
        connect_writing(file)
    assert open_files(file.parent) == set()
    assert caught.value.sqlite_errorname == "SQLITE_NOTADB"


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Be somebody who may read a folder and write nothing there."""
    for path in (*folder.iterdir(), folder):
        path.chmod(0o444 if path.is_file() else 0o555)
    if os.getuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(os.getuid())
        folder.chmod(0o755)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words", [["status"], ["trials", "--json"], ["show", "1"], ["ranking"], ["report", "--out"]], ids=lambda w: w[0]
)
def test_the_commands_that_look_serve_who_may_not_write(file: Path, words: list[str]) -> None:
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as own:
        Path(own).chmod(0o777)
        shutil.copy(file, place)
        words = [*words, f"{own}/page.html"] if words[0] == "report" else words
        command = [*words, "--store", f"sqlite:///{place}/{file.name}"]
        assert CliRunner().invoke(app, command).exit_code == 0  # so that all is loaded
        Path(own, "page.html").unlink(missing_ok=True)
        with without_rights(Path(place)):
            result = CliRunner().invoke(app, command)
        assert result.exit_code == 0, result.output
        assert result.output
        assert names(Path(place)) == {file.name}
