"""What the commands of ``athanor surrogate`` do."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from campaigns.errors import ModelError
from loop.core.formatting import unit_text
from loop.report.training_text import SHOWN, amount, cautions, model_rows, number, percent, score_rows
from loop.terminal.console import Rows, console, new_table, print_rows, print_tables
from surrogates.training.model_folders import (
    check_folder_unused,
    chgnet_weights,
    fresh_folder,
    hub_models,
    trained_models,
)
from surrogates.training.record import Kind, TrainingRecord, read_record

if TYPE_CHECKING:
    from surrogates.training.dataset import Dataset, Skipped, Target
    from surrogates.training.evaluate import Evaluation
    from surrogates.training.train import Report

_LISTED = 10
_LINES = 10  # into a pipe, of one training


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """What ``train`` was asked for."""

    data: Path
    target: str
    out: Path
    structure: str
    max_rows: int | None
    kind: Kind
    epochs: int
    seed: int
    learning_curve: bool


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What ``evaluate`` was asked for."""

    folder: Path
    data: Path
    target: str | None
    structure: str
    max_rows: int | None


def train_model(request: TrainRequest) -> None:
    """Train a model, write its folder, and say how good it is.

    Raises:
        UnitError: the target has no unit, or an unknown one.
        CampaignError: the table cannot be used.
        ModelError: the folder is taken, or there is too little to learn from.
    """
    from surrogates.training.dataset import parse_target

    check_folder_unused(request.out)
    data = _read(request.data, request.structure, parse_target(request.target)).thinned(request.max_rows)
    print(f"{len(data.ids)} rows with a structure and a value, {len(data.skipped)} left out", flush=True)

    from loop.report.training_report import write_training_report
    from surrogates.training.train import TrainingSettings, train

    settings = TrainingSettings(request.kind, request.epochs, request.seed, request.learning_curve)
    with epochs_shown(data.target.unit) as on_epoch:
        trained = train(data, settings, on_epoch)
    with fresh_folder(request.out) as partial:
        record = trained.write(partial)
        write_training_report(partial)
    print_rows([*_summary(record), ("written", f"{request.out}, with report.html")])


def print_models(folder: Path) -> None:
    """Print the trained models below a folder, and what is there without training.

    Raises:
        ModelError: there is no such folder.
    """
    if not folder.is_dir():
        raise ModelError(f"got {folder}, which is no folder; name one in which to look for trained models")
    table = new_table("folder", "model", "target", "error", "of the mean", "rows")
    for place, found in trained_models(folder):
        table.add_row(*(Text(text) for text in _line(place, found)))
    print_tables(table if table.row_count else Text(f"no trained model in {folder.absolute()} or below"), "")
    print_rows(
        [
            ("pretrained, in CHGNet's wheel", ", ".join(chgnet_weights()) or "none"),
            ("pretrained, in matgl's cache", ", ".join(hub_models()) or "none"),
        ]
    )


def print_model(folder: Path) -> None:
    """Print all that is known of a trained model.

    Raises:
        ModelError: the folder is no trained model.
    """
    record = read_record(folder)
    print_rows([*model_rows(record), *map(_caution, cautions(record))])


def evaluate_model(request: EvaluateRequest) -> None:
    """Compare a model with a table, and print how good it is.

    Raises:
        UnitError: the target's unit is unknown, or of another dimension than the model's.
        CampaignError: the table cannot be used.
        ModelError: the folder is no trained model, or the table has no row that can be used.
    """
    from surrogates.training.dataset import Target, parse_target

    record = read_record(request.folder)
    target = Target(record.target, record.unit) if request.target is None else parse_target(request.target)
    data = _read(request.data, request.structure, target).thinned(request.max_rows).in_unit(record.unit)

    from surrogates.training.evaluate import evaluate

    with steps_shown() as on_step:
        found = evaluate(request.folder, data, lambda done, total: on_step("predicting", done, total))
    print_rows([("model", f"{request.folder}: {record.kind}, {record.label}"), *_evaluation(found, record, data)])


def _read(path: Path, structure: str, target: Target) -> Dataset:
    gc.enable()
    from surrogates.training.label_table import read_table  # pymatgen takes a second to import

    with steps_shown() as on_step:
        data = read_table(path, structure, target, on_step)
    _list_skipped(data.skipped)
    return data


def _list_skipped(skipped: Sequence[Skipped]) -> None:
    for row in skipped[:_LISTED]:
        print(f"left out: {row.where}: {row.reason}")
    if len(skipped) > _LISTED:
        print(f"left out: and {len(skipped) - _LISTED} more")


def _summary(record: TrainingRecord) -> Rows:
    labels = (
        "rows",
        "mean absolute error",
        "root mean square error",
        "R²",
        "rank correlation",
        "95% interval",
        "epochs",
    )
    rows = dict(model_rows(record))
    return [*((label, rows[label]) for label in labels), *map(_caution, cautions(record))]


def _caution(text: str) -> tuple[str, str]:
    label, _, rest = text.partition(": ")
    return label.lower(), rest


def _line(place: Path, found: TrainingRecord | ModelError) -> tuple[str, ...]:
    if isinstance(found, ModelError):
        return (str(place), "–", str(found), "", "", "")
    scores, unit = found.scores, found.unit
    return (
        str(place), found.kind, found.label, amount(scores.mae, unit), amount(scores.mean_mae, unit), str(found.rows)
    )  # fmt: skip


def _evaluation(found: Evaluation, record: TrainingRecord, data: Dataset) -> Rows:
    rows = [("rows", f"{found.scores.rows}, {len(data.skipped)} more left out"), *score_rows(found.scores, record.unit)]
    for level, share in zip(found.levels, found.coverage, strict=True):
        if level in SHOWN:
            rows.append((f"{percent(level)} interval", f"contains {percent(share)} of the values"))
    if found.familiar is not None:
        rows.append(
            ("error on known elements", f"{amount(found.familiar.mae, record.unit)}, {found.familiar.rows} rows")
        )
    if found.unseen:
        strange = ", ".join(f"{symbol} in {count} rows" for symbol, count in found.unseen.items())
        rows.append(("warning", f"elements that were not in the training rows: {strange}"))
    if data.source in record.source:
        said = f"the model was trained with a table of this name, {data.source}; rows that it knows make it look better"
        rows.append(("warning", said))
    if not found.scores.useful:
        rows.append(("warning", "on these rows the model is no better than always saying the mean of its training"))
    return rows


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
