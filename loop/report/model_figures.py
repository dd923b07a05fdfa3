"""Figures of the models over time: how good their predictions were, what they looked at, what they made of a prior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from campaigns.surrogate import HealthConfig
from loop.core.records import TrialRecord
from loop.diagnostics.calibration import LEVELS, Pair
from loop.diagnostics.model_health import Figures, HealthChange, HealthState, figures_of
from loop.report.style import BLUE, COLOURS, GREEN, GREY, ORANGE, PURPLE, RED, Figure, Trace, label, layout, line

_LEVEL_COLOURS = (GREEN, ORANGE, BLUE)
_CHANGE_COLOURS = {HealthState.HEALTHY: GREEN, HealthState.RECALIBRATED: ORANGE, HealthState.FALLBACK: RED}
_REST = "explained by no feature"

Running = Sequence[tuple[int, Figures]]


def running(pairs: Sequence[Pair], window: int) -> Running:
    """Return trial by trial how good the latest predictions were, from half a window on.

    Args:
        pairs: in the order in which they were measured.
        window: how many predictions are looked at.
    """
    first = (window + 1) // 2
    ends = range(first, len(pairs) + 1)
    return [(pairs[end - 1].trial.number, figures_of(pairs[max(0, end - window) : end])) for end in ends]


def health_figure(found: Running, config: HealthConfig, changes: Sequence[HealthChange]) -> Figure:
    """Return running coverage and rank correlation with their thresholds, and a line where the model was changed."""
    trials = [number for number, _ in found]
    ends = [min(trials, default=0), max(trials, default=1)]
    traces = []
    for i, level in enumerate(LEVELS):
        colour = _LEVEL_COLOURS[i]
        traces.append(_curve(trials, [f.coverage[i] for _, f in found], f"inside {100 * level:.0f} %", colour))
        traces.append(line(ends, [level, level], "", color=colour, width=1, dash="dot") | {"showlegend": False})
    traces.append(line(ends, [config.coverage] * 2, "threshold", color=RED, width=1.2, dash="dash"))
    lower = [
        _curve(trials, [f.rank for _, f in found], "rank correlation", PURPLE),
        line(ends, [config.rank] * 2, "", color=RED, width=1.2, dash="dash") | {"showlegend": False},
    ]
    shown = layout("trial", label("share inside", "1"), 400)
    shown["yaxis"] |= {"domain": [0.45, 1], "range": [-0.03, 1.05]}
    shown["yaxis2"] = {
        "domain": [0, 0.36],
        "range": [-1.05, 1.05],
        "title": {"text": label("rank correlation", "1")},
        "automargin": True,
    }
    shown["xaxis"] |= {"anchor": "y2"}
    for state in dict.fromkeys(change.state for change in changes):
        marks = _marks([change for change in changes if change.state is state])
        traces.append(marks)
        lower.append(marks | {"showlegend": False})
    return {"data": [*traces, *(trace | {"yaxis": "y2"} for trace in lower)], "layout": shown}


def features_figure(trials: Sequence[TrialRecord], metric: str) -> Figure | None:
    """Return the share of a metric's variance that each feature of the material explained; None where none is kept."""
    told = {t.number: found for t in trials if (found := _model(t, metric).get("features"))}
    if not told:
        return None
    features = list(dict.fromkeys(name for shares in told.values() for name in shares))
    traces = [
        _area(list(told), [shares.get(one, 0.0) for shares in told.values()], one, COLOURS[i % len(COLOURS)])
        for i, one in enumerate(features)
    ]
    rest = [max(0.0, 1.0 - sum(shares.values())) for shares in told.values()]
    shown = layout("proposed trial", label("share of variance", "1"), 320)
    shown["yaxis"] |= {"range": [0, 1.001]}
    return {"data": [*traces, _area(list(told), rest, _REST, GREY)], "layout": shown}


def prior_figure(trials: Sequence[TrialRecord], metric: str) -> Figure | None:
    """Return the slope on a metric's prior with its standard deviation; None where none is stored."""
    told = {t.number: found for t in trials if (found := _model(t, metric).get("prior"))}
    if not told:
        return None
    slopes, sds = [p["slope"] for p in told.values()], [p["sd"] for p in told.values()]
    numbers = list(told)
    low = line(numbers, [s - sd for s, sd in zip(slopes, sds, strict=True)], "", width=0) | {"showlegend": False}
    high = line(numbers, [s + sd for s, sd in zip(slopes, sds, strict=True)], "± sd", width=0)
    band = {"fill": "tonexty", "fillcolor": "rgba(0, 114, 178, 0.2)"}
    zero = line([numbers[0], numbers[-1]], [0, 0], "no use of the prior", dash="dash")
    parts = [_slopes({n: p["slope"] for n, p in told.items() if p["used"] is used}, used) for used in (True, False)]
    shown = layout("proposed trial", label("slope on the prior", "1"), 320)
    return {"data": [low, high | band, zero, *(part for part in parts if part["x"])], "layout": shown}


def _model(trial: TrialRecord, metric: str) -> Mapping[str, Any]:
    return trial.proposal.models.get(metric, {})


def _curve(x: Sequence[int], y: Sequence[float | None], name: str, colour: str) -> Trace:
    return line(x, y, name, color=colour, width=2) | {"hoverinfo": "x+y+name", "mode": "lines+markers"} | _small(colour)


def _small(colour: str) -> dict[str, Any]:
    return {"marker": {"size": 4, "color": colour}}


def _area(x: Sequence[int], y: Sequence[float], name: str, colour: str) -> Trace:
    shown = line(x, y, escape(name), color=colour, width=0.8)
    return shown | {"stackgroup": "shares", "fillcolor": _pale(colour), "hoverinfo": "x+y+name"}


def _pale(colour: str) -> str:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, 0.55)"


def _slopes(slopes: Mapping[int, float], used: bool) -> Trace:
    name, symbol = ("slope", "circle") if used else ("slope, prior left out", "circle-open")
    marker = {"color": BLUE, "symbol": symbol, "size": 7, "line": {"width": 1.4, "color": BLUE}}
    shown = {"x": list(slopes), "y": list(slopes.values()), "name": name, "hoverinfo": "x+y+name"}
    return {"type": "scatter", "mode": "markers", "marker": marker, **shown}


def _marks(changes: Sequence[HealthChange]) -> Trace:
    """Return upright lines where a model came into the same state."""
    state, texts = changes[0].state, [escape(change.text) for change in changes]
    x = [at for change in changes for at in (change.trial, change.trial, None)]
    found = {"type": "scatter", "mode": "lines", "name": str(state), "x": x, "y": [-1.0, 1.05, None] * len(changes)}
    shown = {"line": {"color": _CHANGE_COLOURS[state], "width": 2}, "hoverinfo": "text"}
    return found | shown | {"text": [text for each in texts for text in (each, each, "")]}
