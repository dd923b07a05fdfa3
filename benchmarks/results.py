"""Finished campaigns of a benchmark in a file of JSON lines, so that an interrupted benchmark goes on where it was."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.arms import Run, Task

_ROOT = Path(__file__).parent.parent
_FOLDERS = ("campaigns", "instruments", "surrogates", "simulators", "loop")
_FILES = ("benchmarks/arms.py", "benchmarks/cathode_truth.py")
_SUFFIXES = (".py", ".yaml", ".csv", ".txt")


class Results:
    """The runs on record.

    Args:
        path: the file; made when missing. Runs of other code or another task stay there and are not used.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._code = code_fingerprint()

    def find(self, task: Task) -> Run | None:
        """Return the run of a task; None when it has yet to be run."""
        key = self._key(task)
        return next((Run(**line["run"]) for line in self._lines() if line["key"] == key), None)

    def add(self, task: Task, run: Run) -> None:
        """Keep a run."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"key": self._key(task), "run": asdict(run)}) + "\n")

    def _key(self, task: Task) -> str:
        """Return what decides about a run: the task, its campaign file's text, and all of our code."""
        decisive = asdict(task) | {"file": task.file.read_text(encoding="utf-8"), "code": self._code}
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()

    def _lines(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        for line in self._path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):  # one that a kill has torn never counted
                yield json.loads(line)


def code_fingerprint() -> str:
    """Return a hash of every file of ours that may change a result."""
    files = [path for name in _FOLDERS for path in sorted((_ROOT / name).rglob("*")) if path.suffix in _SUFFIXES]
    digest = hashlib.sha256()
    for path in files + [_ROOT / name for name in _FILES]:
        digest.update(str(path.relative_to(_ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()
