"""What all figures of the report share: one mark per outcome of a trial, labels with units, hover texts, layouts.

A figure is a plain dict in Plotly's JSON format. Colours are those of Okabe & Ito (2008, Color Universal Design), which
people with any kind of colour vision can tell apart, in the light and on the dark page; text, grid and background come
from the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeVar

from campaigns.fidelity import FULL
from campaigns.values import MetricValue, TrialState
from loop.core.candidate_results import CandidateResult
from loop.core.formatting import candidate_text, metric_text, one_line, score_text
from loop.core.records import TrialRecord

Shown = TypeVar("Shown", TrialRecord, CandidateResult)
Figure = dict[str, Any]
Trace = dict[str, Any]

BLUE, ORANGE, RED, PURPLE, GREEN, SKY = "#0072B2", "#E69F00", "#D55E00", "#CC79A7", "#009E73", "#56B4E9"
GREY = "#8a929c"
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED, "#B8A800", GREY)
"""For series that have no colour of their own."""


@dataclass(frozen=True, slots=True)
class Mark:
    """How trials of one outcome are drawn."""

    name: str
    colour: str
    symbol: str


MARKS = (
    Mark("feasible", BLUE, "circle"),
    Mark("breaks a constraint", ORANGE, "circle-open"),
    Mark("completed", BLUE, "circle-open"),
    Mark("completed in part", BLUE, "triangle-up-open"),
    Mark("suspected outlier", SKY, "star-open"),
    Mark("failed", RED, "x"),
    Mark("quarantined", PURPLE, "diamond"),
    Mark("uncertain", GREEN, "square-open"),
    Mark("withdrawn", GREY, "x-thin-open"),
    Mark("under way", GREY, "triangle-right-open"),
)
"""Every outcome of a trial, in the order of legends."""


def state_mark(trial: TrialRecord | CandidateResult) -> str:
    """Return the name of the mark of a trial or a candidate."""
    if trial.outlier:
        return "suspected outlier"
    if trial.state is TrialState.COMPLETED:
        if isinstance(trial, TrialRecord) and trial.fidelity != FULL:
            return "completed"
        if trial.feasible is None:  # whether it keeps the constraints is not known
            return "completed in part"
        return "feasible" if trial.feasible else "breaks a constraint"
    return str(trial.state) if trial.state.ended else "under way"


def by_state(trials: Iterable[Shown]) -> list[tuple[Mark, list[Shown]]]:
    """Return the trials, or the candidates, of each outcome that occurs."""
    known = list(trials)
    groups = [(mark, [t for t in known if state_mark(t) == mark.name]) for mark in MARKS]
    return [(mark, group) for mark, group in groups if group]


def label(name: str, unit: str | None) -> str:
    """Return a name with its unit, ``[1]`` for a dimensionless number; None for a name without a number."""
    return escape(name if unit is None else f"{name} [{unit}]")


def hover(trial: TrialRecord | CandidateResult, units: Mapping[str, str]) -> str:
    """Return what the mouse shows of a trial or a candidate; ``units`` holds the parameters' units."""
    name, reason = (f"trial {trial.number}", trial.reason) if isinstance(trial, TrialRecord) else (trial.label, "")
    lines = [f"{name}: {state_mark(trial)}", candidate_text(trial.candidate, units)]
    lines += [f"{name} {metric_text(metric)}" for name, metric in trial.metrics.items()]
    if trial.score is not None:
        lines.append(f"score {score_text(trial)} points")
    lines += [one_line(text)[:160] for text in (reason, trial.outlier) if text]
    return "<br>".join(escape(line) for line in lines)


def scatter(mark: Mark, x: Sequence[Any], y: Sequence[MetricValue], texts: Sequence[str]) -> Trace:
    """Return points of one outcome with their error bars."""
    return {
        "type": "scatter",
        "mode": "markers",
        "name": mark.name,
        "x": list(x),
        "y": [value.value for value in y],
        "error_y": error_bars(y, mark.colour),
        "marker": {
            "color": mark.colour,
            "symbol": mark.symbol,
            "size": 8,
            "line": {"width": 1.6, "color": mark.colour},
        },
        "hoverinfo": "text",
        "text": list(texts),
    }


def error_bars(values: Sequence[MetricValue], colour: str) -> dict[str, Any]:
    """Return the standard uncertainties as bars."""
    return {"type": "data", "array": [v.sd for v in values], "color": colour, "thickness": 1.2, "width": 0}


LOG_AXIS = {"type": "log", "tickmode": "array", "tickvals": [d * 10.0**e for e in range(-4, 5) for d in (1, 2, 5)]}
"""A logarithmic axis; Plotly's own labels leave the powers of ten out."""


def layout(x: str, y: str, height: int = 340) -> dict[str, Any]:
    """Return a layout with titles of the axes."""
    return {
        "height": height,
        "margin": {"l": 70, "r": 34, "t": 30, "b": 52},
        "modebar": {"orientation": "v"},  # beside the legend, not on it
        "xaxis": {"title": {"text": x, "standoff": 10}, "automargin": True},
        "yaxis": {"title": {"text": y, "standoff": 12}, "automargin": True},
        "hovermode": "closest",
        "legend": {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "traceorder": "normal"},
    }


def line(x: Sequence[float], y: Sequence[float | None], name: str, **style: Any) -> Trace:
    """Return a line without markers."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": list(x),
        "y": list(y),
        "hoverinfo": "skip",
        "line": {"color": GREY, "width": 1.5} | style,
    }
