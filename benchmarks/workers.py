"""All computations of a benchmark, each once, in worker processes that end with their parent."""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from benchmarks.ledger import Ledger

Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Work(Generic[Job, Result]):
    """How jobs are done, named and kept.

    Attributes:
        run: a function of a module that does a job in what it is about.
        key: a hash of all that decides about a result.
        name: of a job, for people.
        entry: what is kept of a result, in JSON values; None if it is not worth keeping.
        restore: the result of an entry.
    """

    run: Callable[[Any, Job], Result]
    key: Callable[[Job], str]
    name: Callable[[Job], str]
    entry: Callable[[Job, Result], Mapping[str, Any] | None]
    restore: Callable[[Job, Mapping[str, Any]], Result]


@dataclass(frozen=True)
class Office:
    """Where work is done.

    Attributes:
        world: what the jobs are about; sent to each process once.
        processes: jobs at the same time.
        words: what the progress bar counts.
    """

    world: Any
    ledger: Ledger
    console: Console
    processes: int
    words: str


def compute(work: Work[Job, Result], jobs: Sequence[Job], office: Office) -> dict[Job, Result]:
    """Return the results of all jobs; what is on record is not computed again, and all that is computed is recorded."""
    keys = {job: work.key(job) for job in jobs}
    found = {job: office.ledger.find(key) for job, key in keys.items()}
    done = {job: work.restore(job, entry) for job, entry in found.items() if entry is not None}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=office.console) as progress:
        bar = progress.add_task(office.words, total=len(keys), completed=len(done))
        for job, result in _computed(work.run, [job for job in keys if job not in done], office):
            entry = work.entry(job, result)
            if entry is not None:
                office.ledger.add(keys[job], entry)
            done[job] = result
            progress.update(bar, advance=1, description=work.name(job))
    return {job: done[job] for job in jobs}


def _computed(run: Callable[[Any, Job], Result], jobs: Sequence[Job], office: Office) -> Iterator[tuple[Job, Result]]:
    """Yield each job with its result as it ends."""
    if not jobs:
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(office.processes, context, _begin, (office.world,)) as pool:
        futures = {pool.submit(_call, run, job): job for job in jobs}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # what is running is lost, what is waiting never begins


_worlds: list[Any] = []  # of a worker process: sent once, not with each job


def _begin(world: Any) -> None:
    threading.Thread(target=_die_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")  # the peers warn of their own doings
    _worlds.append(world)


def _die_with_parent() -> None:
    """End this process when the one that started it is killed; it would go on with its job, for nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _call(run: Callable[[Any, Job], Result], job: Job) -> Result:
    return run(_worlds[0], job)
