import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import plotly.graph_objects as go
import pytest

from campaigns.objective import Objective
from campaigns.values import Candidate, Scalar, TrialState
from loop.core.candidate_results import CandidateResult, results
from loop.core.pareto import front
from loop.core.proposals import IMPORTED, OPERATOR, Proposal
from loop.core.records import TrialRecord
from loop.diagnostics.calibration import metric_pairs
from loop.report.html import chart
from loop.report.style import MARKS, Figure, state_mark
from loop.report.trial_figures import (
    incumbent,
    parallel_figure,
    prediction_figure,
    ranking_figure,
    score_figure,
    slice_figure,
    trade_off_figures,
)
from tests.trials import campaign, completed, predicted, trial

UNITS = {"temperature": "degC", "time": "h"}
CAMPAIGN = campaign()
OBJECTIVE = CAMPAIGN.build_objective()
PARAMETERS = CAMPAIGN.space.parameters
GOALS = {"capacity": "minimise", "mean_voltage": "maximise"}
ALL_FATES = [
    completed(0, 100.0),
    completed(1, 40.0),
    trial(2, TrialState.FAILED, reason="furnace: <b>door open</b>"),
    completed(3, 120.0, proposal=predicted(110.0, 5.0)),
    trial(4, TrialState.QUARANTINED),
    trial(5, TrialState.UNCERTAIN),
    trial(6, TrialState.RUNNING),
    completed(7, 90.0, proposal=predicted(100.0, 5.0)),
    completed(8, 700.0, outlier="capacity 700 mAh/g, but 100 ± 5 by the others"),
    trial(9, TrialState.WITHDRAWN, reason="ada: no powder left"),
]


def of(trials: Sequence[TrialRecord]) -> list[CandidateResult]:
    return results(OBJECTIVE, trials)


def trade_offs(trials: Sequence[TrialRecord], objective: Objective) -> list[Figure]:
    return trade_off_figures(of(trials), front(objective, trials).candidates, objective, UNITS)


def traces(figure: Figure, name: str) -> list[dict[str, Any]]:
    return [t for t in figure["data"] if t.get("name") == name]


def valid(figure: Figure) -> Figure:
    """Return the figure after Plotly has checked every name and value in it."""
    go.Figure(figure)
    return figure


def test_no_trial_is_hidden_from_the_score_figure() -> None:
    part = replace(completed(10, 50.0), score=None, score_sd=None, feasible=None)
    cheap = replace(part, number=11, proposal=replace(part.proposal, fidelity="quick"))
    trials = [*ALL_FATES, part, cheap]
    figure = valid(score_figure(trials, of(trials), UNITS))
    shown = sorted(x for mark in MARKS for t in traces(figure, mark.name) for x in t["x"])
    assert shown == list(range(12))
    assert len({(m.colour, m.symbol) for m in MARKS}) == len(MARKS) == len({state_mark(t) for t in trials})


def test_scores_stand_with_their_uncertainty_and_the_others_in_lanes() -> None:
    figure = score_figure(ALL_FATES, of(ALL_FATES), UNITS)
    (feasible,) = traces(figure, "feasible")
    assert feasible["y"] == pytest.approx([7.5, 9.0, 6.75])
    assert feasible["error_y"]["array"] == pytest.approx([0.15] * 3)
    (failed,) = traces(figure, "failed")
    assert (failed["yaxis"], failed["y"]) == ("y2", ["failed"])


def test_the_incumbent_never_falls_and_is_never_infeasible() -> None:
    found = [t.number if t else None for t in incumbent([trial(9, TrialState.FAILED), *ALL_FATES], of(ALL_FATES))]
    assert found == [None, 0, 0, 0, 3, 3, 3, 3, 3, 3, 3]
    (line,) = traces(score_figure(ALL_FATES, of(ALL_FATES), UNITS), "best so far ± standard error")
    assert line["y"] == sorted(line["y"])
    assert line["line"]["shape"] == "hv"


def test_the_space_filling_start_is_shaded() -> None:
    asked = completed(4, 2.0, proposal=Proposal(OPERATOR))
    trials = [completed(0, 1.0), completed(1, 2.0), ALL_FATES[3], asked]
    shapes = score_figure(trials, of(trials), UNITS)["layout"]["shapes"]
    assert [(s["x0"], s["x1"]) for s in shapes] == [(-0.5, 1.5)]


