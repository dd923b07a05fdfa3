"""Processes of their own that need not load for seconds what a campaign needs: they are forked from one that has."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["loop.cli.run_command", "loop.report.campaign_report", "loop.run", "simulators.lab_factory", "sklearn.tree"]
)


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
