"""An emergency stop is a file that anybody can make, and that stays until somebody clears it by name."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import EmergencyStopError, LabError
from instruments import emergency_stop
from instruments.emergency_stop import StopFile


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "memory"
    folder.mkdir()
    monkeypatch.setattr(emergency_stop, "_MEMORY", folder)
    return folder


@pytest.fixture
def stop(tmp_path: Path, memory: Path) -> StopFile:
    assert memory.is_dir()
    return StopFile(tmp_path / "lab.stop")


def _fail(monkeypatch: pytest.MonkeyPatch, name: str, folder: Path, number: int) -> None:
    """Let what writes fail for files of a folder, once they are opened or before."""
    original = getattr(emergency_stop, name) if name == "_write" else getattr(Path, name)

    def failing(file: Any, *values: Any, **how: Any) -> Any:
        path = Path(file.name) if name == "_write" else file
        if path.parent == folder and values[:1] != ("r",) and (name == "_write" or values):
            raise OSError(number, os.strerror(number), str(path))
        return original(file, *values, **how)

    monkeypatch.setattr(emergency_stop if name == "_write" else Path, name, failing)


def test_on_a_full_disk_a_stop_holds_and_keeps_who_made_it_and_why(
    stop: StopFile, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full:
        _fail(full, "_write", stop.path.parent, errno.ENOSPC)
        made = stop.make("anna", "smoke")
        assert made.unwritten == (
            f"{stop.path} cannot be written: No space left on device",
            f"{stop.path}.jsonl cannot be written: No space left on device",
        )
        with pytest.raises(LabError, match=r"cannot be cleared and holds: .*No space left"):
            stop.clear("ben", "aired")
    assert stop.path.exists()
    there = StopFile(stop.path).read()
    assert there is not None
    assert (there.author, there.reason) == ("anna", "smoke")
    assert stop.clear("ben", "aired") is not None
    assert stop.read() is None
    assert not list(memory.iterdir())


def test_where_the_disk_is_read_only_a_stop_stands_in_memory_until_it_can_be_written(
    stop: StopFile, memory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with monkeypatch.context() as read_only:
        _fail(read_only, "open", stop.path.parent, errno.EROFS)
        assert [text.split(": ")[1] for text in stop.make("anna", "smoke").unwritten] == ["Read-only file system"] * 2
    (tmp_path / "link").symlink_to(tmp_path)
    there = StopFile(tmp_path / "link" / "lab.stop").read()  # by any name of the laboratory
    assert there is not None
    assert (there.author, there.reason, stop.path.exists()) == ("anna", "smoke", False)
    assert stop.make("ben", "again").stop is not None
    assert stop.path.exists()
    assert '"anna"' in stop.path.read_text(encoding="utf-8")
    assert stop.clear("ben", "aired") is not None
    assert stop.read() is None


def test_a_stop_that_cannot_be_made_anywhere_is_said_to_be_none(
    stop: StopFile, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory.rmdir()
    _fail(monkeypatch, "open", stop.path.parent, errno.EROFS)
    made = stop.make("anna", "smoke")
    assert made.stop is None
    assert [text.split(" cannot")[0] for text in made.unwritten] == [str(place) for place in stop.places]


def test_a_stop_tells_who_made_it_and_why_and_holds_until_it_is_cleared(stop: StopFile) -> None:
    stop.check()
    stop.make("anna", "smoke in the hood")
    assert StopFile(stop.path).read() == stop.read()
    with pytest.raises(
        EmergencyStopError, match=r"by anna since .*: smoke in the hood; .* athanor stop .* --clear --by"
    ):
        stop.check()
    assert stop.clear("ben", "aired") is not None
    stop.check()
    assert [(one.cleared, one.author, one.reason) for one in stop.log] == [
        (False, "anna", "smoke in the hood"),
        (True, "ben", "aired"),
    ]


def test_the_first_stop_is_not_overwritten_and_nothing_is_cleared_twice(stop: StopFile) -> None:
    stop.make("anna", "smoke")
    there = stop.make("ben", "something else").stop
    assert there is not None
    assert there.author == "anna"
    assert stop.clear("ben", "aired") is not None
    assert stop.clear("ben", "aired") is None


@pytest.mark.parametrize("text", ["", "water on the floor\n", "[1, 2]", '{"reason": "water"', "\x00\xff"])
def test_any_program_can_make_one_whatever_it_writes(stop: StopFile, text: str) -> None:
    stop.path.write_text(text, encoding="latin-1")
    there = stop.read()
    assert there is not None
    assert there.author
    assert ("water" in there.reason) == ("water" in text)


def test_what_cannot_be_looked_at_counts_as_a_stop(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmergencyStopError, match=r"cannot be looked at"):
        StopFile(tmp_path / "file" / "lab.stop").check()
    (tmp_path / "lab.stop").symlink_to("nowhere")
    StopFile(tmp_path / "lab.stop").check()  # a link to nothing is no file
