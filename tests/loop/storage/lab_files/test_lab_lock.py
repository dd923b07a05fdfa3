"""One process at a time drives the instruments of a lab file, by whatever name it has opened the file."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from campaigns.errors import LabError, LabInUseError
from loop.storage.lab_files import lab_lock
from loop.storage.lab_files.lab_lock import LabLock, is_driven


@pytest.fixture
def lab_file(tmp_path: Path) -> Path:
    file = tmp_path / "lab.yaml"
    file.write_text("lab: {kind: real}\n", encoding="utf-8")
    return file


def test_a_second_process_is_refused_with_who_the_first_is_until_that_has_ended(lab_file: Path) -> None:
    assert not is_driven(lab_file)
    with LabLock(lab_file, "the run of campaign glass"):
        assert is_driven(lab_file)
        with pytest.raises(LabInUseError, match=rf"the run of campaign glass \(process {os.getpid()} of .*lab.yaml"):
            LabLock(lab_file, "another")
    assert not is_driven(lab_file)
    LabLock(lab_file, "another").close()


def test_it_holds_through_links_and_when_an_editor_replaces_the_file(lab_file: Path, tmp_path: Path) -> None:
    (tmp_path / "symbolic.yaml").symlink_to(lab_file)
    (tmp_path / "hard.yaml").hardlink_to(lab_file)
    with LabLock(lab_file, "the first"):
        for name in ("symbolic.yaml", "hard.yaml"):
            with pytest.raises(LabInUseError):
                LabLock(tmp_path / name, "another")
        new = tmp_path / "new.yaml"
        new.write_text("lab: {kind: real}\n", encoding="utf-8")
        new.replace(lab_file)
        with pytest.raises(LabInUseError):
            LabLock(lab_file, "another")


def test_a_file_that_is_not_there_is_an_error_of_the_lab(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"cannot be locked: .*No such file"):
        LabLock(tmp_path / "none" / "lab.yaml", "anybody")


def test_a_disk_that_cannot_be_written_is_told_and_nobody_holds_the_lock(
    lab_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as read_only:
        read_only.setattr(Path, "write_text", fail)
        with pytest.raises(LabError, match=r"holder.json cannot be written: Read-only file system; nothing was moved"):
            LabLock(lab_file, "the first")
    assert not is_driven(lab_file)


def test_who_asks_whether_a_lab_file_is_driven_keeps_nobody_from_driving(
    lab_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking = os.open(lab_file, os.O_RDONLY)
    fcntl.flock(asking, fcntl.LOCK_SH)
    later = SimpleNamespace(sleep=lambda _: os.close(asking), time=time.time)
    monkeypatch.setattr(lab_lock, "time", later)
    LabLock(lab_file, "a run").close()
