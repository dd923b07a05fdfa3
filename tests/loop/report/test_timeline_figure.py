from typing import Any

import plotly.graph_objects as go
import pytest

from campaigns.values import TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.report.timeline_figure import busy, model_figure, timeline_figure
from tests.trials import attempt, campaign, completed, predicted, trial

STATIONS = ["furnace_1", "cycler"]
HOUR = 3600.0


def bars(trials: list[TrialRecord], now: float) -> list[dict[str, Any]]:
    figure = timeline_figure(trials, STATIONS, now)
    go.Figure(figure)
    return [t for t in figure["data"] if t["type"] == "bar"]


def test_each_attempt_is_a_bar_at_its_station_over_its_lab_time() -> None:
    make, cycle = bars([completed(0, 100.0), completed(1, 90.0)], 2 * HOUR)
    assert (make["name"], make["y"], make["base"], make["x"]) == ("make", ["furnace_1"] * 2, [0.0, 1.0], [1.0, 1.0])
    assert (cycle["name"], cycle["y"]) == ("cycle", ["cycler"] * 2)


def test_long_campaigns_are_told_in_days() -> None:
    late = completed(0, 100.0, steps=(attempt(0, "make", "furnace_1", started=0.0, ended=96 * HOUR),))
    figure = timeline_figure([late], STATIONS, 96 * HOUR)
    assert figure["data"][0]["x"] == [4.0]
    assert figure["layout"]["xaxis"]["title"]["text"] == "lab time [d]"


def test_failed_and_rejected_attempts_are_hatched_and_crossed() -> None:
    failed = attempt(0, "make", "furnace_1", state=TrialState.FAILED, reason="<lid> open")
    mended = completed(0, 100.0, steps=(failed, attempt(1, "make", "furnace_1")))
    spoilt = trial(2, TrialState.QUARANTINED, steps=(attempt(2, "make", "furnace_1"), attempt(3, "cycle", "cycler")))
    figure = timeline_figure([mended, spoilt], STATIONS, 4 * HOUR)
    go.Figure(figure)
    hatches = {t["name"]: t["marker"]["pattern"]["shape"] for t in figure["data"] if t["type"] == "bar"}
    assert hatches == {"make": ["x", "", ""], "cycle": ["x"]}
    (crosses,) = [t for t in figure["data"] if t["type"] == "scatter"]
    assert crosses["x"] == [0.5, 3.5]
    assert "&lt;lid&gt; open" in crosses["hovertext"][0]


def test_an_attempt_under_way_reaches_the_latest_lab_time() -> None:
    running = attempt(0, "make", "furnace_1", state=TrialState.RUNNING, ended=None)
    (make,) = bars([trial(0, TrialState.RUNNING, steps=(running,))], 3 * HOUR)
    assert make["x"] == [3.0]
    assert make["marker"]["opacity"] == [0.45]


def test_an_attempt_that_never_started_is_no_bar() -> None:
    assert bars([trial(0, TrialState.CLAIMED, steps=(attempt(0, "make", "furnace_1", started=None),))], 0.0) == []


def test_stations_are_busy_for_as_long_as_their_attempts_last() -> None:
    assert busy([completed(0, 1.0), completed(5, 1.0)], "cycler", 10 * HOUR) == pytest.approx(2 * HOUR)


def test_a_load_is_one_bar_with_all_of_its_trials_and_is_busy_once() -> None:
    steps = [attempt(0, "make", "furnace_1", token=f"{n}-make", load="0-make-load", place=n + 1) for n in range(3)]
    trials = [completed(n, 100.0, steps=(step,)) for n, step in enumerate(steps)]
    (bar,) = bars(trials, 2 * HOUR)
    assert (bar["text"], bar["x"]) == (["0, 1, 2"], [1.0])
    assert busy(trials, "furnace_1", 2 * HOUR) == pytest.approx(HOUR)


def test_hyper_parameters_are_lines_over_the_proposals_that_name_their_columns() -> None:
    trials = [completed(i, 100.0, proposal=predicted(90.0, 5.0)) for i in (4, 6)]
    figure = model_figure(trials, "capacity", campaign().space.parameters)
    go.Figure(figure)
    assert [t["name"] for t in figure["data"]] == [
        "length scale temperature",
        "length scale atmosphere=&lt;argon&gt;",
        "variance",
        "warp at the low end of time",
        "warp at the high end of time",
        "noise variance",
    ]
    assert (figure["data"][0]["x"], figure["data"][0]["y"]) == ([4, 6], [0.5, 0.5])


def test_lengths_along_parameters_bear_their_names_and_scales_those_of_the_features() -> None:
    values = {
        "scale.chgnet": 0.7,
        "length.chgnet": 0.9,
        "length.0": 0.5,
        "length.3": 2.0,
        "process": 0.2,
        "nugget": 0.01,
    }
    models = {"capacity": {"kind": "gp", "observations": 4, "hyper_parameters": values}}
    proposed = trial(5, TrialState.QUEUED, proposal=Proposal("model", models=models))
    figure = model_figure([proposed], "capacity", campaign().space.parameters)
    go.Figure(figure)
    names = [trace["name"] for trace in figure["data"]]
    assert names == [
        "variance chgnet",
        "length scale chgnet",
        "length scale temperature",
        "length scale atmosphere=&lt;argon&gt;",
        "variance",
        "variance of what no feature explains",
    ]
