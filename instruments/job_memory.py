"""What a station remembers of its jobs on disk, for devices that remember none: one file for each token.

A file is written as a whole and synced before anything moves, and again with what came of the job. So a job of which
there is no file was never begun, and one whose file says no more than that it was begun was cut short.

While the disk is full or read-only, no job begins. Some room is kept back for what comes of one that is under way, and
where that is not enough, this process knows it all the same, and writes it down before the next job begins.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from campaigns.errors import BusyError, LabError
from instruments.whole_file import sync_folder, write_whole

_BEGUN = "begun"
_ROOM = 2**20
"""Bytes that the disk has to have free for a job. Not tuned: some hundred times what plain devices give in one."""
_RESERVE = 2**18
"""Bytes that are kept back. Not tuned: some ten times what plain devices give in a job."""
_RESERVED = "reserve"


class JobMemory:
    """The jobs of one station.

    Args:
        folder: where the files lie; it is made when it is missing.

    Raises:
        LabError: there can be no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folders: list[Path] = []
        self._unwritten: dict[str, dict[str, Any] | None] = {}  # token to its record, None for one to be forgotten
        self._lines: dict[str, list[str]] = {}  # token to documents that are not on disk yet
        self._lock = threading.RLock()
        self.use(folder)

    def use(self, folder: Path) -> None:
        """Begin jobs in a folder from now on; what others hold is still known.

        Raises:
            LabError: there can be no such folder.
        """
        if self._folders[:1] == [folder]:
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LabError(f"{folder} cannot be made, where jobs are remembered: {error.strerror}") from error
        self._folders = [folder, *(one for one in self._folders if one != folder)]

    def check_room(self) -> None:
        """Write down what could not be before, and check that there is room for what comes of another job.

        Raises:
            BusyError: there is none now.
        """
        folder = self._folders[0]
        try:
            self.catch_up()
            left = shutil.disk_usage(folder).free
        except OSError as error:
            raise BusyError(_no_room(folder, error.strerror or str(error))) from error
        if left < _ROOM:
            raise BusyError(_no_room(folder, f"less than {_ROOM / 2**20:.0f} MiB is left on its disk"))

    def catch_up(self) -> None:
        """Write down what could not be before.

        Raises:
            OSError: it still cannot be.
        """
        with self._lock:
            for token in (*self._unwritten, *self._lines):
                self._write_down(token)

    def begin(self, token: str, recipe: Mapping[str, Any], **more: Any) -> None:
        """Remember that a job is about to begin, and what else is to be known of it; then, it is on disk.

        Raises:
            BusyError: it cannot be written now, and is not remembered.
        """
        file = self._file(token)
        try:
            self.catch_up()
            _keep_back(file.with_name(_RESERVED))
            write_whole(file, as_json({**more, "state": _BEGUN, "recipe": recipe}))
        except OSError as error:
            with contextlib.suppress(OSError):
                file.unlink(missing_ok=True)
            raise BusyError(_no_room(file.parent, error.strerror or str(error))) from error

    def end(self, token: str, record: Mapping[str, Any]) -> None:
        """Remember what came of a job; ``record`` has its state, and what else is to be remembered."""
        self._remember(token, json.loads(as_json(record)))

    def forget(self, token: str) -> None:
        """Forget a job for which nothing has moved."""
        self._remember(token, None)

    def find(self, token: str) -> dict[str, Any] | None:
        """Return what is remembered of a job; None when it was never begun.

        Raises:
            LabError: the file cannot be read.
        """
        with self._lock:
            if token in self._unwritten:
                return self._unwritten[token]
        file = self._file(token)
        try:
            found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise LabError(f"{file} cannot be read, which says what became of job {token}: {error}") from error
        return found

    def ended(self, token: str) -> dict[str, Any] | None:
        """Return what came of a job; None when it was never begun, or nothing is known but that it was."""
        found = self.find(token)
        return None if found is None or found["state"] == _BEGUN else found

    def add_document(self, token: str, name: str, body: Mapping[str, Any]) -> None:
        """Remember a Bluesky document of a job."""
        line = as_json([name, body]) + "\n"
        with self._lock, contextlib.suppress(OSError):
            self._lines.setdefault(token, []).append(line)
            self._write_lines(token)

    def documents(self, token: str) -> list[tuple[str, dict[str, Any]]]:
        """Return name and body of each document of a job; a last line that was torn by a kill does not count."""
        with self._lock:
            try:
                lines = self._document_file(token).read_bytes().split(b"\n")[:-1]
            except FileNotFoundError:
                lines = []
            return [(name, body) for name, body in map(json.loads, (*lines, *self._lines.get(token, ())))]

    def _file(self, token: str) -> Path:
        files = [folder / f"{token}.json" for folder in self._folders]
        return next((file for file in files if file.exists()), files[0])

    def _document_file(self, token: str) -> Path:
        """Return the file of a job's documents, one JSON list ``[name, document]`` a line."""
        return self._file(token).with_suffix(".jsonl")

    def _remember(self, token: str, record: dict[str, Any] | None) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._unwritten[token] = record
            self._write_down(token)

    def _write_down(self, token: str) -> None:
        """Write down what is known of a job, with the room that was kept back if there is no other.

        Raises:
            OSError: there is none.
        """
        try:
            self._write_now(token)
        except OSError:
            reserve = self._file(token).with_name(_RESERVED)
            if not reserve.exists():
                raise
            reserve.unlink()
            self._write_now(token)

    def _write_now(self, token: str) -> None:
        self._write_lines(token)
        if token not in self._unwritten:
            return
        file, record = self._file(token), self._unwritten[token]
        if record is None:
            file.unlink(missing_ok=True)
            sync_folder(file.parent)
        else:
            write_whole(file, json.dumps(record))
        del self._unwritten[token]

    def _write_lines(self, token: str) -> None:
        """Add the documents that wait to their file, all of them or none."""
        if not (lines := self._lines.get(token)):
            return
        with self._document_file(token).open("ab", buffering=0) as file:
            before, left = file.tell(), "".join(lines).encode()
            try:
                while left:
                    left = left[file.write(left) :]
            except OSError:
                file.truncate(before)
                raise
        del self._lines[token]


def _keep_back(reserve: Path) -> None:
    """Keep some room of a disk back, in a file.

    Raises:
        OSError: there is none.
    """
    if reserve.exists():
        return
    try:
        with reserve.open("wb") as file:
            file.write(os.urandom(_RESERVE))  # which no file system makes smaller
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        reserve.unlink(missing_ok=True)
        raise


def _no_room(folder: Path, why: str) -> str:
    return f"{folder}, where jobs are remembered, cannot be written: {why}; make room; nothing was moved"


def as_json(body: Any) -> str:
    """Return the JSON of what devices give: NumPy's numbers and arrays become plain ones, all else unknown a text."""
    return json.dumps(body, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
