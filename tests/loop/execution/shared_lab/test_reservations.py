"""Stations are reserved for a job, through a campaign's absence and through kills, and given back when unused."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.errors import BusyError, LabError
from campaigns.lab.lab_claim import LabClaim
from loop.execution.shared_lab import reservations
from loop.execution.shared_lab.reservations import Reservations

Book = Callable[[], Reservations]


@pytest.fixture
def opened(tmp_path: Path) -> Book:
    """A function that opens the reservations of a lab of two furnaces, as after a restart."""
    return lambda: Reservations(tmp_path / "reservations.json", ["f1", "f2"], 60.0, 0.0)


def never(_: str, __: str) -> bool:
    return False


def always(_: str, __: str) -> bool:
    return True


def joined(book: Reservations, *names: str) -> None:
    for name in names:
        book.join(name, name.upper(), LabClaim())


def test_a_station_is_given_to_one_campaign_for_one_job_and_then_to_the_other(opened: Book) -> None:
    book = opened()
    joined(book, "a", "b")
    assert book.request("a", ["f1"], [], 0.0) == [("a", "f1", True)]
    assert book.request("b", ["f1"], [], 0.0) == []
    book.begin("a", "f1", "a-1")
    with pytest.raises(BusyError, match=r"f1 is not reserved for .*, but reserved for campaign A \(job a-1\); nothing"):
        book.begin("b", "f1", "b-1")
    with pytest.raises(BusyError, match="f1 is at job 'a-1' of this campaign"):
        book.begin("a", "f1", "a-2")
    assert book.release("a", "f1", 5.0, over=True) == [("b", "f1", True)]
    assert book.accounts["a"].used == {"f1": 5.0}


def test_who_says_that_another_job_follows_is_weighed_at_the_end_of_the_one_under_way(opened: Book) -> None:
    book = opened()
    book.join("a", "A", LabClaim(share=3))
    book.join("b", "B", LabClaim(share=1))
    book.request("a", ["f1"], ["f1"], 0.0)
    book.begin("a", "f1", "a-1")
    book.request("b", ["f1"], [], 0.5)
    assert book.release("a", "f1", 1.0, over=True) == [("b", "f1", True)], "its start tag is the lower one"
    book.begin("b", "f1", "b-1")
    book.request("b", [], ["f1"], 1.5)
    book.release("b", "f1", 2.0, over=True)
    for at in (2.0, 3.0):
        assert book.has("a", "f1"), "it has a third of the other's time so far"
        book.begin("a", "f1", f"a-{at}")
        book.release("a", "f1", at + 1.0, over=True)
    assert book.has("b", "f1")


def test_a_station_that_is_not_used_goes_to_who_waits_and_one_not_wanted_any_more_at_once(opened: Book) -> None:
    book = opened()
    joined(book, "a", "b")
    book.request("a", ["f1", "f2"], [], 0.0)
    assert book.request("a", ["f1"], [], 0.0) == []
    assert book.stations_of("a") == ["f1"]
    assert book.review(10.0, never) == [], "nobody else wants it"
    book.request("b", ["f1"], [], 10.0)
    assert book.review(10.0, never) == [("a", "f1", False), ("b", "f1", True)]
    assert book.accounts["a"].used.get("f1", 0.0) == 0.0


def test_a_campaign_that_is_away_keeps_its_job_and_for_a_while_what_it_gave(opened: Book) -> None:
    book = opened()
    joined(book, "a", "b")
    book.request("a", ["f1", "f2"], [], 0.0)
    book.begin("a", "f1", "a-1")
    book.request("b", ["f1", "f2"], [], 0.0)
    assert book.leave("a", 1.0) == [("b", "f2", True)]
    assert book.review(1000.0, never) == [], "its job is under way"
    assert book.review(1000.0, always) == []
    assert "reserved for campaign A (job a-1), whose run is away" in book.why("f1")
    assert book.review(1059.0, always) == []
    assert book.join("a", "A", LabClaim()) == ["f1"], "it is back in time"
    assert book.review(2000.0, always) == []
    book.leave("a", 2000.0)
    book.review(2000.0, always)
    assert book.review(2061.0, always) == [("a", "f1", False), ("b", "f1", True)]


def test_a_job_that_was_given_up_holds_its_station_until_the_instrument_has_ended_it(opened: Book) -> None:
    book = opened()
    joined(book, "a", "b")
    book.request("a", ["f1"], [], 0.0)
    book.begin("a", "f1", "a-1")
    book.request("b", ["f1"], [], 0.0)
    assert book.release("a", "f1", 5.0, over=False) == []
    assert book.review(9.0, never) == []
    assert book.review(10.0, always) == [("a", "f1", False), ("b", "f1", True)]


def test_after_a_restart_jobs_keep_their_stations_and_what_was_had_counts(opened: Book) -> None:
    book = opened()
    joined(book, "a", "b")
    book.request("a", ["f1", "f2"], [], 0.0)
    book.begin("a", "f1", "a-1")
    again = opened()
    again.join("b", "B", LabClaim())
    assert again.request("b", ["f1", "f2"], [], 0.0) == [("b", "f2", True)]
    assert again.join("a", "A", LabClaim()) == ["f1"]
    again.begin("a", "f1", "a-1")
    assert again.jobs == {"f1": "a-1"}


def test_a_file_that_cannot_be_read_lets_nothing_begin(opened: Book, tmp_path: Path) -> None:
    (tmp_path / "reservations.json").write_text("{", encoding="utf-8")
    with pytest.raises(LabError, match="says at which stations jobs are under way"):
        opened()


def test_on_a_full_disk_no_job_begins_and_the_end_of_one_is_written_later(
    opened: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    book = opened()
    joined(book, "a")
    book.request("a", ["f1", "f2"], [], 0.0)
    book.begin("a", "f1", "a-1")
    with monkeypatch.context() as disk:
        disk.setattr(reservations, "write_whole", full)
        with pytest.raises(BusyError, match=r"f2 cannot begin a job, as .* No space left on device; .* nothing"):
            book.begin("a", "f2", "a-2")
        assert book.token("f2") == ""
        book.release("a", "f1", 5.0, over=True)
        book.review(6.0, never)
        assert opened().token("f1") == "a-1"
    book.review(7.0, never)
    assert opened().token("f1") == ""
    book.begin("a", "f2", "a-2")
    assert opened().token("f2") == "a-2"
