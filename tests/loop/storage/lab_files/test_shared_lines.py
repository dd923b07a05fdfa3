"""Lines that campaigns on a lab file share: followed by each, and whole whatever a crash has left."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from campaigns.errors import LabError
from loop.storage.lab_files.shared_lines import SharedLines


def lines(folder: Path) -> SharedLines:
    return SharedLines(folder / "lab.lab" / "lines.jsonl", "counts", "correct it")


def test_each_follows_what_the_other_adds(tmp_path: Path) -> None:
    one, other = lines(tmp_path), lines(tmp_path)
    assert (one.is_behind, one.read(json.loads)) == (False, [])
    one.add({"n": 1})
    assert (other.is_behind, other.read(json.loads), other.is_behind) == (True, [{"n": 1}], False)
    other.add({"n": 2})
    assert one.read(json.loads) == [{"n": 1}, {"n": 2}]
    assert other.read(json.loads) == [{"n": 2}]


def test_a_torn_line_never_counts_and_is_cut_by_the_next_one(tmp_path: Path) -> None:
    one, late = lines(tmp_path), lines(tmp_path)
    one.add({"n": 1})
    one.read(json.loads)
    with one.path.open("ab") as file:
        file.write(b'{"n": ')
    assert one.read(json.loads) == []
    one.add({"n": 2})
    assert one.read(json.loads) == [{"n": 2}]
    assert late.read(json.loads) == [{"n": 1}, {"n": 2}]


def test_a_line_that_cannot_be_read_is_named_again_and_again(tmp_path: Path) -> None:
    one = lines(tmp_path)
    one.add({"n": 1})
    with one.path.open("ab") as file:
        file.write(b"nonsense\n")
    for _ in range(2):
        with pytest.raises(LabError, match=r"lines.jsonl, which counts, cannot be read: got .*nonsense.*; correct it"):
            one.read(json.loads)


@pytest.mark.parametrize("removed", [True, False])
def test_a_file_that_holds_less_than_before_is_named_and_stays_as_it_is(tmp_path: Path, *, removed: bool) -> None:
    one = lines(tmp_path)
    one.add({"n": 1})
    older = one.path.read_bytes()
    one.add({"n": 2})
    one.read(json.loads)
    if removed:
        one.path.unlink()
    else:
        one.path.write_bytes(older)
    assert one.is_behind
    with pytest.raises(LabError, match=r"lines.jsonl, which counts, holds less than before"):
        one.read(json.loads)
    with pytest.raises(LabError, match="holds less than before"):
        one.add({"n": 3})
    assert one.path.exists() is not removed
    assert removed or lines(tmp_path).read(json.loads) == [{"n": 1}]


def test_one_writes_at_a_time(tmp_path: Path) -> None:
    one, written = lines(tmp_path), threading.Event()

    def other() -> None:
        lines(tmp_path).add({"n": 2})
        written.set()

    with one.writing() as writer:
        thread = threading.Thread(target=other)
        thread.start()
        assert not written.wait(0.2)
        writer.add({"n": 1})
    thread.join()
    assert one.read(json.loads) == [{"n": 1}, {"n": 2}]


def test_what_cannot_be_written_is_an_error_of_the_laboratory(tmp_path: Path) -> None:
    (tmp_path / "lab.lab").write_text("a file")
    with pytest.raises(LabError, match=r"lines.jsonl cannot be written, which counts: "):
        lines(tmp_path).add({})
