"""The report of a trained model: one HTML file beside it that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from loop.core.formatting import duration
from loop.report.html import Page, TableCell, captioned, chart, facts, grid, paragraph, sortable, tiles, write_page
from loop.report.training_figures import calibration_figure, learning_figure, loss_figure, parity_figure
from loop.report.training_text import amount, cautions, model_rows, number, percent
from surrogates.training.predictions import Prediction, read_predictions
from surrogates.training.record import TrainingRecord, read_record

REPORT = "report.html"

_Section = tuple[str, str, list[str]]


def write_training_report(folder: Path) -> Path:
    """Write ``report.html`` into a trained model's folder and return its path; the same files give the same bytes.

    Raises:
        ModelError: the folder is no trained model.
        OSError: the file cannot be written.
    """
    record, predictions = read_record(folder), read_predictions(folder)
    sections: list[_Section] = [
        ("predictions", "Predicted against given", _predictions(record, predictions)),
        ("training", "Training", _training(record)),
        ("elements", "Error by element", _elements(record, predictions)),
        ("rows", "Held-out rows", _rows(record, predictions)),
        ("reproducibility", "Reproducibility", [facts(model_rows(record))]),
    ]
    title = f"{record.kind}: {record.label}"
    return write_page(Page(title, _header(title, record), sections, _footer(record)), folder / REPORT)


def _header(title: str, record: TrainingRecord) -> str:
    scores, unit = record.scores, record.unit
    numbers = [
        (f"mean absolute error [{unit}]", number(scores.mae)),
        (f"always saying the mean [{unit}]", number(scores.mean_mae)),
        ("R² [1]", "–" if scores.r2 is None else f"{scores.r2:.3f}"),
        ("rank correlation [1]", "–" if scores.spearman is None else f"{scores.spearman:.3f}"),
        ("rows: training, held out", f"{record.sizes.training}, {scores.rows}"),
        ("training", duration(record.seconds)),
    ]
    warnings = "".join(paragraph(text, "status") for text in cautions(record))
    said = f"Trained on {record.source}. The errors are those of {scores.rows} rows that were held out."
    return f"<h1>{escape(title)}</h1>{paragraph(said)}{warnings}{tiles(numbers)}"


def _predictions(record: TrainingRecord, predictions: Sequence[Prediction]) -> list[str]:
    held = record.calibration
    note = (
        f"Held-out rows alone; no {record.sizes.by} is in two of the three parts of the data. Intervals are made from "
        f"the residuals of the {record.sizes.validation} validation rows: quantiles of their sizes, which hold their "
        f"share whatever the errors' distribution, and normal ones with their root mean square, "
        f"{amount(held.sd, record.unit)}."
    )
    i, j = held.levels.index(0.5), held.levels.index(0.95)
    shares = (
        f"50% and 95% intervals contain {percent(held.quantile[i])} and {percent(held.quantile[j])} "
        f"(normal: {percent(held.normal[i])} and {percent(held.normal[j])})"
    )
    spread = f"root mean square error {amount(record.scores.rmse, record.unit)}"
    return [
        paragraph(note, "note"),
        grid(
            [
                captioned("parity", spread, chart(parity_figure(record, predictions))),
                captioned("calibration", shares, chart(calibration_figure(held, record.scores.rows))),
            ]
        ),
    ]


def _training(record: TrainingRecord) -> list[str]:
    note = (
        "Errors of the training rows are those before each step of training with them. The weights of the epoch with "
        "the least validation error were kept."
    )
    charts = [captioned("error over epochs", "", chart(loss_figure(record)))]
    if record.learning_curve:
        caption = "held-out error of models trained with a part of the rows"
        charts.append(captioned("learning curve", caption, chart(learning_figure(record))))
    return [paragraph(note, "note"), grid(charts)]


def _elements(record: TrainingRecord, predictions: Sequence[Prediction]) -> list[str]:
    from pymatgen.core import Composition

    errors: dict[str, list[float]] = {}
    for prediction in predictions:
        for element in Composition(prediction.formula).elements:
            errors.setdefault(element.symbol, []).append(abs(prediction.predicted - prediction.value))
    heads = ["element", "held-out rows", f"mean absolute error [{record.unit}]", f"largest [{record.unit}]"]
    rows = [
        [TableCell(symbol), _count(len(found)), _number(sum(found) / len(found)), _number(max(found))]
        for symbol, found in sorted(errors.items(), key=lambda item: -sum(item[1]) / len(item[1]))
    ]
    return [paragraph("Where the model is weak: rows count for each of their elements.", "note"), sortable(heads, rows)]


def _rows(record: TrainingRecord, predictions: Sequence[Prediction]) -> list[str]:
    unit = record.unit
    heads = ["id", "formula", f"{record.target} [{unit}]", f"predicted [{unit}]", f"error [{unit}]"]
    worst = sorted(predictions, key=lambda p: -abs(p.predicted - p.value))
    rows = [
        [TableCell(p.id), TableCell(p.formula), _number(p.value), _number(p.predicted), _number(p.predicted - p.value)]
        for p in worst
    ]
    return [paragraph("The largest errors first; held_out.csv has the same rows.", "note"), sortable(heads, rows)]


def _footer(record: TrainingRecord) -> str:
    return f"Athanor {record.versions.get('athanor-sdl', '')}, matgl {record.versions.get('matgl', '')}"


def _number(value: float) -> TableCell:
    return TableCell(number(value), value)


def _count(value: int) -> TableCell:
    return TableCell(str(value), float(value))
