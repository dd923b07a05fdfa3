"""What ``athanor surrogate`` shows while it works: bars in a terminal, a few lines anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from loop.core.formatting import unit_text
from loop.report.training_text import amount, number
from loop.terminal.trial_view import console

if TYPE_CHECKING:
    from surrogates.training.train import Report

_LINES = 10  # into a pipe, of one training


@contextmanager
def epochs_shown(unit: str) -> Iterator[Callable[[Report], None]]:
    """Yield what shows an epoch that has ended."""
    if not console().is_terminal:
        yield lambda report: _print_epoch(report, unit)
        return
    with _bars() as bars:
        tasks: dict[int, TaskID] = {}

        def show(report: Report) -> None:
            if report.training not in tasks:
                tasks[report.training] = bars.add_task("", total=report.epochs)
            bars.update(tasks[report.training], completed=report.epoch.number, description=_words(report, unit))

        yield show


@contextmanager
def steps_shown() -> Iterator[Callable[[str, int, int], None]]:
    """Yield what shows how much of something is done; it is told what, how much, and of how much."""
    if not console().is_terminal:
        yield lambda _doing, _done, _total: None
        return
    with _bars() as bars:
        tasks: dict[str, TaskID] = {}

        def show(doing: str, done: int, total: int) -> None:
            if doing not in tasks:
                tasks[doing] = bars.add_task(doing, total=total)
            bars.update(tasks[doing], completed=done, total=total)

        yield show


def _bars() -> Progress:
    columns = (TextColumn("{task.description}", markup=False), BarColumn(16))
    counts = TextColumn("{task.completed:.0f} of {task.total:.0f}")
    return Progress(*columns, counts, TimeRemainingColumn(), console=console())


def _print_epoch(report: Report, unit: str) -> None:
    at, training = report.epoch.number, amount(report.epoch.training, unit)
    if at == 1 or at % max(report.epochs // _LINES, 1) == 0:
        print(f"epoch {at} of {report.epochs}, {_words(report, unit)}, of the training rows {training}", flush=True)


def _words(report: Report, unit: str) -> str:
    best = "" if report.best is None else f" (best {number(report.best.validation)})"
    return f"{_title(report)}: error {number(report.epoch.validation)}{best}{unit_text(unit)}"


def _title(report: Report) -> str:
    return "training" if report.trainings == 1 else f"training {report.training} of {report.trainings}"
