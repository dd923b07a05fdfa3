"""The trials one by one: predictions against measurements, parameters and metrics, and stations over lab time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loop.diagnostics.calibration import calibration_summary
from loop.report.html import captioned, chart, grid, paragraph
from loop.report.html_tables import (
    calibration_table,
    stations_table,
    trials_table,
)
from loop.report.timeline_figure import timeline_figure
from loop.report.trial_figures import (
    parallel_figure,
    prediction_figure,
    slice_figure,
)

if TYPE_CHECKING:
    pass

from loop.report.report_content import Content


def prediction_parts(content: Content) -> list[str]:
    """Return the predictions beside what was measured, with their calibration."""
    if not content.pairs:
        return [paragraph("No trial that a model proposed has been completed yet.", "note")]
    note = (
        "Each prediction was made before its measurement. Bars are one standard deviation; an interval has the "
        "variances of prediction and measurement added, and should contain as many measurements as it says. ± on a "
        "share: expected scatter for a perfect model."
    )
    charts = [
        captioned(name, calibration_summary(pairs), chart(prediction_figure(pairs, name, content.units)))
        for name, pairs in content.pairs.items()
    ]
    return [paragraph(note, "note"), grid(charts), calibration_table(content.pairs)]


def all_trial_parts(content: Content) -> list[str]:
    """Return the measured candidates over the space, and a table of all trials."""
    scored = [one for one in content.found if one.score is not None]
    parameters = content.campaign.space.all_parameters
    parts: list[str] = []
    if scored:
        slices = [slice_figure(scored, name, parameter, content.units) for name, parameter in parameters.items()]
        note = (
            "Each candidate once, with its pooled values. Blue: feasible; orange rings: breaks a constraint. Below, a "
            "line is a candidate and its colour the score, "
            "the lowest tenth have one colour; drag along an axis to keep only some lines."
        )
        parts += [
            paragraph(note, "note"),
            grid([chart(one) for one in slices]),
            chart(parallel_figure(scored, parameters)),
        ]
    note = (
        "Each row is a trial, a single reading. Parameters are set points; metrics and score are given with one "
        "standard deviation where they are measured."
    )
    shown = trials_table(content.trials, content.objective, content.units, _tops(content))
    return [*parts, paragraph(note, "note"), shown]


def _tops(content: Content) -> dict[int, str]:
    """Return the number of each trial that stands out to why it does."""
    if content.front is not None:
        return dict.fromkeys(content.front.numbers, "on the front")
    return {} if content.best is None else dict.fromkeys(content.best.numbers, "best candidate")


def timeline_parts(content: Content) -> list[str]:
    """Return what each station did over lab time."""
    stations = list(content.campaign.stations)
    if not any(t.steps for t in content.trials):
        return [paragraph("No step has been started yet.", "note")]
    note = (
        "One bar per attempt, with the trial's number where it fits. Hatched, with a cross: the attempt failed, or "
        "its result was rejected. Pale: not over."
    )
    figure = chart(timeline_figure(content.trials, stations, content.now))
    return [paragraph(note, "note"), figure, stations_table(content.trials, stations, content.now)]
