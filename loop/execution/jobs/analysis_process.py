"""Users' analyses in a process of their own: one that hangs, exits or crashes costs its own result and nothing else.

The process is started for the first analysis and kept for the next ones. It ends with its parent, even when that is
killed, and is started anew after it was ended itself.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from campaigns.errors import SampleError
from loop.execution.jobs.analysis_child import AnalysisTask, FailedAnalysisError

_START = "from loop.execution.jobs.analysis_child import serve_analyses; serve_analyses()"
_POLL = 0.1
"""Wall time in seconds between two looks at whether an analysis is still wanted; it decides about no result."""
_TRIES = 2
"""Times that an analysis is asked of a process that dies: one that was killed may have had nothing to do with it."""


class AbandonedError(Exception):
    """Nobody waits for the analysis any more."""


class AnalysisProcess:
    """A process that analyses; it is started when first asked, and anew when it has ended or is to look elsewhere."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._link: Connection | None = None
        self._place: tuple[str, ...] = ()
        self._lock = threading.Lock()

    def run(self, task: AnalysisTask, limit: float, abandoned: Callable[[], bool] = lambda: False) -> object:
        """Return what an analysis returns: a measurement, or else the name of the type of what it is.

        Args:
            task: what is to be done.
            limit: longest wall time in seconds that it may take.
            abandoned: asked meanwhile whether nobody waits any more.

        Raises:
            SampleError: the analysis raises it.
            FailedAnalysisError: it raises another error, exits, takes too long, or its process dies.
            AbandonedError: nobody waits any more.
        """
        with self._lock:
            for attempt in range(1, _TRIES + 1):
                try:
                    answer = self._exchange(task, limit, abandoned)
                except (EOFError, OSError) as error:
                    code = self._end()
                    if attempt == _TRIES:
                        raise FailedAnalysisError(_died(code), "its process died") from error
                else:
                    break
        if isinstance(answer, SampleError | FailedAnalysisError):
            raise answer
        return answer

    def close(self) -> None:
        """End the process."""
        with self._lock:
            self._end()

    def forget(self) -> None:
        """Leave the process to the parent from which this one was forked."""
        self._lock = threading.Lock()
        if self._process is not None:
            self._process.returncode = 0  # else it is taken for a child of this one
        self._process = self._link = None

    def _exchange(self, task: AnalysisTask, limit: float, abandoned: Callable[[], bool]) -> object:
        link, ends = self._linked(), time.monotonic() + limit
        sender = threading.Thread(target=_send, args=(link, pickle.dumps(task)), name="analysis", daemon=True)
        sender.start()  # a process that reads nothing would else be waited for without end
        while not link.poll(0.0 if abandoned() else _POLL):
            if abandoned():
                self._end()
                raise AbandonedError
            if time.monotonic() > ends:
                self._end()
                said = f"it took longer than {limit:g} s and was ended; correct it, or allow more by analysis_timeout"
                raise FailedAnalysisError(said, "it took too long")
        answer: object = pickle.loads(link.recv_bytes())
        return answer

    def _linked(self) -> Connection:
        """Return the link to a process that looks for modules where this one does now."""
        place = tuple(folder for folder in sys.path if folder)
        if self._place != place:
            self._end()
        if self._process is None or self._process.poll() is not None or self._link is None:
            self._end()
            self._start(place)
        assert self._link is not None  # noqa: S101 - it has just been made
        return self._link

    def _start(self, place: tuple[str, ...]) -> None:
        ours, theirs = socket.socketpair()
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(place), "OMP_NUM_THREADS": "1"}
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", _START, str(theirs.fileno())],
                stdin=subprocess.PIPE,  # ends with this process
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is the controller's to handle
            )
        self._link, self._place = Connection(ours.detach()), place

    def _end(self) -> int:
        """End the process, whatever it does; return its exit code."""
        process, link = self._process, self._link
        self._process = self._link = None
        if link is not None:
            link.close()
        if process is None:
            return 0
        process.kill()
        process.communicate()
        return process.returncode


PROCESS = AnalysisProcess()
"""The process of this one: light to keep, and shared by all that is analysed here."""
atexit.register(PROCESS.close)
os.register_at_fork(after_in_child=PROCESS.forget)


def _send(link: Connection, task: bytes) -> None:
    with contextlib.suppress(OSError):  # whoever waits for the answer sees that there is none
        link.send_bytes(task)


def _died(code: int) -> str:
    how = f"by signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"with exit code {code}"
    return f"its process died {how}, twice; its last messages are on standard error"
