"""The process that tunes: it reads a task, and leaves a folder with the result."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from pathlib import Path

from campaigns.errors import ModelError
from surrogates.training.fine_tune_process import TASK, TuningResult, write_result

_NICE = 10


def main() -> None:
    """Tune as the task in a folder says, then give the folder its name."""
    partial, out = Path(sys.argv[1]), Path(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    threading.Thread(target=_watch, args=(partial,), daemon=True).start()
    os.nice(_NICE)  # the loop comes first
    task = (partial / TASK).read_text(encoding="utf-8")
    write_result(_result(task, partial), task, partial)
    partial.rename(out)


def _watch(partial: Path) -> None:
    """End this process when its parent does: then standard input ends.

    It is read below Python's buffer, whose lock a daemon thread must not hold when the interpreter ends.
    """
    while os.read(0, 1):
        pass
    shutil.rmtree(partial, ignore_errors=True)
    os._exit(1)


def _result(task: str, partial: Path) -> TuningResult:
    from surrogates.training.fine_tune import read_task, tune  # torch, after the parent is watched

    work = read_task(task)
    try:
        return tune(work, partial)
    except ModelError as error:
        return TuningResult("failed", str(error), len(work.data.ids))
