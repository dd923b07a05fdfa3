"""Ctrl-C, heard once or twice."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

_HEARD = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interrupts(stop: Event, abort: Event) -> Iterator[None]:
    """Set ``stop`` on the first SIGINT or SIGTERM and ``abort`` on the second; a third acts as usual."""
    before = {number: signal.getsignal(number) for number in _HEARD}
    next_flags = [abort, stop]

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def hear(_number: int, _frame: FrameType | None) -> None:
        next_flags.pop().set()
        if not next_flags:
            restore()

    for number in _HEARD:
        signal.signal(number, hear)
    try:
        yield
    finally:
        restore()
