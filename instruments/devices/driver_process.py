"""The process in which a driver runs, and the line to it: what hangs or crashes there ends with it alone."""

from __future__ import annotations

import contextlib
import pickle
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from instruments.run_context import RunContext

OnState = Callable[[str, str, str], None]
"""Called with token, state and message of the instrument whenever its state changes."""
ANSWERING = 30.0
"""Wall time in seconds that an answer may take where nobody says how long. Not tuned: links take seconds at most."""
_STARTING = 120.0
"""Wall time in seconds that a driver may take to be imported and to connect. Not tuned: some read models from disk."""
_ENDING = 5.0
"""Wall time in seconds that a process has to end by itself."""


class DriverLostError(ConnectionError):
    """A driver's process has ended, or does not answer; the next question starts another one."""


class DriverProcess:
    """A driver's process, which is started again by the next question after it has ended.

    Args:
        program: Python code that serves the driver, given the number of the file that is the line.
        order: what it is to serve; sent first.
        log: file for what the driver prints.
        limit: wall time in seconds that an answer may take.
        context: numbers the runs of plans, and gets their documents.
    """

    def __init__(self, program: str, order: Any, log: Path, limit: float, context: RunContext) -> None:
        self._program, self._order, self._log, self._limit = program, order, log, limit
        self._context = context
        self._asking, self._sending = threading.Lock(), threading.Lock()
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._process: subprocess.Popen[bytes] | None = None
        self._latest: subprocess.Popen[bytes] | None = None
        self._closed = False
        self.on_state: OnState = lambda *_: None
        self.on_loss: Callable[[DriverLostError], None] = lambda _: None

    @property
    def pid(self) -> int | None:
        """Number of the process; None while there is none."""
        return None if self._process is None else self._process.pid

    def call(self, name: str, *values: Any) -> Any:
        """Return what a method of the driver's instrument gives; start the process first where there is none.

        Raises:
            DriverLostError: the process ends, or does not answer in time and is ended.
            Exception: what the method raises.
        """
        with self._asking:
            if self._process is None:
                self._start()
            return self._ask(("call", name, values), self._limit)

    def close(self) -> None:
        """End the process."""
        with self._asking:
            self._closed = True
            if self._process is not None:
                with contextlib.suppress(OSError), self._sending:
                    self._line.send(("close",))
                self._end(patience=_ENDING)

    def _start(self) -> None:
        """Start the process, and wait until it serves."""
        if self._closed:
            raise DriverLostError("the driver's process is closed with its laboratory")
        ours, theirs = socket.socketpair()
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with theirs, self._log.open("ab") as log:
            command = [sys.executable, "-P", "-c", self._program, str(theirs.fileno())]
            self._process = subprocess.Popen(  # in a session of its own, which Ctrl-C does not reach
                command, pass_fds=[theirs.fileno()], stdout=log, stderr=log, start_new_session=True
            )
        self._latest, self._line = self._process, Connection(ours.detach())
        self._answers = queue.SimpleQueue()
        ears = (self._line, self._process, self._answers)
        threading.Thread(target=self._listen, args=ears, name="driver", daemon=True).start()
        self._ask(self._order, _STARTING)

    def _ask(self, message: Any, limit: float) -> Any:
        try:
            with self._sending:
                self._line.send(message)
            kind, value = self._answers.get(timeout=limit)
        except queue.Empty:
            self._end(patience=0.0)
            raise DriverLostError(
                f"the driver does not answer within {limit:g} s; its process was ended, and is started again"
            ) from None
        except OSError as error:
            self._end(patience=0.0)
            raise DriverLostError(f"the driver's process has ended ({error}); see {self._log}") from error
        if kind == "lost":
            self._end(patience=0.0)
            raise value
        if kind == "error":
            raise value
        return value

    def _listen(
        self, line: Connection, process: subprocess.Popen[bytes], answers: queue.SimpleQueue[tuple[str, Any]]
    ) -> None:
        """Take what the process says until it has ended."""
        try:
            while True:
                self._take(line.recv(), answers)
        except (EOFError, OSError, pickle.UnpicklingError):
            line.close()
        lost = DriverLostError(f"the driver's process {_ended(process)}; see {self._log}")
        answers.put(("lost", lost))
        if process is self._latest and not self._closed:
            self.on_loss(lost)

    def _take(self, message: tuple[Any, ...], answers: queue.SimpleQueue[tuple[str, Any]]) -> None:
        match message:
            case ("answer" | "error" as kind, value):
                answers.put((kind, value))
            case ("state", token, state, text):
                self.on_state(token, state, text)
            case ("document", name, document):
                self._context.publish(name, document)
            case ("number",):
                with self._sending:
                    self._line.send(("number", self._context.scan_id()))

    def _end(self, patience: float) -> None:
        """End the process, by force where it does not end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ended(process: subprocess.Popen[bytes]) -> str:
    """Return how a process ended."""
    try:
        code = process.wait(_ENDING)
    except subprocess.TimeoutExpired:
        return "no longer answers"
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
