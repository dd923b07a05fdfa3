"""What a station remembers of its jobs on disk, for devices that remember none: one file for each token.

A file is written as a whole and synced before anything moves, and again with what came of the job. So a job of which
there is no file was never begun, and one whose file says no more than that it was begun was cut short.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from campaigns.errors import LabError
from instruments.whole_file import sync_folder, write_whole

_BEGUN = "begun"


class JobMemory:
    """The jobs of one station.

    Args:
        folder: where the files lie; it is made when it is missing.

    Raises:
        LabError: there can be no such folder.
    """

    def __init__(self, folder: Path) -> None:
        self._folders: list[Path] = []
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

    def begin(self, token: str, recipe: Mapping[str, Any], **more: Any) -> None:
        """Remember that a job is about to begin, and what else is to be known of it; then, it is on disk."""
        self._write(token, {**more, "state": _BEGUN, "recipe": recipe})

    def end(self, token: str, record: Mapping[str, Any]) -> None:
        """Remember what came of a job; ``record`` has its state, and what else is to be remembered."""
        self._write(token, record)

    def forget(self, token: str) -> None:
        """Forget a job for which nothing has moved."""
        file = self._file(token)
        file.unlink(missing_ok=True)
        sync_folder(file.parent)

    def find(self, token: str) -> dict[str, Any] | None:
        """Return what is remembered of a job; None when it was never begun.

        Raises:
            LabError: the file cannot be read.
        """
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

    def documents(self, token: str) -> IO[str]:
        """Return a file for the Bluesky documents of a job, one JSON list ``[name, document]`` a line."""
        return self._file(token).with_suffix(".jsonl").open("a", encoding="utf-8")

    def kept_documents(self, token: str) -> list[tuple[str, dict[str, Any]]]:
        """Return the documents of a job that are on disk; a last line that was torn by a kill does not count."""
        try:
            lines = self._file(token).with_suffix(".jsonl").read_bytes().split(b"\n")[:-1]
        except FileNotFoundError:
            return []
        return [(name, body) for name, body in map(json.loads, lines)]

    def _file(self, token: str) -> Path:
        files = [folder / f"{token}.json" for folder in self._folders]
        return next((file for file in files if file.exists()), files[0])

    def _write(self, token: str, record: Mapping[str, Any]) -> None:
        write_whole(self._file(token), as_json(record))


def as_json(body: Any) -> str:
    """Return the JSON of what devices give: NumPy's numbers and arrays become plain ones, all else unknown a text."""
    return json.dumps(body, default=_plain)


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else str(value)
