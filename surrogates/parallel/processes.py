"""Worker processes for a function of one argument: plain children that talk by pickles over pipes.

Unlike ``multiprocessing`` this never imports the caller's main script again, so that it works in scripts, notebooks and
tests alike, and a worker ends by itself when its parent is killed, because its standard input ends.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, suppress
from itertools import islice
from queue import SimpleQueue
from typing import IO, Any, Self, TypeVar, cast

from campaigns.errors import ModelError

T = TypeVar("T")
R = TypeVar("R")

_START = "from surrogates.parallel.processes import serve; serve()"


def map_in_processes(function: Callable[[T], R], tasks: Iterable[T], processes: int) -> Iterator[tuple[int, R]]:
    """Yield the index of each task with ``function(task)``, in the order in which they end.

    The function must be importable; it, the tasks and the results are pickled. Tasks are taken as they are needed, so
    that no more than two for each process are held.

    Raises:
        ModelError: the function raised one, or a worker died.
    """
    idle: SimpleQueue[_Worker] = SimpleQueue()

    def ask(task: T) -> R:
        worker = idle.get()
        try:
            return cast(R, worker.ask(task))
        finally:
            idle.put(worker)

    with ExitStack() as workers, ThreadPoolExecutor(processes) as threads:
        for _ in range(processes):
            idle.put(workers.enter_context(_Worker(function)))
        try:
            yield from _as_they_end(lambda task: threads.submit(ask, task), tasks, 2 * processes)
        finally:
            threads.shutdown(cancel_futures=True)


def _as_they_end(submit: Callable[[T], Future[R]], tasks: Iterable[T], most: int) -> Iterator[tuple[int, R]]:
    """Yield index and result of each task, with at most so many submitted."""
    waiting: dict[Future[R], int] = {}
    upcoming = enumerate(tasks)
    while True:
        for index, task in islice(upcoming, most - len(waiting)):
            waiting[submit(task)] = index
        if not waiting:
            return
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            yield waiting.pop(future), future.result()


class _Worker:
    """One child process that holds the function."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        path = os.pathsep.join(folder for folder in sys.path if folder)
        environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([sys.executable, "-P", "-c", _START], stdin=pipe, stdout=pipe, env=environment)
        self._function = function
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, task: object) -> object:
        """Return the function's answer to one task, or raise the error that it raised."""
        try:
            answer = self._exchange(task)
        except (EOFError, BrokenPipeError) as error:
            code = self._process.wait()
            raise ModelError(
                f"a worker process died with exit code {code} (its own message is on standard error; -9 often means "
                "too little memory); start again: what was computed is kept"
            ) from error
        if isinstance(answer, ModelError):
            raise answer
        return answer

    def _exchange(self, task: object) -> object:
        requests, answers = cast(IO[bytes], self._process.stdin), cast(IO[bytes], self._process.stdout)
        if not self._told:
            pickle.dump(self._function, requests)
            self._told = True
        pickle.dump(task, requests)
        requests.flush()
        return pickle.load(answers)


def serve() -> None:
    """Answer tasks from standard input until it ends; what libraries print goes to standard error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    with suppress(BrokenPipeError), os.fdopen(os.dup(1), "wb") as answers:  # a parent that was killed hears nothing
        os.dup2(2, 1)
        function = pickle.load(sys.stdin.buffer)
        while (task := _next_task()) is not _END:
            pickle.dump(answer(function, task), answers)
            answers.flush()


_END = object()


def _next_task() -> object:
    try:
        return pickle.load(sys.stdin.buffer)
    except EOFError:
        return _END


def answer(function: Callable[[Any], object], task: object) -> object:
    """Return the function's answer, or the expected error that it raised."""
    try:
        return function(task)
    except ModelError as error:
        return error
