"""Calls of the user's own code that come back within a time limit, whatever that code does."""

from __future__ import annotations

import ctypes
import sys
import traceback
from collections.abc import Callable
from threading import Thread
from typing import Generic, TypeVar

Found = TypeVar("Found")


class UserCodeError(Exception):
    """The user's code raised something, be it an exit; ``raised`` holds what."""

    def __init__(self, raised: BaseException) -> None:
        self.raised = raised
        super().__init__(str(raised))


class OverdueError(Exception):
    """The user's code has not come back; ``lines`` holds where it is, ``file:line`` from the outermost call inwards."""

    def __init__(self, lines: list[tuple[str, int]]) -> None:
        self.lines = lines
        super().__init__()


def call_within(seconds: float, function: Callable[[], Found]) -> Found:
    """Return what a function returns, which runs in a thread of its own.

    So Ctrl-C is heard meanwhile, and an exit that the function raises ends nothing but the function. One that is
    overdue is made to end as soon as it runs Python; code that is not Python's goes on until the process ends.

    Raises:
        UserCodeError: it raised something.
        OverdueError: it has not come back in time.
    """
    call = _Call(function)
    call.start()
    call.join(seconds)
    if call.found:
        return call.found[0]
    if call.raised is not None:
        raise UserCodeError(call.raised) from call.raised
    lines = call.lines()
    call.end()
    raise OverdueError(lines)


class _Call(Thread, Generic[Found]):
    """Keeps what a function returns, or raises."""

    def __init__(self, function: Callable[[], Found]) -> None:
        super().__init__(name="user code", daemon=True)
        self._function = function
        self.found: list[Found] = []
        self.raised: BaseException | None = None

    def run(self) -> None:
        """Call the function."""
        try:
            self.found.append(self._function())
        except BaseException as error:  # noqa: BLE001 - told by the caller, as exits are
            self.raised = error

    def lines(self) -> list[tuple[str, int]]:
        """Return the lines that are being run."""
        frame = sys._current_frames().get(self.ident or 0)
        return [(one.filename, one.lineno or 0) for one in traceback.extract_stack(frame)] if frame else []

    def end(self) -> None:
        """Raise an exit in the thread, as soon as it runs Python again."""
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(SystemExit))
