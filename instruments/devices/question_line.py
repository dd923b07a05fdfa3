"""The line to an instrument that another process serves: it is asked, and says meanwhile what its job does."""

from __future__ import annotations

import contextlib
import pickle
import queue
import threading
from abc import abstractmethod
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from instruments.run_context import RunContext

OnState = Callable[[str, str, str], None]
"""Called with token, state and message of the instrument whenever its state changes."""
ANSWERING = 30.0
"""Wall time in seconds that an answer may take where nobody says how long. Not tuned: links take seconds at most."""
_OPENING = 120.0
"""Wall time in seconds that a driver may take to be imported and to connect. Not tuned: some read models from disk."""


class LineLostError(ConnectionError):
    """The process that serves an instrument has ended, or does not answer; the next question opens another line."""


class QuestionLine:
    """Asks an instrument, on a line that is opened by the first question, and again by the next one after its end.

    Args:
        limit: wall time in seconds that an answer may take.
        context: numbers the runs of plans, and gets their documents.

    Attributes:
        context: the same.
        on_state: called whenever the instrument's state changes.
        on_loss: called when the line has ended by itself.
    """

    def __init__(self, limit: float, context: RunContext) -> None:
        self.context, self._limit = context, limit
        self._asking, self._sending = threading.Lock(), threading.Lock()
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._line: Connection | None = None
        self._latest: Connection | None = None
        self._always: dict[str, tuple[Any, ...]] = {}
        self._closed = False
        self.on_state: OnState = lambda *_: None
        self.on_loss: Callable[[LineLostError], None] = lambda _: None

    @property
    def where(self) -> str:
        """Which process serves the instrument, for people; empty where that says nothing."""
        return ""

    @property
    def is_open(self) -> bool:
        """Whether there is a line."""
        return self._line is not None

    def call(self, name: str, *values: Any) -> Any:
        """Return what a method of the instrument gives; open the line first where there is none.

        Raises:
            LineLostError: the process ends, or does not answer in time.
            Exception: what the method raises.
        """
        with self._asking:
            if self._line is None:
                self._begin()
            return self._ask(("call", name, values), self._limit)

    def always(self, name: str, *values: Any) -> None:
        """Call a method now, and whenever a line is opened again, before anything else is asked."""
        self._always[name] = values
        self.call(name, *values)

    def close(self) -> None:
        """End the line for good."""
        with self._asking:
            self._closed = True
            if self._line is not None:
                with contextlib.suppress(OSError), self._sending:
                    self._line.send(("close",))
                self._end(at_once=False)

    @abstractmethod
    def _open(self) -> tuple[Connection, Any]:
        """Open a line, and return it with what is to be said first.

        Raises:
            LineLostError: there is nobody.
        """

    @abstractmethod
    def _end_of(self) -> str:
        """Return how whoever served the instrument ended, for people."""

    @abstractmethod
    def _shut(self, *, at_once: bool) -> None:
        """Let go of the other end, by force if it has to be at once."""

    def _begin(self) -> None:
        """Open the line, and wait until the instrument is served."""
        if self._closed:
            raise LineLostError("the line is closed with its laboratory")
        line, first = self._open()
        self._line = self._latest = line
        self._answers = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(line, self._answers), name="line", daemon=True).start()
        try:
            self._ask(first, _OPENING)
            for name, values in self._always.items():
                self._ask(("call", name, values), self._limit)
        except BaseException:
            self._end(at_once=True)
            raise

    def _ask(self, message: Any, limit: float) -> Any:
        assert self._line is not None  # noqa: S101 - it was opened just now
        try:
            with self._sending:
                self._line.send(message)
            kind, value = self._answers.get(timeout=limit)
        except queue.Empty:
            self._end(at_once=True)
            raise LineLostError(f"{self._who} does not answer within {limit:g} s, and is asked on a new line") from None
        except OSError as error:
            self._end(at_once=True)
            raise LineLostError(f"{self._who} has ended ({error}){self._look_at}") from error
        if kind == "lost":
            self._end(at_once=True)
            raise value
        if kind == "error":
            raise value
        return value

    _who = "who serves the instrument"
    _look_at = ""

    def _listen(self, line: Connection, answers: queue.SimpleQueue[tuple[str, Any]]) -> None:
        """Take what the other end says until there is none."""
        try:
            while True:
                self._take(line, line.recv(), answers)
        except (EOFError, OSError, pickle.UnpicklingError):
            line.close()
        lost = LineLostError(f"{self._who} {self._end_of()}{self._look_at}")
        answers.put(("lost", lost))
        with self._asking:  # so that the next question opens another line
            if line is self._line:
                self._end(at_once=True)
        if line is self._latest and not self._closed:
            self.on_loss(lost)

    def _take(self, line: Connection, message: tuple[Any, ...], answers: queue.SimpleQueue[tuple[str, Any]]) -> None:
        match message:
            case ("answer" | "error" as kind, value):
                answers.put((kind, value))
            case ("state", token, state, text):
                self.on_state(token, state, text)
            case ("document", name, document):
                self.context.publish(name, document)
            case ("number",):
                with self._sending:
                    line.send(("number", self.context.scan_id()))

    def _end(self, *, at_once: bool) -> None:
        line, self._line = self._line, None
        if line is not None:
            self._shut(at_once=at_once)
