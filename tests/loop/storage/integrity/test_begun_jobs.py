"""What a laboratory remembers of the jobs that were begun for a campaign, whichever copy of its store they were for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from campaigns.errors import LabError, StoreError
from loop.storage.integrity import write_waits
from loop.storage.integrity.backup import back_up, restore_backup
from loop.storage.integrity.begun_jobs import BegunJobs
from loop.storage.reader import Reader
from loop.storage.store import Store
from tests.stores import fill


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return fill(tmp_path).with_suffix(".db")


def note(store: Path, *tokens: str, wall: float) -> None:
    """Have the laboratory remember attempts at trials 7, 8 and so on for a store."""
    created = Reader(f"sqlite:///{store}").campaign().created
    BegunJobs(store.with_name("lab.lab"), store).note(created, tokens, range(7, 7 + len(tokens)), wall)


def begun(store: Path) -> BegunJobs:
    return BegunJobs(store.with_name("lab.lab"), store)


def test_what_the_store_holds_and_what_is_of_other_campaigns_says_nothing(store: Path) -> None:
    held = [step.token for trial in Reader(f"sqlite:///{store}").trials() for step in trial.steps]
    assert held
    note(store, *held, wall=1e9)
    begun(store).note(1.0, ["1.000-0-make-1"], [0], 1e9)
    assert begun(store).check() == ""
    assert begun(store.with_name("new.db")).check() == ""


def test_a_branch_is_refused_until_somebody_brings_it_back(store: Path) -> None:
    other = store.with_name("other.db")
    back_up(store, other)
    note(other, "a", "b", wall=1e9)
    with pytest.raises(StoreError, match=r"begun 2 jobs of trials 7, 8 for .*other.db.*: go on with .*other.db"):
        begun(store).check()
    back_up(store, store.with_name("copy.db"))
    restore_backup(store.with_name("copy.db"), store)
    found = begun(store)
    assert "numbers of later trials are used again" in found.check()
    assert found.elsewhere == {"a", "b"}


def test_an_earlier_copy_in_the_place_of_its_store_is_one_that_was_not_brought_back(store: Path) -> None:
    note(store, "a", wall=1e9)
    with pytest.raises(StoreError, match="bring back the latest copy by 'athanor restore'"):
        begun(store).check()


def test_a_line_that_was_torn_by_a_kill_does_not_count(store: Path) -> None:
    note(store, "a", wall=1e9)
    file = store.with_name("lab.lab") / "begun.jsonl"
    file.write_text(json.dumps({"campaign": 1.0})[:-3])
    assert begun(store).check() == ""


def test_what_cannot_be_written_down_is_not_begun(store: Path) -> None:
    (store.with_name("lab.lab") / "begun.jsonl").mkdir(parents=True)
    with pytest.raises(LabError, match=r"cannot be written: .*; nothing was moved"):
        note(store, "a", wall=1e9)


@pytest.mark.parametrize("how", ["missing", "empty"])
def test_a_store_that_lost_what_was_begun_for_it_is_not_begun_anew(store: Path, how: str) -> None:
    note(store, "a", "b", wall=1e9)
    store.unlink()
    if how == "empty":
        store.touch()
    anew = Store(f"sqlite:///{store}")
    with pytest.raises(
        StoreError, match=r"holds nothing, but .*begun.jsonl knows 2 jobs .*would repeat.*athanor restore"
    ):
        begun(store).check()
    anew.close("")
    assert begun(store.with_name("other.db")).check() == ""


def test_nothing_begins_where_the_disk_of_the_lab_file_has_no_room(
    store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_waits, "_ROOM", 2**80)
    monkeypatch.setattr(write_waits, "_QUIET", 0.0)
    monkeypatch.setattr(write_waits, "PATIENCE", 0.1)
    told: list[str] = []
    jobs = BegunJobs(store.with_name("lab.lab"), store, told.append)
    with pytest.raises(StoreError, match=r"begun.jsonl cannot be written: its disk has .* make room"):
        jobs.note(1.0, ["1-make"], [0], 1e9)
    assert [text.split(": ")[0] for text in told] == [f"{store.with_name('lab.lab') / 'begun.jsonl'} waits for room"]
    assert not (store.with_name("lab.lab") / "begun.jsonl").exists()
