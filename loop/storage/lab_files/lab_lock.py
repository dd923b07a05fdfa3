"""Who drives the instruments of a lab file: one process at a time, by whatever name it has opened the file."""

from __future__ import annotations

import fcntl
import getpass
import json
import os
import socket
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from campaigns.errors import LabError, LabInUseError
from loop.core.formatting import date_time

LAB_PROCESS = "the lab process"
"""Who drives the instruments of a lab file that several campaigns share."""
_HOLDER = "holder.json"
_TRIES, _PAUSE = 10, 0.02
"""How often a lock is tried for, and the wall time in seconds between: who asks whether it is held holds it so long."""


def shared_folder(lab_file: Path) -> Path:
    """Return the folder beside a lab file where stands what all campaigns on it have in common."""
    return lab_file.resolve().with_suffix(".lab")


class LabLock:
    """The right to drive the instruments of a lab file, until it is closed or the process ends.

    The lock is on two inodes: that of the file, which has other names by links, and that of the folder beside it, which
    stays when an editor replaces the file. It needs no heartbeat: the system lets go of it with the process.

    Args:
        lab_file: the lab file.
        who: takes it, for people.

    Raises:
        LabInUseError: another process has it.
        LabError: the file cannot be opened, there can be no folder, or it cannot be written.
    """

    def __init__(self, lab_file: Path, who: str) -> None:
        self._folder = shared_folder(lab_file)
        self._held: list[int] = []
        try:
            self._folder.mkdir(exist_ok=True)
            self._held = [os.open(one, os.O_RDONLY) for one in (lab_file, self._folder)]
        except OSError as error:
            self.close()
            raise LabError(f"{lab_file} cannot be locked: {error.filename}: {error.strerror}") from error
        try:
            for one in self._held:
                _lock(one)
        except BlockingIOError as error:
            self.close()
            advice = (
                f"wait for its end; to run several campaigns at once, start 'athanor lab run {lab_file}' before them"
            )
            raise LabInUseError(f"{holder(lab_file)} drives the instruments of {lab_file}; {advice}") from error
        about = {"who": who, "pid": os.getpid(), "user": _user(), "host": socket.gethostname(), "since": time.time()}
        try:
            (self._folder / _HOLDER).write_text(json.dumps(about), encoding="utf-8")
        except OSError as error:
            self.close()
            raise LabError(
                f"{self._folder / _HOLDER} cannot be written: {error.strerror}; nothing was moved"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let others drive the instruments."""
        for one in self._held:
            os.close(one)
        self._held = []


def _lock(inode: int) -> None:
    """Lock an inode.

    Raises:
        BlockingIOError: another process has locked it.
    """
    for _ in range(_TRIES - 1):
        with suppress(BlockingIOError):
            fcntl.flock(inode, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        time.sleep(_PAUSE)
    fcntl.flock(inode, fcntl.LOCK_EX | fcntl.LOCK_NB)


def has_lab_process(lab_file: Path) -> bool:
    """Return whether the instruments of a lab file are a lab process's, though it may not be reached just now."""
    return is_driven(lab_file) and _holder(lab_file).get("who") == LAB_PROCESS


def holder(lab_file: Path) -> str:
    """Return who has locked a lab file, as it has said; it is asked of a file that is locked."""
    about = _holder(lab_file)
    if not about:
        return "another process"
    since = date_time(about["since"])
    return f"{about['who']} (process {about['pid']} of {about['user']} on {about['host']}, since {since})"


def _holder(lab_file: Path) -> dict[str, Any]:
    about: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        about = json.loads((shared_folder(lab_file) / _HOLDER).read_text(encoding="utf-8"))
    return about


def is_driven(lab_file: Path) -> bool:
    """Return whether a process drives the instruments of a lab file now."""
    try:
        folder = os.open(shared_folder(lab_file), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(folder)
    return False


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # nobody has a name here, as in some containers
        return "operator"
