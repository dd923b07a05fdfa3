from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from loop.cli.app import app
from loop.storage.reader import Reader
from loop.storage.store import Store
from tests.stores import fill


def athanor(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return fill(tmp_path)


def backups(small: Path) -> list[Path]:
    return list(small.parent.glob("small.backup-*.db"))


def test_a_backup_lies_beside_the_store_and_says_what_it_holds(small: Path) -> None:
    result = athanor("backup")
    assert result.exit_code == 0, result.output
    (copy,) = backups(small)
    text = " ".join(result.output.split())
    assert f"{copy} written: campaign small, 4 trials, 2 of them under way, last activity 20" in text
    assert f"'athanor restore {copy}' brings it back" in text
    assert len(Reader(f"sqlite:///{copy}").trials()) == 4


def test_a_backup_goes_where_it_is_told_to(small: Path, tmp_path: Path) -> None:
    (tmp_path / "drive").mkdir()
    assert athanor("backup", small, "--to", "drive").exit_code == 0
    (copy,) = (tmp_path / "drive").iterdir()
    assert copy.name.startswith("small.backup-")
    assert athanor("backup", small, "--to", "drive/mine.db").exit_code == 0
    again = athanor("backup", small, "--to", "drive/mine.db")
    assert again.exit_code == 5
    assert "is there already; allowed: a new file" in again.output
    assert backups(small) == []


def test_a_lost_store_comes_back_from_the_copy_beside_it(small: Path) -> None:
    athanor("backup")
    (copy,) = backups(small)
    small.with_suffix(".db").unlink()
    result = athanor("restore", copy.name)
    assert result.exit_code == 0, result.output
    assert "is that of small.backup" in result.output
    assert athanor("status").exit_code == 0


def test_what_was_there_is_kept_and_named(small: Path) -> None:
    athanor("backup", "--to", "mine.db")
    nameless = athanor("restore", "mine.db")
    assert nameless.exit_code == 5
    assert "name its file: athanor restore mine.db FILE" in nameless.output
    result = athanor("restore", "mine.db", small)
    assert result.exit_code == 0, result.output
    (kept,) = small.parent.glob("small.replaced-*.db")
    assert f"what was there is kept as {kept.name}" in result.output.replace(f"{small.parent}/", "")


def test_restore_is_refused_while_a_process_runs_the_campaign_or_without_a_backup(small: Path) -> None:
    athanor("backup", "--to", "mine.db")
    store = Store(f"sqlite:///{small.with_suffix('.db')}")
    result = athanor("restore", "mine.db", small)
    assert result.exit_code == 5
    assert "another process runs the campaign of" in result.output
    store.close("")
    missing = athanor("restore", "none.db", small)
    assert missing.exit_code == 5
    assert "no backup at none.db; 'athanor backup' writes one" in missing.output
