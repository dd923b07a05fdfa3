"""Figures of a campaign's trials, as dicts in Plotly's JSON format: pure functions of records."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from itertools import combinations
from typing import Any

import numpy as np

from campaigns.objective import Objective, Term
from campaigns.spaces.parameters import CategoricalConfig, FloatConfig, ParameterConfig
from campaigns.values import MetricValue
from loop.core.candidate_results import CandidateResult, best, ranking
from loop.core.formatting import format_uncertain, number_text, one_line
from loop.core.records import TrialRecord
from loop.core.term_contributions import term_contributions, term_label
from loop.diagnostics.calibration import Pair
from loop.report.style import (
    BLUE,
    COLOURS,
    GREY,
    LOG_AXIS,
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
    state_mark,
)

_POINTS = "points"


def score_figure(trials: Sequence[TrialRecord], found: Sequence[CandidateResult], units: Mapping[str, str]) -> Figure:
    """Return the score over trials: single readings, the best candidate so far, and trials without a score in lanes.

    Args:
        trials: all trials, by number.
        found: their candidates.
        units: parameter to unit.
    """
    traces = incumbent_traces(trials, found)
    lanes: list[str] = []
    for mark, group in by_state(trials):
        scored, rest = [t for t in group if t.score is not None], [t for t in group if t.score is None]
        if scored:
            scores = [_score(t) for t in scored]
            traces.append(scatter(mark, [t.number for t in scored], scores, _hovers(scored, units)))
        if rest:
            lanes.append(mark.name)
            traces.append(_lane(mark, [t.number for t in rest], _hovers(rest, units)))
    shown = layout("trial", label("score", _POINTS), 400 + 22 * len(lanes))
    share = min(0.07 * len(lanes), 0.4)
    shown["yaxis"]["domain"] = [share + 0.03 if lanes else 0, 1]
    shown["yaxis2"] = {"domain": [0, share], "type": "category", "categoryarray": lanes, "automargin": True}
    traces += _fit(shown["yaxis"], {t.number: t.number for t in trials}, trials, units)
    shown["xaxis"] |= {"anchor": "y2" if lanes else "y", "range": [-0.7, max(len(trials), 1) - 0.3]}
    return {"data": traces, "layout": shown | _start(trials)}


def incumbent(trials: Sequence[TrialRecord], found: Sequence[CandidateResult]) -> list[CandidateResult | None]:
    """Return the best candidate up to each trial, by the pooled values that are known by now.

    A candidate counts from its first reading on, so that the line does not follow the luck of single readings.
    """
    first = {one.number: one for one in found}
    held: CandidateResult | None = None
    kept = []
    for trial in trials:
        held = best(one for one in (held, first.get(trial.number)) if one is not None)
        kept.append(held)
    return kept


def incumbent_traces(trials: Sequence[TrialRecord], found: Sequence[CandidateResult]) -> list[Trace]:
    """Return the best pooled score so far as a step line with a band of one standard error."""
    steps = [(t.number, _score(held)) for t, held in zip(trials, incumbent(trials, found), strict=True) if held]
    if not steps:
        return []
    x = [*(number for number, _ in steps), steps[-1][0] + 0.3]
    held = [*(score for _, score in steps), steps[-1][1]]
    low = line(x, [s.value - s.sd for s in held], "", width=0, shape="hv") | {"showlegend": False}
    high = line(x, [s.value + s.sd for s in held], "", width=0, shape="hv") | {"showlegend": False}
    band = {"fill": "tonexty", "fillcolor": "rgba(86, 180, 233, 0.25)"}
    return [
        low,
        high | band,
        line(x, [s.value for s in held], "best so far ± standard error", color=SKY, width=2, shape="hv"),
    ]


def prediction_figure(pairs: Sequence[Pair], name: str, units: Mapping[str, str]) -> Figure:
    """Return what was predicted against what was measured, both with standard deviations, and the diagonal.

    Args:
        pairs: at least one.
        name: name of the metric.
        units: parameter to unit.
    """
    predicted, measured = [p.predicted for p in pairs], [p.measured for p in pairs]
    edges = [v.value + side * v.sd for v in [*predicted, *measured] for side in (-1, 1)]
    ends = [min(edges), max(edges)]
    texts = [_pair_text(pair, name, units) for pair in pairs]
    points = scatter(Mark("trial", BLUE, "circle"), [v.value for v in predicted], measured, texts)
    points["error_x"] = error_bars(predicted, BLUE)
    points["marker"]["opacity"] = 0.85
    unit = pairs[0].measured.unit
    found = layout(label(f"predicted {name}", unit), label(f"measured {name}", unit))
    data = [line(ends, ends, "predicted = measured", dash="dash"), points]
    return {"data": data, "layout": found | {"showlegend": False}}


def slice_figure(
    found: Sequence[CandidateResult], name: str, parameter: ParameterConfig, units: Mapping[str, str]
) -> Figure:
    """Return the pooled score against one parameter, where it applies."""
    scored = [one for one in found if one.score is not None and name in one.candidate.parameters]
    traces = [
        scatter(mark, [_place(t, name) for t in group], [_score(t) for t in group], _hovers(group, units))
        for mark, group in by_state(scored)
    ]
    unit = None if isinstance(parameter, CategoricalConfig) else parameter.unit
    shown = layout(label(name, unit), label("score", _POINTS), 280) | {"showlegend": False}
    traces += _fit(shown["yaxis"], {t.number: _place(t, name) for t in scored}, scored, units)
    if isinstance(parameter, FloatConfig) and parameter.scale == "log":
        shown["xaxis"] |= LOG_AXIS
    return {"data": traces, "layout": shown}


def parallel_figure(found: Sequence[CandidateResult], parameters: Mapping[str, ParameterConfig]) -> Figure:
    """Return one line per candidate through its parameters, pooled metrics and score, coloured by score."""
    done = [one for one in found if one.score is not None]
    axes = [_parameter_axis(name, parameter, done) for name, parameter in parameters.items()]
    metrics = {name: metric.unit for t in done for name, metric in t.metrics.items()}
    axes += [_axis(name, unit, [t.metrics[name].value for t in done]) for name, unit in metrics.items()]
    scores = [_score(t).value for t in done]
    axes.append(_axis("score", _POINTS, scores))
    bar = {"title": {"text": label("score", _POINTS), "side": "right"}, "thickness": 12}
    colours = {"color": scores, "colorscale": "Cividis", "showscale": True, "colorbar": bar}
    if scores:
        colours |= {"cmin": float(np.percentile(scores, 10)), "cmax": max(scores)}  # the best are to be told apart
    shown = {"height": 420, "margin": {"l": 70, "r": 60, "t": 100, "b": 30}}
    trace = {"type": "parcoords", "dimensions": axes, "line": colours, "labelangle": -18, "labelfont": {"size": 12}}
    return {"data": [trace], "layout": shown}


def trade_off_figures(
    found: Sequence[CandidateResult], on_it: Sequence[CandidateResult], objective: Objective, units: Mapping[str, str]
) -> list[Figure]:
    """Return each pair of the objective's metrics against each other, the Pareto front of all terms ringed.

    Terms that share a metric are one axis; fewer than two metrics have no trade-off.

    Args:
        found: the candidates.
        on_it: those on the front.
        objective: its terms are the axes.
        units: parameter to unit.
    """
    axes = list({term.metric: term for term in objective.terms}.values())
    done = [one for one in found if one.score is not None]
    return [_trade_off(done, on_it, pair, units) for pair in combinations(axes, 2)] if done else []


def ranking_figure(
    found: Sequence[CandidateResult], objective: Objective, units: Mapping[str, str], count: int = 20
) -> Figure:
    """Return the best candidates, feasible ones first: what each term gives to the pooled score, and the score."""
    top = ranking(found)[:count]
    names = [_rank_label(t) for t in top]
    table = [term_contributions(objective, t) for t in top]
    traces = [
        _bar(f"{term_label(term)} (weight {term.weight:g})", colour, names, [row[i].contribution for row in table])
        for i, (term, colour) in enumerate(zip(objective.terms, COLOURS * len(objective.terms), strict=False))
    ]
    total = scatter(Mark("score ± standard error", GREY, "diamond"), [t.score for t in top], [], _hovers(top, units))
    total |= {"y": names, "error_x": error_bars([_score(t) for t in top], GREY)}
    del total["error_y"]
    shown = layout(label("contribution to the score", _POINTS), "", 130 + 24 * max(len(top), 2))
    shown |= {"barmode": "relative", "bargap": 0.25}
    shown["yaxis"] |= {"autorange": "reversed", "type": "category", "ticks": "outside", "ticklen": 6}
    return {"data": [*traces, total], "layout": shown}


def _fit(
    axis: dict[str, Any],
    places: Mapping[int, Any],
    trials: Sequence[TrialRecord] | Sequence[CandidateResult],
    units: Mapping[str, str],
) -> list[Trace]:
    """Keep a few very bad scores from flattening all others: point to them from the axis' end.

    They lie below the lower quartile by more than three interquartile ranges (Tukey 1977, Exploratory Data Analysis,
    2C: far out); the axis still reaches them by a double click.
    """
    scores = [t.score for t in trials if t.score is not None]
    low, high = np.percentile(scores, (25, 75)) if scores else (0.0, 0.0)
    fence = low - 3 * (high - low)
    near = [s for s in scores if s >= fence]
    far = {t.number: hover(t, units) for t in trials if t.score is not None and t.score < fence}
    if not far or high == low:
        return []
    margin = 0.08 * (max(near) - min(near))
    axis["range"] = [min(near) - 2 * margin, max(near) + margin]
    mark = Mark("below the axis (double-click to see)", GREY, "triangle-down")
    points = scatter(mark, [places[number] for number in far], [], list(far.values()))
    del points["error_y"]
    return [points | {"y": [min(near) - 1.5 * margin] * len(far)}]


def _score(trial: TrialRecord | CandidateResult) -> MetricValue:
    return MetricValue(trial.score or 0.0, trial.score_sd or 0.0, _POINTS)


def _place(trial: CandidateResult, parameter: str) -> float | int | str:
    value = trial.candidate.parameters[parameter]
    return escape(value) if isinstance(value, str) else value


def _hovers(trials: Sequence[TrialRecord] | Sequence[CandidateResult], units: Mapping[str, str]) -> list[str]:
    return [hover(t, units) for t in trials]


def _lane(mark: Mark, numbers: Sequence[int], texts: Sequence[str]) -> Trace:
    points = scatter(mark, numbers, [], texts)
    del points["error_y"]
    return points | {"y": [mark.name] * len(numbers), "yaxis": "y2"}


def _start(trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """Return the shading of the start, which no model has proposed; history that was imported before it has none."""
    first = next((i for i, t in enumerate(trials) if not t.imported), len(trials))
    count = next((i for i, t in enumerate(trials) if t.proposal.generator == "model"), len(trials))
    if count <= first:
        return {}
    across = {"x0": first - 0.5, "x1": count - 0.5, "y0": 0, "y1": 1, "yref": "paper"}
    shape = across | {"type": "rect", "layer": "below", "fillcolor": GREY, "opacity": 0.13, "line": {"width": 0}}
    where = {"x": first - 0.45, "y": 0.995, "yref": "paper", "xanchor": "left", "yanchor": "top", "showarrow": False}
    return {"shapes": [shape], "annotations": [where | {"text": "start", "font": {"size": 11}}]}


def _pair_text(pair: Pair, name: str, units: Mapping[str, str]) -> str:
    predicted, measured = (format_uncertain(v.value, v.sd) for v in (pair.predicted, pair.measured))
    text = f"{name}: predicted {predicted}, measured {measured} {pair.measured.unit} ({pair.deviation:+.1f} sd)"
    return f"{escape(text)}<br>{hover(pair.trial, units)}"


def _parameter_axis(name: str, parameter: ParameterConfig, trials: Sequence[CandidateResult]) -> dict[str, Any]:
    given = [t.candidate.parameters.get(name) for t in trials]
    if parameter.when and not isinstance(parameter, CategoricalConfig) and None in given:
        return _axis(name, parameter.unit, []) | _partial(given)
    values = [parameter.otherwise if value is None else value for value in given]
    if not isinstance(parameter, CategoricalConfig):
        return _axis(name, parameter.unit, values)
    levels = list(dict.fromkeys([*parameter.levels, *map(str, values)]))
    ticks = {"tickvals": list(range(len(levels))), "ticktext": levels}
    return _axis(name, None, [levels.index(str(v)) for v in values]) | ticks | {"range": [0, len(levels) - 1]}


def _partial(values: Sequence[Any]) -> dict[str, Any]:
    """Return places, ticks and range of numbers on an axis with a place of its own below, where there is none."""
    numbers = [float(value) for value in values if value is not None] or [0.0]
    low, high = min(numbers), max(numbers)
    none = low - 0.15 * (high - low or 1.0)
    ticks = [*dict.fromkeys(np.linspace(low, high, 5).tolist())]
    places = [none if value is None else float(value) for value in values]
    texts = ["does not apply", *(number_text(tick) for tick in ticks)]
    return {"values": places, "tickvals": [none, *ticks], "ticktext": texts, "range": [none, high]}


def _axis(name: str, unit: str | None, values: Sequence[Any]) -> dict[str, Any]:
    return {"label": label(name, unit), "values": list(values), "tickformat": ".4~g"}


def _trade_off(
    done: Sequence[CandidateResult], on_it: Sequence[CandidateResult], axes: tuple[Term, Term], units: Mapping[str, str]
) -> Figure:
    x, y = (term.metric for term in axes)
    traces = []
    for mark, group in by_state(done):
        points = scatter(
            mark, [t.metrics[x].value for t in group], [t.metrics[y] for t in group], _hovers(group, units)
        )
        traces.append(points | {"error_x": error_bars([t.metrics[x] for t in group], mark.colour)})
    ring = scatter(Mark("Pareto front", GREY, "circle-open"), [t.metrics[x].value for t in on_it], [], [])
    ring |= {"y": [t.metrics[y].value for t in on_it], "hoverinfo": "skip"}
    del ring["error_y"]
    ring["marker"] = ring["marker"] | {"size": 16}
    titles = [f"{label(t.metric, done[0].metrics[t.metric].unit)}, {_wish(t)}" for t in axes]
    found = layout(titles[0], titles[1]) | {"showlegend": False}
    for side, term in zip(("xaxis", "yaxis"), axes, strict=True):
        found[side] |= _spread_axis(term, [t.metrics[term.metric].value for t in done])
    return {"data": [*traces, ring], "layout": found}


def _spread_axis(term: Term, values: Sequence[float]) -> dict[str, Any]:
    """Return a logarithmic axis where small values are what counts and large ones would hide them."""
    return LOG_AXIS if term.goal == "minimise" and min(values) > 0 and max(values) > 30 * min(values) else {}


def _wish(term: Term) -> str:
    match term.goal:
        case "maximise":
            return "more is better →"
        case "minimise":
            return "← less is better"
        case "target":
            return f"{term.low:g} to {term.high:g} is best"
        case "desirable":
            edges = [f"above {term.low:g}"] * (term.low > -math.inf) + [f"below {term.high:g}"] * (term.high < math.inf)
            return f"{' and '.join(edges)} is best"


def _rank_label(trial: CandidateResult) -> str:
    text = one_line(trial.candidate.material or "")
    short = text if len(text) <= 34 else f"{text[:33]}…"
    remarks = [f"n = {len(trial.readings)}"] * (len(trial.readings) > 1) + [state_mark(trial)] * (
        state_mark(trial) != "feasible"
    )
    remark = f" ({', '.join(remarks)})" if remarks else ""
    return escape(f"{short} #{trial.number}".strip() + remark)


def _bar(name: str, colour: str, labels: Sequence[str], values: Sequence[MetricValue]) -> Trace:
    return {
        "type": "bar",
        "orientation": "h",
        "name": escape(name),
        "y": list(labels),
        "x": [v.value for v in values],
        "marker": {"color": colour},
        "hoverinfo": "text",
        "text": [escape(f"{name}: {format_uncertain(v.value, v.sd)} points") for v in values],
        "textposition": "none",
    }
