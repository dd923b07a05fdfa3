"""The process in which users' analyses run: it takes tasks, and gives what they return or raise."""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import sys
import threading
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from campaigns.errors import SampleError
from campaigns.values import Measurement


class FailedAnalysisError(Exception):
    """An analysis has failed.

    Args:
        said: what it raised and where, or what else became of it.
        fault: the same for the same fault, whatever the data.
    """

    def __init__(self, said: str, fault: str) -> None:
        super().__init__(said, fault)
        self.said, self.fault = said, fault


@dataclass(frozen=True, slots=True)
class AnalysisTask:
    """What is to be analysed, and by what.

    Attributes:
        path: package.module:name of the analysis.
        settings: its keyword arguments.
        data: signal to its reading.
        context: an ``instruments.analyses.context.AnalysisContext``.
    """

    path: str
    settings: Mapping[str, Any]
    data: Mapping[str, Any]
    context: Any


def serve_analyses() -> None:
    """Analyse what is sent until nobody sends any more; what analyses print goes to standard error."""
    os.dup2(2, 1)
    threading.Thread(target=_follow_parent, daemon=True).start()
    link = Connection(int(sys.argv[1]))
    with contextlib.suppress(EOFError, OSError):
        while True:
            link.send_bytes(_packed(analysed(pickle.loads(link.recv_bytes()))))


def _follow_parent() -> None:
    """End this process when its parent does, whatever an analysis is at: then standard input ends."""
    while os.read(0, 1):
        pass
    os._exit(1)


def _packed(answer: object) -> bytes:
    try:
        return pickle.dumps(answer)
    except Exception as error:  # noqa: BLE001 - a user's object may raise anything when it is pickled
        return pickle.dumps(FailedAnalysisError(f"what it returned cannot be passed on: {error}", "its result"))


def analysed(task: AnalysisTask) -> object:
    """Return what an analysis returns, or the error that it raises, in this process."""
    module, _, name = task.path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)(task.data, task.context, **task.settings)
    except SampleError as error:
        return SampleError(str(error))
    except BaseException as error:  # noqa: BLE001 - an analysis may raise anything, exit() too
        return failure_of(error)
    return found if isinstance(found, Measurement) else type(found).__name__


def failure_of(error: BaseException) -> FailedAnalysisError:
    """Return what is told of an error: its name and message, and the line of the analysis in which it came."""
    kind = type(error).__name__
    frames = traceback.extract_tb(error.__traceback__)
    frame = frames[1] if len(frames) > 1 else frames[0]  # the first is our own call
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return FailedAnalysisError(f"{kind}: {error} ({place})", f"{kind} at {place}")
