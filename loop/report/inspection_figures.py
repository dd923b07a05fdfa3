"""Figures of what the models say: importances, slices, contours and cross-validation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from campaigns.values import MetricValue, Scalar
from loop.core.formatting import format_uncertain
from loop.core.inspection_cards import InspectionCard
from loop.report.style import (
    BLUE,
    GREY,
    LOG_AXIS,
    ORANGE,
    SKY,
    Figure,
    Mark,
    Trace,
    error_bars,
    label,
    layout,
    line,
    scatter,
)

_DIRECTIONS = (
    (1.0, "outcome rises with it", BLUE),
    (-1.0, "outcome falls with it", ORANGE),
    (0.0, "categorical", GREY),
)
_SCALE = "Viridis"  # reads the same in grey, in the light and on the dark page


def importance_figure(card: InspectionCard) -> Figure:
    """Return a bar for each parameter, the most important on top, coloured by the direction in which it acts."""
    rows = list(zip(*(card.columns[name] for name in ("parameter", "importance", "slope")), strict=True))
    traces = []
    for sign, name, colour in _DIRECTIONS:
        some = [(parameter, share) for parameter, share, slope in rows if slope == sign]
        if some:
            traces.append(_bars(some, name, colour))
    shown = layout(label("total effect on the variance", "1"), "", 130 + 26 * len(rows))
    names = [escape(str(parameter)) for parameter, _, _ in reversed(rows)]
    shown["yaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": names}
    shown["xaxis"] |= {"range": [0, max(1.0, 1.02 * max(float(share) for _, share, _ in rows))]}
    return {"data": traces, "layout": shown | {"barmode": "overlay", "bargap": 0.35}}


def slice_figure(
    card: InspectionCard, units: Mapping[str, str], held: Mapping[str, Scalar], log: Sequence[str] = ()
) -> Figure:
    """Return the mean along one parameter with a band of one standard deviation, and where the best candidate lies.

    Args:
        card: of a slice.
        units: parameter, metric and score to unit.
        held: settings of the best candidate.
        log: parameters that have a logarithmic axis.
    """
    (name,) = card.parameters
    x = [float(value) for value in card.columns[name]]
    mean, sd = _allowed(card, "mean"), _allowed(card, "sd")
    low = [None if m is None or s is None else m - s for m, s in zip(mean, sd, strict=True)]
    high = [None if m is None or s is None else m + s for m, s in zip(mean, sd, strict=True)]
    few = "lines+markers" if len(x) < 20 else "lines"
    curve = line(x, mean, "mean", color=BLUE, width=2) | {"mode": few, "hoverinfo": "x+y"}
    shown = layout(label(name, units.get(name)), label(card.outcome, units.get(card.outcome)), 280)
    shown |= {"showlegend": False} | _marked(held.get(name))
    if name in log:
        shown["xaxis"] |= LOG_AXIS
    return {"data": [*_bands(x, low, high), curve], "layout": shown}


def levels_figure(card: InspectionCard, units: Mapping[str, str], held: Mapping[str, Scalar]) -> Figure:
    """Return what is predicted with each level of a categorical parameter, the highest on top; see ``slice_figure``.

    Behind a level stands how many measurements there are with it.
    """
    (name,) = card.parameters
    unit = units.get(card.outcome, "1")
    columns = (card.columns[key] for key in (name, "mean", "sd", "measured", "allowed"))
    rows = [row for row in zip(*columns, strict=True) if row[-1]]
    rows.sort(key=lambda row: float(row[1]))
    names = [f"{escape(str(level))} ({count})" for level, _, _, count, _ in rows]
    values = [MetricValue(float(mean), float(sd), unit) for _, mean, sd, _, _ in rows]
    symbols = ["circle-open" if level == held.get(name) else "circle" for level, *_ in rows]
    points: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [value.value for value in values],
        "y": names,
        "error_x": error_bars(values, BLUE) | {"thickness": 2},
        "marker": {"color": BLUE, "symbol": symbols, "size": 11, "line": {"width": 3, "color": BLUE}},
        "hoverinfo": "text",
        "text": [f"{one}: {format_uncertain(v.value, v.sd)} {unit}" for one, v in zip(names, values, strict=True)],
    }
    shown = layout(label(card.outcome, unit), label(name, None), max(280, 110 + 30 * len(rows))) | {"showlegend": False}
    shown["yaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": names}
    return {"data": [points], "layout": shown}


def contour_figure(
    card: InspectionCard, units: Mapping[str, str], held: Mapping[str, Scalar], log: Sequence[str] = ()
) -> Figure:
    """Return the mean over two parameters as coloured levels, and the best candidate; see ``slice_figure``."""
    across, up = card.parameters
    xs, ys = sorted(set(card.columns[across])), sorted(set(card.columns[up]))
    points = zip(card.columns[across], card.columns[up], strict=True)
    found = dict(zip(points, _allowed(card, "mean"), strict=True))
    levels: Trace = {
        "type": "contour",
        "x": xs,
        "y": ys,
        "z": [[found.get((x, y)) for x in xs] for y in ys],
        "colorscale": _SCALE,
        "connectgaps": False,
        "colorbar": {"title": {"text": label(card.outcome, units.get(card.outcome)), "side": "right"}, "thickness": 14},
        "line": {"width": 0.5},
        "hovertemplate": "%{x}, %{y}: %{z}<extra></extra>",
    }
    best: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [held[across]] if across in held and up in held else [],
        "y": [held[up]] if across in held and up in held else [],
        "marker": {"symbol": "circle-open", "size": 13, "color": "#ffffff", "line": {"width": 3, "color": "#ffffff"}},
        "hovertemplate": "best candidate<extra></extra>",
    }
    shown = layout(label(across, units.get(across)), label(up, units.get(up)), 340) | {"showlegend": False}
    for name, axis in ((across, "xaxis"), (up, "yaxis")):
        shown[axis] |= LOG_AXIS if name in log else {}
    return {"data": [levels, best], "layout": shown}


def cross_validation_figure(card: InspectionCard, units: Mapping[str, str]) -> Figure:
    """Return what was predicted of each candidate without its measurements against what was measured."""
    unit = units.get(card.outcome, "1")
    predicted, measured = _values(card, "predicted", unit), _values(card, "measured", unit)
    both = list(zip(predicted, measured, strict=True))
    edges = [v.value + side * v.sd for pair in both for v in pair for side in (-1, 1)]
    pairs = [(format_uncertain(p.value, p.sd), format_uncertain(m.value, m.sd)) for p, m in both]
    texts = [
        f"trial {number}: predicted {given}, measured {found} {unit}"
        for number, (given, found) in zip(card.columns["trial"], pairs, strict=True)
    ]
    points = scatter(Mark("trial", BLUE, "circle"), [v.value for v in predicted], measured, [escape(t) for t in texts])
    points["error_x"] = error_bars(predicted, BLUE)
    shown = layout(label(f"predicted {card.outcome}", unit), label(f"measured {card.outcome}", unit))
    ends = [min(edges), max(edges)]
    data = [line(ends, ends, "predicted = measured", dash="dash"), points]
    return {"data": data, "layout": shown | {"showlegend": False}}


def _bars(rows: Sequence[tuple[Any, Any]], name: str, colour: str) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "y": [escape(str(parameter)) for parameter, _ in rows],
        "x": [float(share) for _, share in rows],
        "marker": {"color": colour},
        "hoverinfo": "y+x",
    }


def _allowed(card: InspectionCard, name: str) -> list[float | None]:
    """Return a column with gaps where a constraint forbids the settings."""
    pairs = zip(card.columns[name], card.columns["allowed"], strict=True)
    return [float(value) if allowed else None for value, allowed in pairs]


def _bands(x: Sequence[Any], low: Sequence[float | None], high: Sequence[float | None]) -> list[Trace]:
    """Return the band between two curves; a gap parts it, as a fill would run across."""
    bands: list[Trace] = []
    start = 0
    for end in range(len(x) + 1):
        if end < len(x) and low[end] is not None:
            continue
        if end > start:
            style = {"showlegend": False}
            bands.append(line(x[start:end], low[start:end], "", width=0) | style)
            fill = {"fill": "tonexty", "fillcolor": "rgba(86, 180, 233, 0.25)"}
            bands.append(line(x[start:end], high[start:end], "", color=SKY, width=0) | style | fill)
        start = end + 1
    return bands


def _marked(value: Scalar | None) -> dict[str, Any]:
    """Return an upright line at the best candidate's value."""
    if value is None:
        return {}
    across = {"type": "line", "x0": value, "x1": value, "y0": 0, "y1": 1, "yref": "paper"}
    return {"shapes": [across | {"line": {"color": GREY, "width": 1.2, "dash": "dot"}}]}


def _values(card: InspectionCard, name: str, unit: str) -> list[MetricValue]:
    pairs = zip(card.columns[name], card.columns[f"{name} sd"], strict=True)
    return [MetricValue(float(value), float(sd), unit) for value, sd in pairs]
