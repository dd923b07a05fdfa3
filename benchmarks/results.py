"""Finished campaigns of the cathode benchmark, so that an interrupted one goes on where it was."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from benchmarks.arms import Run, Task
from benchmarks.ledger import Ledger, code_hash, key_of

_CODE = (
    *("campaigns", "instruments", "surrogates", "simulators", "loop"),
    *("benchmarks/arms.py", "benchmarks/cathode_truth.py"),
)


class Results:
    """The runs on record.

    Args:
        path: the file; made when missing. Runs of other code or another task stay there and are not used.
    """

    def __init__(self, path: Path) -> None:
        self._ledger = Ledger(path)
        self._code = code_hash(_CODE)

    def find(self, task: Task) -> Run | None:
        """Return the run of a task; None when it has yet to be run."""
        entry = self._ledger.find(self._key(task))
        return None if entry is None else Run(**entry["run"])

    def add(self, task: Task, run: Run) -> None:
        """Keep a run."""
        self._ledger.add(self._key(task), {"run": asdict(run)})

    def _key(self, task: Task) -> str:
        """Return what decides about a run: the task, its campaign file's text, and all of our code."""
        return key_of(asdict(task) | {"file": task.file.read_text(encoding="utf-8"), "code": self._code})
