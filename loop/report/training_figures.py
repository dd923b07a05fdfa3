"""Figures of a trained model, as dicts in Plotly's JSON format."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from loop.report.style import BLUE, GREEN, GREY, LOG_AXIS, ORANGE, Figure, Trace, label, layout, line
from surrogates.training.predictions import Prediction
from surrogates.training.record import Calibration, Epoch, TrainingRecord

_INTERVAL = -1  # of the calibration's levels: the widest


def parity_figure(record: TrainingRecord, predictions: Sequence[Prediction]) -> Figure:
    """Return values against predictions of the held-out rows, with the diagonal and the widest interval about it."""
    values = [n for p in predictions for n in (p.value, p.predicted)]
    low, high = min(values), max(values)
    margin = 0.04 * (high - low) or 1.0
    ends = [low - margin, high + margin]
    width, level = record.calibration.widths[_INTERVAL], record.calibration.levels[_INTERVAL]
    edges = [
        line(ends, [end + side * width for end in ends], f"{level:.0%} interval", dash="dot", width=1)
        | {"showlegend": side > 0}
        for side in (1, -1)
    ]
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "held-out row",
        "x": [p.predicted for p in predictions],
        "y": [p.value for p in predictions],
        "marker": {"color": BLUE, "size": 7, "opacity": 0.75},
        "hoverinfo": "text",
        "text": [escape(_hover(p, record.unit)) for p in predictions],
    }
    found = layout(label(f"predicted {record.target}", record.unit), label(record.target, record.unit), 420)
    found["xaxis"]["range"] = found["yaxis"]["range"] = ends
    return {"data": [line(ends, ends, "predicted = value", dash="dash"), *edges, points], "layout": found}


def calibration_figure(calibration: Calibration, rows: int) -> Figure:
    """Return the shares of held-out values in intervals against their nominal coverage, and what chance alone allows.

    Args:
        calibration: intervals and shares.
        rows: number of held-out rows.
    """
    grid = [i / 50 for i in range(51)]
    chance = [1.96 * math.sqrt(p * (1 - p) / rows) for p in grid]
    low = line(grid, [max(p - c, 0) for p, c in zip(grid, chance, strict=True)], "", width=0) | {"showlegend": False}
    high = line(grid, [min(p + c, 1) for p, c in zip(grid, chance, strict=True)], "95% of perfect ones", width=0)
    high |= {"fill": "tonexty", "fillcolor": "rgba(138, 146, 156, 0.25)"}
    traces = [
        low,
        high,
        line([0, 1], [0, 1], "perfect", dash="dash"),
        _shares(calibration.levels, calibration.quantile, "quantiles", BLUE),
        _shares(calibration.levels, calibration.normal, "normal", ORANGE),
    ]
    found = layout(label("nominal coverage", "1"), label("share of held-out values inside", "1"), 420)
    found["xaxis"]["range"] = found["yaxis"]["range"] = [0, 1.02]
    return {"data": traces, "layout": found}


def loss_figure(record: TrainingRecord) -> Figure:
    """Return the mean absolute errors over epochs, and the epoch whose weights were kept."""
    epochs = record.epochs
    numbers = [epoch.number for epoch in epochs]
    errors = {"training rows": [e.training for e in epochs], "validation rows": [e.validation for e in epochs]}
    curves = [
        _curve(numbers, values, name, colour)
        for (name, values), colour in zip(errors.items(), (ORANGE, BLUE), strict=True)
    ]
    found = layout(label("epoch", None), label("mean absolute error", record.unit), 360)
    everything = [value for values in errors.values() for value in values]
    if min(everything) > 0 and max(everything) > 5 * min(everything):
        found["yaxis"] |= LOG_AXIS
    return {"data": [*curves, *_kept(epochs, record.best_epoch)], "layout": found}


def learning_figure(record: TrainingRecord) -> Figure:
    """Return the held-out error against the number of training rows, beside that of always saying the mean."""
    points = record.learning_curve
    rows = [point.rows for point in points]
    curve = _curve(rows, [point.mae for point in points], "model", BLUE) | {"mode": "lines+markers"}
    mean = line(rows, [record.scores.mean_mae] * len(rows), "always the mean", dash="dash")
    found = layout(label("training rows", None), label("held-out mean absolute error", record.unit), 360)
    found["xaxis"] |= {"type": "log", "tickmode": "array", "tickvals": rows}
    found["yaxis"] |= {"rangemode": "tozero"}
    return {"data": [curve, mean], "layout": found}


def _hover(prediction: Prediction, unit: str) -> str:
    return f"{prediction.id}, {prediction.formula}: {prediction.value:.4g}, predicted {prediction.predicted:.4g} {unit}"


def _shares(levels: Sequence[float], shares: Sequence[float], name: str, colour: str) -> Trace:
    return _curve(levels, shares, name, colour) | {"mode": "lines+markers"}


def _curve(x: Sequence[float], y: Sequence[float], name: str, colour: str) -> Trace:
    return line(x, y, name, color=colour, width=2) | {"hoverinfo": "x+y+name", "marker": {"color": colour, "size": 7}}


def _kept(epochs: Sequence[Epoch], best: int) -> list[Trace]:
    found = [epoch for epoch in epochs if epoch.number == best]
    return [
        {
            "type": "scatter",
            "mode": "markers",
            "name": f"kept: epoch {epoch.number}",
            "x": [epoch.number],
            "y": [epoch.validation],
            "marker": {"color": GREEN, "size": 11, "symbol": "diamond", "line": {"width": 1, "color": GREY}},
            "hoverinfo": "x+y+name",
        }
        for epoch in found
    ]
