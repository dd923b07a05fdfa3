"""The calibration standards of stations: how far they were off, over lab time."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from loop.core.formatting import number_text
from loop.core.standard_runs import StandardRun, in_doubt, runs_of
from loop.report.html import captioned, chart, grid, paragraph, table
from loop.report.html_tables import utc
from loop.report.report_content import Content
from loop.report.style import BLUE, GREY, RED, Figure, label, layout, line

_HOUR = 3600.0


def standard_parts(content: Content) -> list[str]:
    """Return what each station gave for its standard, beside what it should."""
    names = dict.fromkeys(run.station for run in content.standards)
    stations = {name: runs_of(name, content.standards) for name in names}
    note = (
        "What each station gave for its calibration standard, less what it should give. Dashed: how far it may be off. "
        "Red: it was off by more, and what it measured since the last good standard is in doubt."
    )
    charts = [captioned(name, "", chart(drift_figure(runs))) for name, runs in stations.items()]
    return [paragraph(note, "note"), grid(charts), _table(content)]


def drift_figure(runs: Sequence[StandardRun]) -> Figure:
    """Return how far a station was off over lab time: its runs that gave a value, with one standard deviation."""
    given = [(run, run.value - run.expected) for run in runs if run.value is not None]
    hours = [run.lab / _HOUR for run in runs]
    traces = [
        line([min(hours), max(hours)], [sign * runs[-1].tolerance] * 2, "tolerance", dash="dash", color=GREY)
        for sign in (1, -1)
    ]
    points = {
        "type": "scatter",
        "mode": "markers",
        "name": "standard",
        "x": [run.lab / _HOUR for run, _ in given],
        "y": [off for _, off in given],
        "error_y": {"type": "data", "array": [run.sd for run, _ in given], "color": GREY},
        "marker": {"color": [BLUE if run.good else RED for run, _ in given], "size": 8},
        "hovertext": [escape(run.text) for run, _ in given],
        "hoverinfo": "text",
    }
    found = layout(label("lab time", "h"), label("off by", runs[-1].unit))
    return {"data": [*traces, points], "layout": found | {"showlegend": False}}


def _table(content: Content) -> str:
    rows = []
    for run in content.standards:
        doubt = [] if run.good else in_doubt(run, content.standards, content.trials)
        rows.append((run.station, number_text(run.lab / _HOUR), utc(run.time), run.text, ", ".join(map(str, doubt))))
    return table(("station", "lab time [h]", "measured", "gave", "trials in doubt"), rows)
