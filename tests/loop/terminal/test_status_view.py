"""What ``athanor status`` says of the process that runs a campaign."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from campaigns.values import Candidate
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Proposal
from loop.storage.reader import Reader
from loop.storage.store import Store
from loop.terminal.status_view import status_rows
from tests.stores import CAMPAIGN, fill
from tests.trials import attempt


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


def test_samples_that_stand_together_in_a_station_are_told_with_its_places(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'small.db'}")
    source = CAMPAIGN.replace("{kind: furnace}", "{kind: furnace, capacity: 8}")
    store.begin(CampaignRecord("small", source, 1, "print", 1.7e9), {})
    for number in range(3):
        store.propose(number, Candidate({"temperature": 700.0 + number}), Proposal("space-filling"), 0.0)
    steps = [attempt(n, "make", "furnace", load="0-make-load", place=n + 1) for n in range(2)]
    store.claim_load(list(enumerate(steps)), 0.0)
    rows = dict(status_rows(store))
    assert rows["load at furnace"] == "2 of 8: trials 0 and 1"
    assert rows["trial 2"].startswith("queued")
    store.close("")
