"""What came of a job is on disk before anybody is told, and a job that was cut short says so."""

import json
from pathlib import Path

import numpy as np
import pytest

from campaigns.errors import LabError
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
    with JobMemory(tmp_path).documents("t1") as file:
        file.write(json.dumps(["start", {}]) + "\n")
    assert (tmp_path / "t1.jsonl").read_text() == '["start", {}]\n'


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
    assert [path.name for path in (tmp_path / "second").iterdir()] == ["t2.json"]
