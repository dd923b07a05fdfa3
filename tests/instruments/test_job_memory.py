"""What came of a job is on disk before anybody is told, and a job that was cut short says so."""

import contextlib
import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from campaigns.errors import BusyError, LabError
from instruments import job_memory
from instruments.job_memory import JobMemory


def test_a_job_is_known_from_its_beginning_and_ended_from_its_end(tmp_path: Path) -> None:
    memory = JobMemory(tmp_path / "stage")
    assert memory.find("t1") is None
    memory.begin("t1", {"x": 2.0})
    assert (memory.find("t1"), memory.ended("t1")) == ({"state": "begun", "recipe": {"x": 2.0}}, None)
    memory.end("t1", {"state": "done", "readings": {"det": {"value": np.arange(3), "timestamp": np.float64(1.5)}}})
    again = JobMemory(tmp_path / "stage").ended("t1")
    assert again == {"state": "done", "readings": {"det": {"value": [0, 1, 2], "timestamp": 1.5}}}


def test_a_job_for_which_nothing_moved_is_forgotten(tmp_path: Path) -> None:
    memory = JobMemory(tmp_path)
    memory.begin("t1", {})
    memory.forget("t1")
    assert memory.find("t1") is None
    memory.forget("t1")


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    memory = JobMemory(tmp_path)
    memory.begin("t1", {})
    (tmp_path / "t1.part").write_text('{"state": "do')  # the controller was killed while it wrote
    assert JobMemory(tmp_path).find("t1") == {"state": "begun", "recipe": {}}


def test_a_file_that_cannot_be_read_is_no_job_that_never_began(tmp_path: Path) -> None:
    (tmp_path / "t1.json").write_text("{")
    with pytest.raises(LabError, match=r"t1.json cannot be read, which says what became of job t1"):
        JobMemory(tmp_path).find("t1")


def test_documents_are_added_line_by_line(tmp_path: Path) -> None:
    memory = JobMemory(tmp_path)
    memory.add_document("t1", "start", {})
    memory.add_document("t1", "stop", {"exit_status": "success"})
    assert (tmp_path / "t1.jsonl").read_text() == '["start", {}]\n["stop", {"exit_status": "success"}]\n'
    with (tmp_path / "t1.jsonl").open("a") as file:
        file.write('["st')  # the controller was killed while it wrote
    assert JobMemory(tmp_path).documents("t1") == [("start", {}), ("stop", {"exit_status": "success"})]


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """A disk without room, until it is undone."""

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(job_memory, "write_whole", no_room)
        patch.setattr(JobMemory, "_write_lines", no_room)
        yield patch


def test_what_a_full_disk_does_not_take_is_known_and_written_before_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    memory = JobMemory(tmp_path)
    memory.begin("t1", {"x": 2.0})
    full = request.getfixturevalue("full")
    memory.add_document("t1", "start", {"uid": "a"})
    memory.end("t1", {"state": "done", "value": np.float64(1.5)})
    assert memory.ended("t1") == {"state": "done", "value": 1.5}
    assert memory.documents("t1") == [("start", {"uid": "a"})]
    assert JobMemory(tmp_path).ended("t1") is None
    with pytest.raises(BusyError, match=r"cannot be written: No space left on device; make room; nothing was moved"):
        memory.begin("t2", {})
    assert memory.find("t2") is None
    with pytest.raises(BusyError, match="No space left"):
        memory.check_room()
    full.undo()
    memory.check_room()
    again = JobMemory(tmp_path)
    assert (again.ended("t1"), again.documents("t1")) == (memory.ended("t1"), [("start", {"uid": "a"})])
    monkeypatch.setattr(job_memory, "_ROOM", 2**80)
    with pytest.raises(BusyError, match="MiB is left on its disk; make room"):
        memory.check_room()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of its own, of 4 MiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no disk can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_on_a_disk_that_others_have_filled_there_is_room_for_the_job_that_is_under_way(small_disk: Path) -> None:
    memory = JobMemory(small_disk)
    memory.begin("t1", {})
    with (small_disk / "other").open("wb", buffering=0) as other, contextlib.suppress(OSError):
        while other.write(bytes(4096)):
            pass
    memory.add_document("t1", "start", {"text": "a" * 10_000})
    memory.end("t1", {"state": "done", "readings": list(range(3000))})
    again = JobMemory(small_disk)  # as after a kill
    assert again.ended("t1") == {"state": "done", "readings": list(range(3000))}
    assert [name for name, _ in again.documents("t1")] == ["start"]
    with pytest.raises(BusyError, match="No space left"):
        again.begin("t2", {})
    (small_disk / "other").unlink()
    again.begin("t2", {})
    assert (small_disk / "reserve").stat().st_size == 2**18


def test_documents_of_which_a_part_has_room_are_written_as_a_whole_later(tmp_path: Path) -> None:
    code = f"""
import resource, signal
from pathlib import Path
from instruments.job_memory import JobMemory
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
memory = JobMemory(Path({str(tmp_path)!r}))
memory.add_document("t1", "start", {{}})
resource.setrlimit(resource.RLIMIT_FSIZE, (30, resource.RLIM_INFINITY))
memory.add_document("t1", "event", {{"text": "longer than what is left"}})
assert Path({str(tmp_path)!r}, "t1.jsonl").stat().st_size == len('["start", {{}}]') + 1
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
memory.catch_up()
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert [name for name, _ in JobMemory(tmp_path).documents("t1")] == ["start", "event"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LabError, match=r"file/stage cannot be made, where jobs are remembered"):
        JobMemory(tmp_path / "file" / "stage")


def test_jobs_of_another_folder_are_known_and_end_where_they_began(tmp_path: Path) -> None:
    memory = JobMemory(tmp_path / "first")
    memory.begin("t1", {})
    memory.use(tmp_path / "second")
    memory.begin("t2", {})
    memory.end("t1", {"state": "done"})
    assert (memory.ended("t1"), memory.ended("t2")) == ({"state": "done"}, None)
    assert JobMemory(tmp_path / "first").ended("t1") == {"state": "done"}
    assert [path.name for path in (tmp_path / "second").glob("*.json")] == ["t2.json"]
