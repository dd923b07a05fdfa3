"""Trained models in words: for the terminal and the report alike."""

from __future__ import annotations

from loop.core.formatting import duration, unit_text
from surrogates.training.record import Scores, TrainingRecord

_ATOM = 0.2
"""A value that more rows share than this is worth a word."""

_FEW = 50

SHOWN = (0.5, 0.8, 0.95)
"""Levels of the intervals that are worth a line."""


def number(value: float) -> str:
    """Return a number with three significant digits."""
    return f"{value:.3g}"


def amount(value: float, unit: str) -> str:
    """Return a number with its unit."""
    return f"{number(value)}{unit_text(unit)}"


def percent(share: float) -> str:
    """Return a share as a percentage."""
    return f"{100 * share:.0f}%"


def score_rows(scores: Scores, unit: str) -> list[tuple[str, str]]:
    """Return labelled lines of a model's scores."""
    return [
        ("mean absolute error", _beside(scores.mae, scores.mean_mae, unit)),
        ("root mean square error", _beside(scores.rmse, scores.mean_rmse, unit)),
        ("R²", "–" if scores.r2 is None else f"{scores.r2:.3f}"),
        ("rank correlation", "–" if scores.spearman is None else f"{scores.spearman:.3f}"),
    ]


def model_rows(record: TrainingRecord) -> list[tuple[str, str]]:
    """Return labelled lines of all that is known of a model."""
    sizes, values, held = record.sizes, record.values, record.calibration
    unit = record.unit
    rows = [
        ("model", record.kind),
        ("target", record.label),
        ("trained on", f"{record.source}: {record.rows} rows, {record.left_out} more left out"),
        ("values", f"{number(values.low)} to {amount(values.high, unit)}, mean {amount(values.mean, unit)}"),
        ("rows", f"{sizes.training} for training, {sizes.validation} for validation, {sizes.held_out} held out"),
        ("kept apart by", sizes.by),
        *score_rows(record.scores, unit),
        *(
            (f"{percent(level)} interval", f"± {amount(width, unit)}, contains {percent(share)} of the held-out rows")
            for level, width, share in zip(held.levels, held.widths, held.quantile, strict=True)
            if level in SHOWN
        ),
        ("epochs", f"{len(record.epochs)}, kept: {record.best_epoch}, {duration(record.seconds)}"),
        ("seed", str(record.seed)),
        ("elements", " ".join(record.elements)),
        ("weights", record.weights),
        ("versions", ", ".join(f"{name} {version}" for name, version in record.versions.items())),
    ]
    curve = ", ".join(f"{point.rows}: {number(point.mae)}" for point in record.learning_curve)
    return [*rows, *([("learning curve", f"{curve}{unit_text(unit)}")] if curve else [])]


def cautions(record: TrainingRecord) -> list[str]:
    """Return what a user of a model should not overlook, one sentence each."""
    scores, values = record.scores, record.values
    found = []
    if record.best_epoch == 0:
        found.append("Warning: no epoch made the validation error smaller; training did not improve the network.")
    if scores.r2 is None:
        found.append("Warning: all held-out rows have one value, so they cannot tell whether this model is any good.")
    elif not scores.useful:
        found.append(
            "Warning: on held-out rows this model is no better than always saying the mean; as a prior it is worth "
            "nothing. More rows, or another target, may help."
        )
    if values.common_share > _ATOM:
        found.append(
            f"Warning: {percent(values.common_share)} of the rows have the value {amount(values.common, record.unit)} "
            "exactly. A regression between them and the rest is poor at both: train on the other rows alone, and tell "
            "the campaign of the value by the metric's floor."
        )
    if record.sizes.by == "structure":
        found.append(
            "Note: there are too few formulas to keep them apart, so only equal structures are; the errors say nothing "
            "of other compositions."
        )
    if scores.rows < _FEW:
        found.append(f"Note: the errors are means over {scores.rows} rows only, and that uncertain.")
    return found


def _beside(error: float, of_mean: float, unit: str) -> str:
    return f"{amount(error, unit)}; of always saying the mean {amount(of_mean, unit)}"
