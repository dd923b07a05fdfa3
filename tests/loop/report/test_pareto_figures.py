import json

import plotly.graph_objects as go
import pytest

from loop.core.candidate_results import results
from loop.core.pareto import front
from loop.report.pareto_figures import front_figures, volume_figure
from tests.loop.core.test_pareto import AREA, TRIALS, two_terms
from tests.trials import campaign

UNITS = {"temperature": "degC", "time": "h"}


def test_the_front_of_two_terms_is_a_staircase_among_all_trials_with_their_uncertainties() -> None:
    objective = two_terms().build_objective()
    (figure,) = front_figures(front(objective, TRIALS), results(objective, TRIALS), objective, UNITS)
    go.Figure(figure)
    stairs, *clouds = figure["data"]
    assert list(zip(stairs["x"], stairs["y"], strict=True)) == [
        (120, 3.1),
        (100, 3.1),
        (100, 3.5),
        (90, 3.5),
        (90, 3.9),
    ]
    assert all(c["error_x"]["array"] and c["error_y"]["array"] for c in clouds if c["name"] == "feasible")


def test_three_terms_are_shown_in_space_and_pair_by_pair() -> None:
    terms = [
        *two_terms().model_dump()["objective"]["terms"],
        {"goal": "desirable", "metric": "capacity", "above": 90, "width": 5},
    ]
    objective = campaign(objective={"find": {"kind": "pareto"}, "terms": terms}).build_objective()
    space, *pairs = front_figures(front(objective, TRIALS), results(objective, TRIALS), objective, UNITS)
    go.Figure(space)
    assert sum(len(trace["x"]) for trace in space["data"]) == 5
    assert len(pairs) == 1, "terms that share a metric are one axis"


def test_the_volume_figure_marks_the_trials_that_made_it_grow() -> None:
    figure = volume_figure(TRIALS, two_terms(AREA).build_objective(), UNITS)
    go.Figure(figure)
    json.dumps(figure)
    curve, marks = figure["data"]
    assert curve["y"] == pytest.approx([10.0, 10.0, 14.0, 14.0, 14.0, 16.0])
    assert marks["x"] == [0, 2, 5]


def test_a_front_without_trials_has_no_picture() -> None:
    objective = two_terms().build_objective()
    assert front_figures(front(objective, []), [], objective, UNITS) == []