def test_imported_history_is_not_shaded_as_the_start() -> None:
    past = [completed(number, 1.0, proposal=Proposal(IMPORTED)) for number in range(3)]
    fresh = [completed(3, 1.0), completed(4, 1.0, proposal=predicted(1.0, 1.0))]
    shapes = score_figure([*past, *fresh], of(past), UNITS)["layout"]["shapes"]
    assert [(s["x0"], s["x1"]) for s in shapes] == [(2.5, 3.5)]
    assert "shapes" not in score_figure([*past, fresh[1]], of(past), UNITS)["layout"]


def test_a_parameter_that_does_not_apply_has_a_place_of_its_own_on_its_axis() -> None:
    when = {"atmosphere": ("air",)}
    partial = PARAMETERS | {"time": PARAMETERS["time"].model_copy(update={"when": when, "otherwise": 1.0})}
    given: list[dict[str, Scalar]] = [
        {"temperature": 700.0, "atmosphere": "<argon>"},
        {"temperature": 700.0, "time": 10.0, "atmosphere": "air"},
        {"temperature": 700.0, "time": 30.0, "atmosphere": "air"},
    ]
    done = [completed(number, 1.0, candidate=Candidate(one)) for number, one in enumerate(given)]
    (trace,) = valid(parallel_figure(of(done), partial))["data"]
    (axis,) = (axis for axis in trace["dimensions"] if axis["label"] == "time [h]")
    assert axis["values"] == [7.0, 10.0, 30.0]
    assert (axis["tickvals"][0], axis["ticktext"][0]) == (7.0, "does not apply")
    assert axis["range"] == [7.0, 30.0]


def test_icons_stand_beside_the_legend() -> None:
    shown = score_figure(ALL_FATES, of(ALL_FATES), UNITS)["layout"]
    assert shown["modebar"] == {"orientation": "v"}
    assert shown["margin"]["r"] >= 34, "as wide as they are"


def test_predictions_stand_across_and_measurements_up_with_both_uncertainties() -> None:
    figure = valid(prediction_figure(metric_pairs(ALL_FATES, "capacity"), "capacity", UNITS))
    (points,) = traces(figure, "trial")
    assert (points["x"], points["y"]) == ([110.0, 100.0], [120.0, 90.0])
    assert (points["error_x"]["array"], points["error_y"]["array"]) == ([5.0, 5.0], [2.0, 2.0])
    assert figure["layout"]["xaxis"]["title"]["text"] == "predicted capacity [mAh/g]"
    (diagonal,) = traces(figure, "predicted = measured")
    assert diagonal["x"] == diagonal["y"] == [88.0, 122.0]


def test_slices_have_the_axis_of_their_parameter() -> None:
    done = of(ALL_FATES)
    axes = {name: valid(slice_figure(done, name, p, UNITS))["layout"]["xaxis"] for name, p in PARAMETERS.items()}
    assert [axis["title"]["text"] for axis in axes.values()] == ["temperature [degC]", "time [h]", "atmosphere"]
    assert [axis.get("type") for axis in axes.values()] == [None, "log", None]


def test_parallel_lines_hold_parameters_metrics_and_score() -> None:
    done = [
        completed(0, 100.0),
        completed(1, 60.0, candidate=Candidate({**ALL_FATES[0].candidate.parameters, "atmosphere": "<argon>"})),
    ]
    (trace,) = valid(parallel_figure(of([*done, ALL_FATES[2]]), PARAMETERS))["data"]
    axes = {axis["label"]: axis["values"] for axis in trace["dimensions"]}
    assert axes["capacity [mAh/g]"] == [100.0, 60.0]
    assert axes["atmosphere"] == [0, 1]
    assert trace["dimensions"][2]["ticktext"] == ["air", "<argon>"], "plain text here, unlike all other texts"
    assert slice_figure(of(done), "atmosphere", PARAMETERS["atmosphere"], UNITS)["data"][0]["x"] == [
        "air",
        "&lt;argon&gt;",
    ]
    assert axes["score [points]"] == trace["line"]["color"] == [7.5, 4.5]


