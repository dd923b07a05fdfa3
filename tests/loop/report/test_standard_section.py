"""How far a station was off over lab time."""

from __future__ import annotations

import plotly.graph_objects as go

from loop.core.standard_runs import StandardRun, in_doubt
from loop.report.standard_section import drift_figure
from tests.trials import attempt, completed

HOUR = 3600.0


def run(number: int, value: float | None, hours: float) -> StandardRun:
    reason = "" if value else "none"
    return StandardRun("cycler", number, hours * HOUR, 1.7e9, value, 0.1, 100.0, 0.5, "mg", "out", reason)


RUNS = [run(1, 100.2, 1.0), run(2, None, 3.0), run(3, 98.0, 6.0)]


def test_what_was_off_is_red_and_what_gave_nothing_is_left_out() -> None:
    figure = drift_figure(RUNS)
    go.Figure(figure)
    low, high, points = figure["data"]
    assert (low["y"][0], high["y"][0]) == (0.5, -0.5)
    assert points["x"] == [1.0, 6.0]
    assert [round(off, 6) for off in points["y"]] == [0.2, -2.0]
    assert points["marker"]["color"][0] != points["marker"]["color"][1]


def test_trials_are_in_doubt_since_the_last_good_standard_before_one_that_is_off() -> None:
    trials = [
        completed(i, 1.0, steps=(attempt(i, "cycle", "cycler", started=hours * HOUR, ended=(hours + 0.5) * HOUR),))
        for i, hours in enumerate((0.1, 1.5, 4.0, 7.0))
    ]
    assert in_doubt(RUNS[2], RUNS, trials) == [1, 2]
    assert in_doubt(RUNS[0], RUNS, trials) == [0]
