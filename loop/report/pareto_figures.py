"""Figures of a front, as dicts in Plotly's JSON format: the front itself, and the volume below it over trials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from campaigns.objective import Objective, Term
from loop.core.candidate_results import CandidateResult
from loop.core.pareto import Front, volumes
from loop.core.records import TrialRecord
from loop.core.term_contributions import term_contributions, term_label
from loop.report.style import (
    GREY,
    ORANGE,
    SKY,
    Figure,
    Mark,
    Trace,
    by_state,
    error_bars,
    hover,
    label,
    layout,
    line,
    scatter,
)
from loop.report.trial_figures import trade_off_figures

_STAIRS = "the front"


def front_figures(
    front: Front, found: Sequence[CandidateResult], objective: Objective, units: Mapping[str, str]
) -> list[Figure]:
    """Return the front among all candidates, each with its standard errors: every pair of metrics, three in space.

    Args:
        front: the front of the candidates.
        found: all candidates.
        objective: two to four terms.
        units: parameter to unit.
    """
    pairs = trade_off_figures(found, front.candidates, objective, units)
    if len(objective.terms) == 2:
        return [one | {"data": [*_stairs(front, objective), *one["data"]]} for one in pairs]
    return [_space(front, found, objective, units), *pairs] if pairs else []


def volume_figure(trials: Sequence[TrialRecord], objective: Objective, units: Mapping[str, str]) -> Figure:
    """Return the volume that the front dominated after each trial, those marked that made it grow."""
    found = volumes(objective, trials)
    before = [0.0, *found][:-1]
    grown = [(t, v) for t, v, old in zip(trials, found, before, strict=True) if v > old]
    curve = line([t.number for t in trials], found, "volume", color=SKY, width=2, shape="hv")
    marks = scatter(Mark("made it grow", ORANGE, "circle"), [t.number for t, _ in grown], [], [])
    marks |= {"y": [v for _, v in grown], "text": [hover(t, units) for t, _ in grown]}
    del marks["error_y"]
    unit = f"points^{len(objective.terms)}"
    return {"data": [curve, marks], "layout": layout("trial", label("volume below the front", unit), 340)}


def _stairs(front: Front, objective: Objective) -> list[Trace]:
    """Return the edge of what a front of two metrics dominates, where both should be as large or small as possible."""
    x, y = objective.terms
    if {x.goal, y.goal} - {"maximise", "minimise"} or x.metric == y.metric:
        return []
    corners = [(t.metrics[x.metric].value, t.metrics[y.metric].value) for t in front.candidates]
    path = corners[:1]
    for (_, before), (here, now) in pairwise(corners):
        path += [(here, before), (here, now)]
    return [line([a for a, _ in path], [b for _, b in path], _STAIRS, color=SKY, width=2)]


def _space(front: Front, found: Sequence[CandidateResult], objective: Objective, units: Mapping[str, str]) -> Figure:
    """Return the points of the first three terms in space, the fourth as a colour."""
    traces = []
    for mark, group in by_state(found):
        rest = [t for t in group if t.number not in front.numbers]
        traces.append(_cloud(mark, rest, objective, units))
    traces.append(_cloud(Mark(_STAIRS, ORANGE, "diamond"), front.candidates, objective, units))
    shown = layout("", "", 520)
    del shown["xaxis"], shown["yaxis"]
    scene = {f"{a}axis": {"title": {"text": _axis(term)}} for a, term in zip("xyz", objective.terms, strict=False)}
    return {"data": [t for t in traces if t["x"]], "layout": shown | {"scene": scene}}


def _cloud(mark: Mark, trials: Sequence[CandidateResult], objective: Objective, units: Mapping[str, str]) -> Trace:
    points = [[share.points for share in term_contributions(objective, t)] for t in trials]
    found: Trace = {
        "type": "scatter3d",
        "mode": "markers",
        "name": mark.name,
        "marker": {"color": mark.colour, "symbol": mark.symbol.replace("triangle-right", "circle"), "size": 5},
        "hoverinfo": "text",
        "text": [hover(t, units) for t in trials],
    }
    for place, axis in enumerate("xyz"):
        found[axis] = [p[place].value for p in points]
        found[f"error_{axis}"] = error_bars([p[place] for p in points], GREY)
    if len(objective.terms) > 3:
        bar = {"title": {"text": _axis(objective.terms[3]), "side": "right"}, "thickness": 12}
        found["marker"] |= {"color": [p[3].value for p in points], "colorscale": "Cividis", "colorbar": bar}
    return found


def _axis(term: Term) -> str:
    return label(term_label(term), "points")