def test_the_pareto_front_is_ringed() -> None:
    trials = [completed(0, 200.0, 4.5), completed(1, 100.0), completed(2, 90.0, 4.2)]
    (figure,) = trade_offs(trials, OBJECTIVE)
    (ring,) = traces(valid(figure), "Pareto front")
    assert (ring["x"], ring["y"]) == ([200.0, 100.0], [4.5, 3.5])
    assert "more is better" in figure["layout"]["xaxis"]["title"]["text"]
    assert "3 to 4 is best" in figure["layout"]["yaxis"]["title"]["text"]


def test_a_suspected_outlier_stands_among_the_trade_offs_as_one_and_never_on_the_front() -> None:
    (figure,) = trade_offs(ALL_FATES, OBJECTIVE)
    (doubted,) = traces(valid(figure), "suspected outlier")
    assert doubted["x"] == [700.0], "it would be the best of all"
    (ring,) = traces(figure, "Pareto front")
    assert 700.0 not in ring["x"]
    assert all(700.0 not in t["x"] for mark in MARKS[:4] for t in traces(figure, mark.name))


def test_one_metric_has_no_trade_off() -> None:
    one = campaign(objective={"terms": [{"goal": "maximise", "metric": "capacity", "scale": 10}]})
    assert trade_offs(ALL_FATES, one.build_objective()) == []


def test_the_bars_of_the_ranking_add_up_to_the_scores() -> None:
    figure = valid(ranking_figure(of(ALL_FATES), OBJECTIVE, UNITS))
    bars = [t["x"] for t in figure["data"] if t["type"] == "bar"]
    (total,) = traces(figure, "score ± standard error")
    assert [sum(parts) for parts in zip(*bars, strict=True)] == pytest.approx(total["x"])
    assert total["y"] == ["#3", "#0", "#7", "#1 (breaks a constraint)", "#8 (suspected outlier)"]


def test_the_ranking_shows_twenty_at_most_and_cuts_long_names() -> None:
    many = [completed(i, 60.0 + i, candidate=Candidate({"temperature": i}, "Li" * 40)) for i in range(30)]
    labels = ranking_figure(of(many), OBJECTIVE, UNITS)["data"][0]["y"]
    assert len(labels) == 20
    assert labels[0].endswith("… #29")
    assert len(labels[0]) < 45


@pytest.mark.parametrize("trials", [[], [trial(0, TrialState.QUEUED)], [completed(0, 40.0)]])
def test_few_trials_give_figures_too(trials: list[Any]) -> None:
    valid(score_figure(trials, of(trials), UNITS))
    valid(parallel_figure(of(trials), PARAMETERS))
    for figure in trade_offs(trials, OBJECTIVE):
        valid(figure)
    valid(ranking_figure(of(trials), OBJECTIVE, UNITS))


def test_text_from_the_store_is_never_markup() -> None:
    text = json.dumps(score_figure(ALL_FATES, of(ALL_FATES), UNITS))
    assert "&lt;b&gt;door open" in text
    assert "<b>" not in text
    assert "</script" not in chart({"data": [{"x": ["</script>"]}], "layout": {"height": 1}})[:-9]


def test_numbers_that_are_not_finite_become_gaps() -> None:
    assert "[null,null]" in chart({"data": [{"x": [float("nan"), float("inf")]}], "layout": {"height": 1}})


def test_a_score_far_below_all_others_is_pointed_to_and_flattens_nothing() -> None:
    trials = [completed(0, -9000.0), *(completed(i, 100.0 + i) for i in range(1, 9))]
    figure = valid(score_figure(trials, of(trials), UNITS))
    (pointer,) = traces(figure, "below the axis (double-click to see)")
    low, high = figure["layout"]["yaxis"]["range"]
    assert 0 < low < 7.575
    assert high > 8.1
    assert pointer["x"] == [0]
    assert low < pointer["y"][0] < 7.575
    assert any(0 in t["x"] for t in traces(figure, "breaks a constraint"))


def test_a_dear_material_does_not_hide_the_cheap_ones() -> None:
    data = {"terms": [{"goal": g, "metric": m, "scale": 10} for m, g in GOALS.items()]}
    objective = campaign(objective=data).build_objective()
    (figure,) = trade_offs([completed(0, 100.0), completed(1, 4000.0)], objective)
    assert valid(figure)["layout"]["xaxis"]["type"] == "log"
    assert "type" not in figure["layout"]["yaxis"]
