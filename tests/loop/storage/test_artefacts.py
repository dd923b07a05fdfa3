"""What is kept beside the trials has a kind of its own, and a stored kind keeps its name."""

from __future__ import annotations

from pathlib import Path

from loop.storage import artefacts, pool_snapshot, reader
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from tests.stores import fill


def test_one_name_in_two_kinds_is_two_artefacts_and_the_latest_of_each_is_kept(tmp_path: Path) -> None:
    url = f"sqlite:///{fill(tmp_path).with_suffix('.db')}"
    journal = Journal(url)
    journal.keep(artefacts.HISTORY, "lab.csv", {"tally": ["3 rows"]})
    journal.keep(artefacts.SOURCE, "lab.csv", {"rows": 5})
    journal.keep(artefacts.HISTORY, "lab.csv", {"tally": ["4 rows"]})
    read = Reader(url)
    assert read.artefacts(artefacts.HISTORY) == {"lab.csv": {"tally": ["4 rows"]}}
    assert read.artefacts(artefacts.SOURCE) == {"lab.csv": {"rows": 5}}


def test_kinds_are_found_in_the_stores_of_earlier_versions_and_are_all_different() -> None:
    kinds = [artefacts.HISTORY, artefacts.SOURCE, reader.REGRET, reader.POSTERIOR, reader.BEST]
    assert kinds == ["history", "source", "regret estimate", "posterior best", "best"]
    assert {pool_snapshot.POOL, pool_snapshot.MATERIAL}.isdisjoint(kinds)
