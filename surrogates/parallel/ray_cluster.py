"""Ray: the parts of a large computation on a cluster. The one file that knows it."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import islice
from typing import Any, TypeVar

from campaigns.errors import ModelError
from surrogates.parallel.processes import answer

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 2  # tasks for each processor that are sent before they are needed
_PATIENCE = 5.0  # seconds


def trouble() -> str | None:
    """Return why no Ray cluster can be used, or None; without importing Ray."""
    if find_spec("ray") is None:
        return "Ray is not installed; pip install 'athanor-sdl[ray]', or write compute: {kind: processes} in the lab"
    return None


def map_on_cluster(function: Callable[[T], R], tasks: Iterable[T], address: str) -> Iterator[tuple[int, R]]:
    """Yield the index of each task with ``function(task)``, in the order in which they end.

    The function must be importable on the cluster's machines; it, the tasks and the results are pickled. Tasks are
    taken as they are needed, two for each processor. Ray repeats those whose machine was lost.

    Args:
        function: what to run.
        tasks: its arguments.
        address: host:port of the head, or auto for the cluster that runs on this machine.

    Raises:
        ModelError: the function raised one, Ray is not installed, or the cluster cannot be reached or is lost.
    """
    reason = trouble()
    if reason is not None:
        raise ModelError(reason)
    import ray

    with _connected(address):
        try:
            yield from _as_they_end(function, tasks)
        except ray.exceptions.RayError as error:
            raise ModelError(
                f"the Ray cluster at {address} failed: {error}; start again: what was computed is kept"
            ) from error


def _as_they_end(function: Callable[[T], R], tasks: Iterable[T]) -> Iterator[tuple[int, R]]:
    import ray

    ask, shared = ray.remote(num_cpus=1)(answer), ray.put(function)
    most = _AHEAD * max(int(ray.cluster_resources().get("CPU", 1)), 1)
    waiting: dict[Any, int] = {}
    upcoming = enumerate(tasks)
    while True:
        for index, task in islice(upcoming, most - len(waiting)):
            waiting[ask.remote(shared, task)] = index
        if not waiting:
            return
        (ended, *_), _ = ray.wait(list(waiting), num_returns=1)
        result = ray.get(ended)
        if isinstance(result, ModelError):
            raise result
        yield waiting.pop(ended), result


@contextmanager
def _connected(address: str) -> Iterator[None]:
    """Join the cluster for a while, unless this process is in one already."""
    import ray

    if ray.is_initialized():
        yield
        return
    try:
        _knock(address)
        with _handlers_kept():
            ray.init(address=address, configure_logging=False, log_to_driver=False)
    except (OSError, ValueError, RuntimeError, SystemExit) as error:  # Ray exits where it finds no cluster
        raise ModelError(
            f"no Ray cluster at {address} ({error}); start one by 'ray start --head', or correct lab.compute.address"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise an OSError at once where nobody listens; Ray itself tries for two minutes."""
    if address != "auto":
        host, _, port = address.rpartition(":")
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()


@contextmanager
def _handlers_kept() -> Iterator[None]:
    """Put back the handler of SIGTERM, which Ray replaces."""
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)
