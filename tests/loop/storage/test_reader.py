import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.errors import StoreError
from campaigns.values import Candidate
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.storage.reader import Reader
from loop.storage.store import Store


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(url(tmp_path))
    store.begin(CampaignRecord("test", "name: test", 3, "f1", 100.0), {"torch": "2"})
    store.propose(0, Candidate({"temperature": 300.0}), Proposal("model"), 5.0)
    yield store
    store.close("")


@pytest.mark.parametrize("bad", ["postgres://x", "sqlite://", "/tmp/x.db"])
def test_other_urls_are_refused(bad: str) -> None:
    with pytest.raises(StoreError, match=r"allowed: sqlite:///PATH"):
        Reader(bad)


def test_reading_needs_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        Reader(url(tmp_path))
    (tmp_path / "store.db").write_text("this is no database, only text " * 100)
    with pytest.raises(StoreError, match="is damaged, or no store of a campaign: file is not a database"):
        Reader(url(tmp_path))


def test_a_store_that_is_just_being_made_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "store.db").touch()
    with pytest.raises(StoreError, match="holds no campaign yet: the run that makes it has just begun"):
        Reader(url(tmp_path))


def test_anyone_may_read_meanwhile(store: Store, tmp_path: Path) -> None:
    assert Reader(url(tmp_path)).trial(0) == store.trial(0)


def test_an_unknown_trial_says_which_there_are(store: Store) -> None:
    with pytest.raises(StoreError, match="no trial 7; allowed: 0 to 0"):
        store.trial(7)


def test_a_store_from_before_there_were_artefacts_is_still_read(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as other:
        other.execute("DROP TABLE artefact")
    other.close()
    assert Reader(url(tmp_path)).artefacts("material") == {}
