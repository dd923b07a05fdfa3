"""Figures of what the models say: importances, slices, contours and cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby, pairwise
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
_LIKELY = 0.5  # not tuned: the same as for a candidate that is called the best
_VEIL = "rgba(138, 146, 156, 0.3)"
_RINGS = ((6, "#1b2430"), (3, "#ffffff"))  # width and colour: seen on any ground
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
    shown |= {"showlegend": False, "shapes": [*_veils(x, _feasible(card)), *_marked(held.get(name))]}
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
    rows = [row for row in zip(*columns, _feasible(card), strict=True) if row[4]]
    rows.sort(key=lambda row: float(row[1]))
    names = [f"{escape(str(level))} ({count})" for level, _, _, count, *_ in rows]
    values = [MetricValue(float(mean), float(sd), unit) for _, mean, sd, *_ in rows]
    colours = [GREY if chance < _LIKELY else BLUE for *_, chance in rows]
    symbols = ["circle-open" if level == held.get(name) else "circle" for level, *_ in rows]
    points: Trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [value.value for value in values],
        "y": names,
        "error_x": error_bars(values, BLUE) | {"thickness": 2},
        "marker": {"color": colours, "symbol": symbols, "size": 11, "line": {"width": 3, "color": colours}},
        "hoverinfo": "text",
        "text": [f"{one}: {format_uncertain(v.value, v.sd)} {unit}" for one, v in zip(names, values, strict=True)],
    }
    shown = layout(label(card.outcome, unit), label(name, None), max(280, 110 + 30 * len(rows))) | {"showlegend": False}
    shown["yaxis"] |= {"type": "category", "categoryorder": "array", "categoryarray": names}
    return {"data": [points], "layout": shown}


def contour_figure(
    card: InspectionCard, units: Mapping[str, str], held: Mapping[str, Scalar], log: Sequence[str] = ()
) -> Figure:
    """Return the mean over two parameters as coloured levels, and the best candidate; see ``slice_figure``.

    A grey veil with a line around it covers what is more likely infeasible than feasible.
    """
    across, up = card.parameters
    title = {"text": label(card.outcome, units.get(card.outcome)), "side": "right"}
    levels = _grid(card, _allowed(card, "mean")) | {
        "colorscale": _SCALE,
        "colorbar": {"title": title, "thickness": 14},
        "line": {"width": 0.5},
        "hovertemplate": "%{x}, %{y}: %{z}<extra></extra>",
    }
    traces = [levels, *_veil(card), *_ring((held[across], held[up]) if across in held and up in held else None)]
    shown = layout(label(across, units.get(across)), label(up, units.get(up)), 340) | {
        "showlegend": False,
        "modebar": {"orientation": "h"},
    }
    for name, axis in ((across, "xaxis"), (up, "yaxis")):
        shown[axis] |= LOG_AXIS if name in log else {}
    return {"data": traces, "layout": shown}


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


def _grid(card: InspectionCard, values: Sequence[float | None]) -> Trace:
    """Return a contour of values at the points of a card."""
    across, up = card.parameters
    xs, ys = sorted(set(card.columns[across])), sorted(set(card.columns[up]))
    found = dict(zip(zip(card.columns[across], card.columns[up], strict=True), values, strict=True))
    z = [[found.get((x, y)) for x in xs] for y in ys]
    return {"type": "contour", "x": xs, "y": ys, "z": z, "connectgaps": False}


def _veil(card: InspectionCard) -> list[Trace]:
    """Return what covers the points where outcome constraints are more likely broken than kept."""
    if all(share >= _LIKELY for share in _feasible(card)):
        return []
    region = {"type": "constraint", "operation": ">", "value": _LIKELY}  # Plotly fills what breaks it
    look = {"fillcolor": "rgba(138, 146, 156, 0.75)", "line": {"color": "#ffffff", "width": 2}, "hoverinfo": "skip"}
    return [_grid(card, _feasible(card)) | {"contours": region} | look]


def _ring(place: tuple[Scalar, Scalar] | None) -> list[Trace]:
    """Return a white ring with dark edges around the best candidate, whole even on the edge of the map."""
    if place is None:
        return []
    rings = [{"symbol": "circle-open", "size": 13, "color": c, "line": {"width": w, "color": c}} for w, c in _RINGS]
    base: Trace = {"type": "scatter", "mode": "markers", "x": [place[0]], "y": [place[1]], "cliponaxis": False}
    return [base | {"marker": ring, "hovertemplate": "best candidate<extra></extra>"} for ring in rings]


def _feasible(card: InspectionCard) -> list[float]:
    """Return the probability of being feasible at each point: one without outcome constraints."""
    return [float(share) for share in card.columns.get("feasible", (1.0,) * len(card.columns["mean"]))]


def _veils(x: Sequence[float], feasible: Sequence[float]) -> list[dict[str, Any]]:
    """Return a grey box behind each part of an axis where outcome constraints are more likely broken than kept."""
    edges = [x[0], *((low + high) / 2 for low, high in pairwise(x)), x[-1]]
    box = {"type": "rect", "y0": 0, "y1": 1, "yref": "paper", "layer": "below"}
    look = {"fillcolor": _VEIL, "line": {"width": 0}}
    runs = [list(places) for unlikely, places in _runs(feasible) if unlikely]
    return [box | look | {"x0": edges[places[0]], "x1": edges[places[-1] + 1]} for places in runs]


def _runs(feasible: Sequence[float]) -> Iterator[tuple[bool, Iterator[int]]]:
    return groupby(range(len(feasible)), key=lambda place: feasible[place] < _LIKELY)


def _marked(value: Scalar | None) -> list[dict[str, Any]]:
    """Return an upright line at the best candidate's value."""
    if value is None:
        return []
    across = {"type": "line", "x0": value, "x1": value, "y0": 0, "y1": 1, "yref": "paper"}
    return [across | {"line": {"color": GREY, "width": 1.2, "dash": "dot"}}]


def _values(card: InspectionCard, name: str, unit: str) -> list[MetricValue]:
    pairs = zip(card.columns[name], card.columns[f"{name} sd"], strict=True)
    return [MetricValue(float(value), float(sd), unit) for value, sd in pairs]
