"""Where the parts of a large computation run: here, in worker processes, or on a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar, assert_never

from campaigns.lab.laboratory import ComputeConfig, ProcessesConfig, RayConfig
from surrogates.parallel.processes import map_in_processes

Item = TypeVar("Item")
R = TypeVar("R")

HERE = ProcessesConfig(kind="processes")
"""This machine, with all of its cores."""

_WORTH_A_WORKER = 10.0  # seconds: a worker takes four to start
_MOST_WORKERS = 8  # each holds half a gigabyte


def spread(
    function: Callable[[Sequence[Item]], R], tasks: Iterator[Sequence[Item]], total: int, compute: ComputeConfig
) -> Iterator[tuple[int, R]]:
    """Yield the index of each task with ``function(task)``, in the order in which they end.

    Tasks are taken as they are needed, a few ahead.

    Args:
        function: an importable function.
        tasks: lists of items, ``total`` items in all.
        total: how many items there are.
        compute: where to run.

    Raises:
        ModelError: the function raised one, a worker died, or the cluster cannot be used.
    """
    match compute:
        case ProcessesConfig():
            yield from _on_this_machine(function, tasks, total)
        case RayConfig(address=address):
            from surrogates.parallel.ray_cluster import map_on_cluster

            yield from map_on_cluster(function, tasks, address)
        case _:
            assert_never(compute)


def _on_this_machine(
    function: Callable[[Sequence[Item]], R], tasks: Iterator[Sequence[Item]], total: int
) -> Iterator[tuple[int, R]]:
    """Run here, and go on in worker processes where that would take too long."""
    done = 0
    for index, task in enumerate(tasks):
        begun = time.perf_counter()
        result = function(task)
        pace = (time.perf_counter() - begun) / len(task)
        done += len(task)
        yield index, result
        # The first task loads weights and says little of the pace.
        if index > 0 and pace * (total - done) > _WORTH_A_WORKER and cores() > 1:
            for later, answer in map_in_processes(function, tasks, min(cores(), _MOST_WORKERS)):
                yield index + 1 + later, answer
            return


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
