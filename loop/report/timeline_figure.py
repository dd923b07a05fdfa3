"""Figures of the laboratory and of the models, as dicts in Plotly's JSON format: pure functions of records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from campaigns.spaces.parameters import CategoricalConfig, ParameterConfig
from campaigns.values import TrialState
from loop.core.formatting import one_line
from loop.core.model_words import column_names, hyper_parameter_name
from loop.core.records import StepRecord, TrialRecord
from loop.report.style import COLOURS, LOG_AXIS, RED, Figure, Trace, label, layout

_HOUR, _DAY = 3600.0, 86400.0
_UNPROVEN = (TrialState.FAILED, TrialState.QUARANTINED, TrialState.UNCERTAIN)
_DASHES = ("solid", "dot", "dash", "dashdot")

Attempt = tuple[TrialRecord, StepRecord]
Job = list[Attempt]
"""The attempts that share a job: one, or those of a load."""


def timeline_figure(trials: Sequence[TrialRecord], stations: Sequence[str], now: float) -> Figure:
    """Return what each station did over lab time: one bar per job, hatched where it failed, pale while it lasts.

    Args:
        trials: all trials.
        stations: names, from top to bottom.
        now: the latest lab time known, in seconds; attempts that have not ended reach it.
    """
    attempts = [(t, s) for t in trials for s in t.steps if s.started is not None]
    span, unit = (_DAY, "d") if now > 3 * _DAY else (_HOUR, "h")
    steps = list(dict.fromkeys(s.name for _, s in attempts))
    colours = COLOURS * (1 + len(steps) // len(COLOURS))
    traces = [
        _bars([a for a in attempts if a[1].name == step], colours[i], (now, span)) for i, step in enumerate(steps)
    ]
    rejected = [a for a in attempts if _unproven(*a)]
    if rejected:
        traces.append(_crosses(rejected, (now, span)))
    found = layout(label("lab time", unit), "", 130 + 46 * len(stations)) | {"barmode": "overlay", "bargap": 0.3}
    found["yaxis"] |= {"type": "category", "categoryarray": list(stations), "autorange": "reversed"}
    return {"data": traces, "layout": found | {"uniformtext": {"mode": "hide", "minsize": 9}}}


def busy(trials: Iterable[TrialRecord], station: str, now: float) -> float:
    """Return how long a station has worked, in seconds of lab time."""
    steps = (s for t in trials for s in t.steps if s.station == station and s.started is not None)
    jobs = {s.job: s for s in steps}  # of a load, once
    return sum(_end(s, now) - (s.started or 0.0) for s in jobs.values())


def model_figure(trials: Sequence[TrialRecord], metric: str, parameters: Mapping[str, ParameterConfig]) -> Figure:
    """Return the hyper-parameters of a metric's model at each proposal; standardised units, so all dimensionless.

    Args:
        trials: those that a model proposed.
        metric: name of the metric.
        parameters: the space's, whose names label length scales.
    """
    history = {t.number: _flat(t.proposal.models[metric]["hyper_parameters"], parameters) for t in trials}
    names = list(dict.fromkeys(name for values in history.values() for name in values))
    found = layout("proposed trial", "hyper-parameters [1]", max(380, 130 + 17 * len(names)))
    found["yaxis"] |= LOG_AXIS
    found["legend"] = {"font": {"size": 10}}
    return {"data": [_history(history, name, i) for i, name in enumerate(names)], "layout": found}


def _bars(attempts: Sequence[Attempt], colour: str, scale: tuple[float, float]) -> Trace:
    now, span = scale
    jobs = _jobs(attempts)
    steps = [job[0][1] for job in jobs]
    return {
        "type": "bar",
        "orientation": "h",
        "name": escape(steps[0].name),
        "y": [s.station for s in steps],
        "base": [(s.started or 0.0) / span for s in steps],
        "x": [(_end(s, now) - (s.started or 0.0)) / span for s in steps],
        "text": [", ".join(str(trial.number) for trial, _ in job) for job in jobs],
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "hoverinfo": "text",
        "hovertext": ["<br>".join(_attempt_text(*one, now) for one in job) for job in jobs],
        "marker": {
            "color": colour,
            "opacity": [0.45 if s.ended is None else 1.0 for s in steps],
            "pattern": {
                "shape": _hatched(jobs),
                "fillmode": "overlay",
            },
        },
    }


def _hatched(jobs: Sequence[Job]) -> list[str]:
    """Return the pattern of each job's bar."""
    return ["x" if any(_unproven(*one) for one in job) else "" for job in jobs]


def _jobs(attempts: Sequence[Attempt]) -> list[Job]:
    """Return attempts by the jobs that they share."""
    found: dict[str, Job] = {}
    for one in attempts:
        found.setdefault(one[1].job, []).append(one)
    return list(found.values())


def _crosses(attempts: Sequence[Attempt], scale: tuple[float, float]) -> Trace:
    """Return a cross on each attempt: a short one would be too narrow to show its hatching."""
    now, span = scale
    return {
        "type": "scatter",
        "mode": "markers",
        "name": "failed or rejected",
        "x": [((s.started or 0.0) + _end(s, now)) / 2 / span for _, s in attempts],
        "y": [s.station for _, s in attempts],
        "marker": {"symbol": "x", "size": 11, "color": RED, "line": {"width": 1.5, "color": "white"}},
        "hoverinfo": "text",
        "hovertext": [_attempt_text(trial, step, now) for trial, step in attempts],
    }


def _unproven(trial: TrialRecord, step: StepRecord) -> bool:
    """Return whether an attempt failed, or its result was rejected."""
    return step.state in _UNPROVEN or (trial.state in _UNPROVEN and step is trial.steps[-1])


def _end(step: StepRecord, now: float) -> float:
    return max(now, step.started or 0.0) if step.ended is None else step.ended


def _attempt_text(trial: TrialRecord, step: StepRecord, now: float) -> str:
    took = (_end(step, now) - (step.started or 0.0)) / _HOUR
    head = f"trial {trial.number}, {step.name} at {step.station}, attempt {step.attempt}: {step.state}"
    lines = [head, f"{took:.1f} h, {step.cost:g} USD", *([one_line(step.reason)[:160]] if step.reason else [])]
    return "<br>".join(escape(one) for one in lines)


def _flat(values: Mapping[str, float], parameters: Mapping[str, ParameterConfig]) -> dict[str, float]:
    """Return each hyper-parameter under a readable name; those of columns bear the names of the columns."""
    columns = [column for name, parameter in parameters.items() for column in _columns(name, parameter)]
    return {hyper_parameter_name(path, columns): value for path, value in values.items()}


def _columns(name: str, parameter: ParameterConfig) -> list[str]:
    if not isinstance(parameter, CategoricalConfig):
        return [name]
    return column_names(name, parameter.levels, parameter.descriptors)


def _history(history: Mapping[int, Mapping[str, float]], name: str, place: int) -> Trace:
    style: dict[str, Any] = {"color": COLOURS[place % len(COLOURS)], "dash": _DASHES[place // len(COLOURS) % 4]}
    values = [numbers.get(name) for numbers in history.values()]
    shown = {"x": list(history), "y": values, "name": escape(name), "hoverinfo": "name+x+y"}
    return {"type": "scatter", "mode": "lines", "line": style | {"width": 1.6}, **shown}
