"""What a command shows while it works for more than a moment: on the error stream, so that its output stays clean."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

from rich.console import Console

_PATIENCE = 2.0
"""Seconds of work before anything is shown."""


class Waiting:
    """Says what is being done: one line that changes in a terminal, a line for each new thing anywhere else."""

    def __init__(self) -> None:
        self._console = Console(stderr=True, markup=False, emoji=False, highlight=False)
        self._status = self._console.status("")
        self._begun, self._doing = time.monotonic(), ""

    def __call__(self, doing: str, done: int, total: int) -> None:
        """Show what is being done, how much of it is done, and how much there is."""
        if time.monotonic() - self._begun < _PATIENCE:
            return
        if self._console.is_terminal:
            self._status.update(f"{doing}: {done} of {total}")
            self._status.start()
        elif doing != self._doing:
            print(f"{doing} …", file=sys.stderr, flush=True)
        self._doing = doing

    def __enter__(self) -> Self:
        """Begin to count the seconds."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal clean."""
        self._status.stop()
