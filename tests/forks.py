"""Processes of their own that need not load for seconds what a campaign needs: they are forked from one that has."""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

from loop.cli.app import main

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["tests.preloaded"])


def forked(target: Callable[..., object], *arguments: object, seconds: float = 240.0) -> int | None:
    """Call a function in a process of its own, and return the exit code; None if it was stopped as it took too long."""
    process = _FORKS.Process(target=target, args=arguments)
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return None
    return process.exitcode


class Program:
    """A function in a process of its own and in a folder; ``output`` is what it prints, errors included."""

    def __init__(self, folder: Path, target: Callable[..., object], *arguments: object) -> None:
        reader, writer = _FORKS.Pipe(duplex=False)
        self._process = _FORKS.Process(target=_in_folder, args=(folder, writer, target, *arguments))
        self._process.start()
        writer.close()
        self.output = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def end(self) -> tuple[str, int | None]:
        """Wait for the end, and return what else was printed, and the exit code."""
        with self.output:
            rest = self.output.read()
        self._process.join()
        return rest, self._process.exitcode

    def close(self) -> None:
        """Kill it where it still runs, as after a test that has failed."""
        self._process.kill()
        self._process.join()
        self.output.close()


def athanor(folder: Path, *words: str) -> Program:
    """Return the command ``athanor`` as it runs in a folder."""
    return Program(folder, be_athanor, *words)


def be_athanor(*words: str) -> None:
    """Be the command."""
    sys.argv = ["athanor", *words]
    main()


def _in_folder(folder: Path, output: Connection, target: Callable[..., object], *arguments: object) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    os.chdir(folder)
    target(*arguments)
