"""The other end of a line: takes questions about an instrument one after the other, and tells what its job does."""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from campaigns.errors import AthanorError, StepError, raised_by
from instruments.step_errors import is_silence, reason_of

_NUMBERING = 30.0
"""Wall time in seconds that whoever asks has to number a run."""


class AnswerLine:
    """Answers questions one after the other, while what else is said comes at once.

    Args:
        line: to whoever asks.
        ended: called when the line has ended, in the thread that listens.
        unsent: called when something could not be sent, so that what comes after it would be nonsense.

    Attributes:
        heard: when something was heard last, in seconds of a clock that never jumps.
    """

    def __init__(self, line: Connection, ended: Callable[[], None], unsent: Callable[[], None] = lambda: None) -> None:
        self._line, self._ended, self._unsent, self._sending = line, ended, unsent, threading.Lock()
        self._questions: queue.SimpleQueue[tuple[str, tuple[Any, ...]] | None] = queue.SimpleQueue()
        self._numbers: queue.SimpleQueue[int] = queue.SimpleQueue()
        self.heard = time.monotonic()

    def begin(self) -> Any:
        """Return what is said first, and listen from then on.

        Raises:
            EOFError, OSError: nobody is there.
        """
        first = self._line.recv()
        threading.Thread(target=self._listen, name="line", daemon=True).start()
        return first

    def serve(self, answer: Callable[[str, tuple[Any, ...]], Any]) -> None:
        """Answer questions until the line has ended."""
        while (question := self._questions.get()) is not None:
            self.reply(lambda asked=question: answer(*asked))  # type: ignore[misc]

    def reply(self, answer: Callable[[], Any]) -> bool:
        """Send an answer, or what it raises; return whether it raised nothing."""
        try:
            found = ("answer", answer())
        except BaseException as error:  # noqa: BLE001  a driver may raise anything, and whoever asks is told
            found = ("error", portable(error))
        self.send(*found)
        return found[0] == "answer"

    def number(self) -> int:
        """Return the number of the next run, which whoever asks gives.

        Raises:
            queue.Empty: there is no answer.
        """
        self.send("number")
        return self._numbers.get(timeout=_NUMBERING)

    def send(self, *message: Any) -> None:
        """Say something; nothing happens where nobody is there any more."""
        with self._sending:
            try:
                self._line.send(message)
            except OSError:
                self._unsent()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError, pickle.UnpicklingError):
            while (message := self._line.recv()) != ("close",):
                self.heard = time.monotonic()
                kind, *rest = message
                if kind == "call":
                    self._questions.put((rest[0], rest[1]))
                else:
                    self._numbers.put(rest[0])
        self._ended()
        self._questions.put(None)
        with self._sending:
            self._line.close()


def portable(error: BaseException) -> BaseException:
    """Return an error that can be sent to another process: itself where that works, else its words.

    One that says only that a device does not answer still says so there.
    """
    if is_silence(error):
        return (TimeoutError if isinstance(error, TimeoutError) else ConnectionError)(reason_of(error))
    with contextlib.suppress(Exception):
        if isinstance(error, AthanorError) and str(pickle.loads(pickle.dumps(error))) == str(error):
            return error
    return StepError(f"the driver raised {raised_by(error)}")
