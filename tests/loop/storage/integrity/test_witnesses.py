"""A store that lost its trials never begins anew while anything else knows of them."""

import json
from pathlib import Path

import pytest

from campaigns.errors import StoreError
from loop.storage.integrity.backup import back_up
from loop.storage.integrity.witnesses import beyond_text
from loop.storage.store import Store
from tests.stores import fill

JOB = {"instrument": "furnace", "sample": "2", "step": "make", "attempt": 1}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return fill(tmp_path).with_suffix(".db")


def remember(file: Path, *tokens: str) -> None:
    """Have the instruments beside a store know jobs."""
    file.with_suffix(".lab").mkdir()
    lines = "".join(json.dumps(JOB | {"token": token}) + "\n" for token in tokens)
    (file.with_suffix(".lab") / "instruments.jsonl").write_text(lines + '{"torn')


def lose(file: Path, how: str) -> None:
    if how == "missing":
        file.unlink()
    else:
        file.write_bytes(b"")


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize("witness", ["ledger", "tokens", "backup", "log"])
def test_a_lost_store_is_refused_with_what_to_do(file: Path, how: str, witness: str) -> None:
    says = ".lab knows 2 jobs of 1 trials"
    match witness:
        case "ledger":
            remember(file, "a", "b")
        case "tokens":
            file.with_suffix(".lab").mkdir()
            (file.with_suffix(".lab") / "stage.json").write_text("{}")
            says = "holds what instruments remember"
        case "backup":
            back_up(file, file.with_name("small.backup-20260131-120000.db"))
            says = r"small.backup-20260131-120000.db holds 4 trials"
        case _:
            file.with_name("small.db-wal").write_bytes(b"changes")
            says = "small.db-wal holds changes to it"
    lose(file, how)
    state = "is missing" if how == "missing" else "holds nothing"
    with pytest.raises(StoreError, match=rf"small.db {state}, but its campaign was run: .*{says}.*would repeat"):
        Store(f"sqlite:///{file}")
    assert file.exists() == (how == "empty")
    assert witness != "log" or file.with_name("small.db-wal").exists()


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_new_store_is_begun_where_nothing_speaks_of_a_campaign(file: Path, how: str) -> None:
    lose(file, how)
    file.with_suffix(".lab").mkdir()
    (file.with_suffix(".lab") / "instruments.jsonl").touch()
    Store(f"sqlite:///{file}").close("")


def test_what_instruments_know_beyond_an_earlier_copy_is_said(file: Path) -> None:
    assert beyond_text(file) == ""
    remember(file, "1700000000.000-2-make-1", "1700000000.000-7-make-1", "1600000000.000-2-make-1", "t0")
    assert beyond_text(file).startswith("the instruments know 2 jobs of trials 2 that the store does not")


def test_what_stations_remember_of_plain_devices_counts_too(file: Path) -> None:
    file.with_suffix(".lab").joinpath("stage").mkdir(parents=True)
    file.with_suffix(".lab").joinpath("stage", "1700000000.000-9-make-1.json").write_text("{}")
    assert beyond_text(file).startswith("the instruments know 1 jobs of trials 9 that the store does not")
