"""A store that is not whole is noticed before anything is done with it."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from campaigns.errors import StoreError
from campaigns.values import Candidate, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.core.records import StepRecord
from loop.storage.integrity.damage import check_whole
from loop.storage.reader import Reader
from loop.storage.store import Store

PAGE = 4096


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A store with as many pages as a day's campaign has."""
    path = tmp_path / "store.db"
    store = Store(f"sqlite:///{path}")
    store.begin(CampaignRecord("test", "name: test", 3, "f1", 100.0), {})
    for number in range(20):
        store.propose(number, Candidate({"x": 1.0 * number}), Proposal("model"), 0.0)
        token = f"token-{number}"
        store.claim(number, StepRecord("heat", 1, "oven", token, TrialState.CLAIMED, None, None, None, "", 1.0), 1.0)
        store.document(token, "event_page", {"counts": np.arange(3000.0), "odd": [float("nan")]}, 1.0)
    store.close("")
    return path


def overwrite(file: Path, pages: list[int], byte: bytes) -> None:
    with file.open("r+b") as out:
        for page in pages:
            out.seek(page * PAGE)
            out.write(byte * PAGE)


def test_a_whole_store_passes(file: Path) -> None:
    check_whole(file)
    Store(f"sqlite:///{file}").close("")


@pytest.mark.slow
@pytest.mark.parametrize("byte", [b"\0", b"\xff", b"7"], ids=["zeros", "ones", "digits"])
@pytest.mark.parametrize("seed", range(3))
def test_thirty_overwritten_pages_are_noticed_at_the_start(file: Path, byte: bytes, seed: int) -> None:
    count = file.stat().st_size // PAGE
    overwrite(file, random.Random(seed).sample(range(1, count), 30), byte)
    with pytest.raises(StoreError, match=r"store.db is damaged.*'athanor restore BACKUP'"):
        Store(f"sqlite:///{file}")


def test_one_page_in_the_midst_of_a_document_is_noticed(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE document SET body = replace(body, '1500.0', char(0)) WHERE trial = 7")
        connection.commit()
    with pytest.raises(StoreError, match=r"1 values of document.body cannot be read"):
        check_whole(file)


def test_bare_nan_of_an_earlier_version_is_no_damage(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("UPDATE document SET body = '{\"counts\": [NaN, -Infinity]}' WHERE trial = 7")
        connection.commit()
    check_whole(file)


def test_what_only_looks_says_so_too_and_names_the_latest_backup(file: Path) -> None:
    backup = file.with_name("store.backup-20260131-120000.db")
    backup.write_bytes(file.read_bytes())
    overwrite(file, list(range(2, file.stat().st_size // PAGE)), b"\xff")
    with pytest.raises(StoreError, match=rf"is damaged.*'athanor restore {backup}' brings back the latest copy"):
        Reader(f"sqlite:///{file}").trials()
