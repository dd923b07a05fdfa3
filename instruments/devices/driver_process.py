"""The process in which a driver runs, and the line to it: what hangs or crashes there ends with it alone."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from instruments.devices.question_line import QuestionLine
from instruments.run_context import RunContext

_ENDING = 5.0
"""Wall time in seconds that a process has to end by itself."""


class DriverProcess(QuestionLine):
    """A driver's process, which is started again by the next question after it has ended.

    Args:
        program: Python code that serves the driver, given the number of the file that is the line.
        order: what it is to serve; sent first.
        log: file for what the driver prints.
        limit: wall time in seconds that an answer may take.
        context: numbers the runs of plans, and gets their documents.
    """

    _who = "the driver's process"

    def __init__(self, program: str, order: Any, log: Path, limit: float, context: RunContext) -> None:
        super().__init__(limit, context)
        self._program, self._order, self._log = program, order, log
        self._look_at = f"; see {log}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return self._process.pid if self.is_open and self._process is not None else None

    @property
    def where(self) -> str:
        """Which process serves the instrument, for people."""
        return f"process {self.pid}"

    def _open(self) -> tuple[Connection, Any]:
        ours, theirs = socket.socketpair()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with theirs, self._log.open("ab") as log:
            command = [sys.executable, "-P", "-c", self._program, str(theirs.fileno())]
            self._process = subprocess.Popen(  # in a session of its own, which Ctrl-C does not reach
                command, pass_fds=[theirs.fileno()], stdout=log, stderr=log, start_new_session=True
            )
        return Connection(ours.detach()), self._order

    def _end_of(self) -> str:
        """Return how the process ended."""
        assert self._process is not None  # noqa: S101 - it was started before it could end
        try:
            code = self._process.wait(_ENDING)
        except subprocess.TimeoutExpired:
            return "no longer answers"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"

    def _shut(self, *, at_once: bool) -> None:
        """End the process, by force where it does not end by itself."""
        if self._process is None:
            return
        try:
            self._process.wait(0.0 if at_once else _ENDING)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
