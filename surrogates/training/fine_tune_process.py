"""Fine-tuning of a trained model on a campaign's own data, in a process of its own.

The campaign goes on meanwhile: nothing here loads torch, and the child runs on one thread at low priority. The child
ends by itself when its parent is killed; when the child is killed, that is a result too.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter, ValidationError
from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.training.model_folders import check_folder_unused
from surrogates.training.record import read_record

TASK, RESULT, LOG = "task.json", "tuning.json", "log.txt"
_START = "from surrogates.training.fine_tune_child import main; main()"


@dataclass(frozen=True, slots=True)
class TuningRow:
    """One measured material.

    Attributes:
        value: measured, in the unit of the task.
        sd: its standard uncertainty, in the same unit.
    """

    id: str
    structure: Structure
    value: float
    sd: float


@dataclass(frozen=True)
class TuningTask:
    """What to tune, on what, and what to beat.

    Attributes:
        base: folder of the model to begin with; always the campaign's own, so that tuning does not drift.
        current: folder of the model in use, which has to be beaten: the base, or one that was tuned before.
        out: folder to make.
        rows: everything measured so far.
        unit: of the rows' values.
        epochs: most epochs of each training.
        seed: of folds and order of rows.
    """

    base: Path
    current: Path
    out: Path
    rows: Sequence[TuningRow]
    unit: str
    epochs: int
    seed: int


@dataclass(frozen=True, slots=True)
class TuningResult:
    """What came of it.

    Attributes:
        outcome: ``better`` than the model in use, ``no better``, or ``failed``.
        reason: in a sentence, for the log.
        rows: number of materials in the training data.
        before: mean absolute error of the model in use on held-back rows, in the model's unit; None if it failed.
        after: the same of the tuned model.
        folder: the tuned model; None unless it is better.
    """

    outcome: Literal["better", "no better", "failed"]
    reason: str
    rows: int
    before: float | None = None
    after: float | None = None
    folder: Path | None = None


class Tuning:
    """A tuning under way."""

    def __init__(self, task: TuningTask, process: subprocess.Popen[bytes] | None, partial: Path) -> None:
        self._task, self._process, self._partial = task, process, partial
        self._result: TuningResult | None = None

    @property
    def pid(self) -> int | None:
        """Return the number of the child process; None when the result was there before."""
        return None if self._process is None else self._process.pid

    def poll(self) -> TuningResult | None:
        """Return the result if there is one yet."""
        if self._result is None and (self._process is None or self._process.poll() is not None):
            self._result = self._ended()
        return self._result

    def wait(self, timeout: float | None = None) -> TuningResult | None:
        """Return the result as soon as there is one, or None when there is none after ``timeout`` seconds."""
        if self._process is not None:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                return None
        return self.poll()

    def stop(self) -> None:
        """End the process if it still runs, and remove what it has not finished."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        shutil.rmtree(self._partial, ignore_errors=True)

    def _ended(self) -> TuningResult:
        code = 0 if self._process is None else self._process.wait()
        said = "" if code == 0 else _last_line(self._partial / LOG)
        self.stop()
        if code == 0:
            return read_result(self._task.out)
        reason = f"the tuning process ended with code {code} (-9: it was killed, often for want of memory){said}"
        return TuningResult("failed", reason, len(self._task.rows))


def start(task: TuningTask) -> Tuning:
    """Start to tune; a task that was done before has its result at once.

    Raises:
        ModelError: a model is not there, or the folder to make is taken by something else or cannot be written.
    """
    for folder in (task.base, task.current):
        read_record(folder)
    text = task_text(task)
    partial = task.out.absolute().with_name(f".{task.out.name}.partial")
    if (task.out / RESULT).is_file() and _fingerprint(task.out) == task_hash(text):
        return Tuning(task, None, partial)
    check_folder_unused(task.out)
    try:
        shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed together with its child
        partial.mkdir()
        (partial / TASK).write_text(text, encoding="utf-8")
        with (partial / LOG).open("wb") as log:
            return Tuning(task, _process(partial, task.out.absolute(), log.fileno()), partial)
    except OSError as error:
        raise ModelError(f"cannot tune into {task.out}: {error}") from error


def task_text(task: TuningTask) -> str:
    """Return the task as JSON, without the place of its result: what decides about the result."""
    rows = [{"id": row.id, "structure": row.structure.as_dict(), "value": row.value, "sd": row.sd} for row in task.rows]
    folders = {"base": str(task.base.absolute()), "current": str(task.current.absolute())}
    settings = {"unit": task.unit, "epochs": task.epochs, "seed": task.seed}
    return json.dumps({**folders, **settings, "rows": rows}, default=float)


def task_hash(task: str) -> str:
    """Return a hash of a task's text: the same data, models and settings give the same result."""
    return hashlib.sha256(task.encode()).hexdigest()


def write_result(result: TuningResult, task: str, folder: Path) -> None:
    """Write ``tuning.json``; where the tuned model stands is where the file stands."""
    content = {**asdict(result), "folder": None, "fingerprint": task_hash(task)}
    (folder / RESULT).write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def read_result(folder: Path) -> TuningResult:
    """Return what is in ``tuning.json``.

    Raises:
        ModelError: it cannot be read.
    """
    try:
        content = json.loads((folder / RESULT).read_text(encoding="utf-8"))
        del content["fingerprint"]
        content["folder"] = folder if content["outcome"] == "better" else None
        return TypeAdapter(TuningResult).validate_python(content)
    except (OSError, KeyError, TypeError, ValueError, ValidationError) as error:
        raise ModelError(f"{folder / RESULT} cannot be read ({error}); remove {folder}") from error


def _fingerprint(folder: Path) -> str:
    try:
        return str(json.loads((folder / RESULT).read_text(encoding="utf-8"))["fingerprint"])
    except (OSError, KeyError, TypeError, ValueError):
        return ""


def _process(partial: Path, out: Path, log: int) -> subprocess.Popen[bytes]:
    path = os.pathsep.join(folder for folder in sys.path if folder)
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-c", _START, str(partial), str(out)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment)


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ""
    said = [line.strip() for line in lines if line.strip()]
    return f": {said[-1][:300]}" if said else ""
