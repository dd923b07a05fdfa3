"""What ``athanor status`` says of the process that runs a campaign."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from loop.core.campaign_records import CampaignRecord
from loop.storage.reader import Reader
from loop.storage.store import Store
from loop.terminal.status_view import status_rows
from tests.stores import CAMPAIGN, fill


def session(file: Path) -> str:
    return dict(status_rows(Reader(f"sqlite:///{file}")))["session"]


def test_a_session_runs_as_long_as_its_lease_holds_and_was_killed_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "small.db"
    store = Store(f"sqlite:///{file}")
    store.begin(CampaignRecord("small", CAMPAIGN, 1, "print", 1.7e9), {})
    assert session(file).startswith(f"1, running as process {os.getpid()}, last activity ")
    with closing(sqlite3.connect(file)) as other, other:  # a process of the same number that began at another time
        other.execute("UPDATE lease SET born = 'long ago'")
    assert session(file).startswith("1, was killed, last activity ")
    store.close("")


def test_an_ended_session_says_how(tmp_path: Path) -> None:
    fill(tmp_path)
    assert session(tmp_path / "small.db").endswith(": stopped for the night")
