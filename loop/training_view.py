"""What ``athanor surrogate`` shows while it works: bars in a terminal, a few lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from loop.show import console
from loop.training_words import amount

if TYPE_CHECKING:
    from surrogates.training.train import Report

_LINES = 10  # into a pipe, of one training


@contextmanager
def epochs_shown(unit: str) -> Iterator[Callable[[Report], None]]:
    """Yield what shows an epoch that has ended."""
    if not sys.stdout.isatty():
        yield lambda report: _print_epoch(report, unit)
        return
    with _bars() as bars:
        tasks: dict[int, int] = {}

        def show(report: Report) -> None:
            number = report.training
            if number not in tasks:
                tasks[number] = bars.add_task(_title(report), total=report.epochs)
            bars.update(tasks[number], completed=report.epoch.number, description=_words(report, unit))  # type: ignore[arg-type]

        yield show


@contextmanager
def steps_shown() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows how much of something is done; it is told what, how much, and of how much."""
    if not sys.stdout.isatty():
        yield lambda _doing, _done, _total: None
        return
    with _bars() as bars:
        tasks: dict[str, int] = {}

        def show(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bars.add_task(doing, total=total)
            bars.update(tasks[doing], completed=done, total=total)  # type: ignore[arg-type]

        yield show


def _bars() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(30))
    times = (TextColumn("{task.completed:.0f} of {task.total:.0f}"), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, *times, TextColumn("left"), console=console())


def _print_epoch(report: Report, unit: str) -> None:
    number = report.epoch.number
    if number == 1 or number % max(report.epochs // _LINES, 1) == 0:
        print(f"epoch {number} of {report.epochs}: {_words(report, unit)}", flush=True)


def _words(report: Report, unit: str) -> str:
    errors = f"{_title(report)}: training error {amount(report.epoch.training, unit)}"
    best = "" if report.best is None else f", best {amount(report.best.validation, unit)} at {report.best.number}"
    return f"{errors}, validation {amount(report.epoch.validation, unit)}{best}"


def _title(report: Report) -> str:
    return "training" if report.trainings == 1 else f"training {report.training} of {report.trainings}"
