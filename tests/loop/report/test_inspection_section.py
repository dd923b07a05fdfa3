"""What the models said, drawn in the report's own style."""

import json
import re
from dataclasses import replace

import pytest

from campaigns.values import Candidate
from loop.core.inspection_cards import SCORE, InspectionCard, InspectionKind, ModelInspection
from loop.report.inspection_figures import (
    contour_figure,
    cross_validation_figure,
    importance_figure,
    levels_figure,
    slice_figure,
)
from loop.report.inspection_section import inspection_parts
from loop.report.style import BLUE, GREY
from tests.trials import campaign, completed

IMPORTANCE = InspectionCard(
    InspectionKind.IMPORTANCE,
    SCORE,
    ("temperature", "atmosphere", "time"),
    {
        "parameter": ("temperature", "atmosphere", "time"),
        "importance": (0.7, 0.3, 0.1),
        "slope": (1.0, 0.0, -1.0),
    },
    {},
)
SLICE = InspectionCard(
    InspectionKind.SLICE,
    SCORE,
    ("time",),
    {
        "time": (1.0, 10.0, 50.0, 100.0),
        "mean": (1.0, 2.0, 3.0, 4.0),
        "sd": (0.1,) * 4,
        "allowed": (True, True, False, True),
    },
    {},
)
LEVELS = InspectionCard(
    InspectionKind.LEVELS,
    SCORE,
    ("atmosphere",),
    {
        "atmosphere": ("air", "argon", "oxygen", "<vacuum>"),
        "mean": (6.0, -8.5, 8.25, 1.0),
        "sd": (1.5, 2.0, 0.5, 9.0),
        "allowed": (True, True, True, False),
        "measured": (3, 2, 13, 0),
    },
    {},
)
CONTOUR = InspectionCard(
    InspectionKind.CONTOUR,
    SCORE,
    ("temperature", "time"),
    {
        "temperature": (500.0, 500.0, 900.0, 900.0),
        "time": (1.0, 100.0, 1.0, 100.0),
        "mean": (1.0, 2.0, 3.0, 4.0),
        "sd": (0.1,) * 4,
        "allowed": (True, True, True, False),
    },
    {},
)
FIT = InspectionCard(
    InspectionKind.CROSS_VALIDATION,
    "capacity",
    (),
    {
        "trial": (0, 1),
        "measured": (150.0, 170.0),
        "measured sd": (2.0, 2.0),
        "predicted": (152.0, 160.0),
        "predicted sd": (5.0, 7.0),
    },
    {"r2": 0.42},
)
UNITS = {"temperature": "degC", "time": "h", "capacity": "mAh/g", SCORE: "points"}


def test_bars_stand_in_their_order_and_say_which_way_they_act() -> None:
    figure = importance_figure(IMPORTANCE)
    assert figure["layout"]["yaxis"]["categoryarray"] == ["time", "atmosphere", "temperature"], "the first on top"
    names = {trace["y"][0]: trace["name"] for trace in figure["data"]}
    assert names == {
        "temperature": "outcome rises with it", "atmosphere": "categorical", "time": "outcome falls with it"
    }  # fmt: skip


def test_a_slice_has_a_gap_where_a_constraint_forbids_it() -> None:
    figure = slice_figure(SLICE, UNITS, {"time": 10.0}, ("time",))
    *bands, curve = figure["data"]
    assert curve["y"] == [1.0, 2.0, None, 4.0]
    assert [trace["x"] for trace in bands[::2]] == [[1.0, 10.0], [100.0]]
    assert bands[1]["y"] == pytest.approx([1.1, 2.1])
    assert figure["layout"]["xaxis"]["title"]["text"] == "time [h]"
    assert figure["layout"]["xaxis"]["type"] == "log"
    assert figure["layout"]["shapes"][0]["x0"] == 10.0, "where the best candidate lies"


def test_levels_stand_in_the_order_of_what_is_predicted_with_them() -> None:
    figure = levels_figure(LEVELS, UNITS, {"atmosphere": "oxygen"})
    (points,) = figure["data"]
    assert points["y"] == ["argon (2)", "air (3)", "oxygen (13)"], "the highest on top; none that is forbidden"
    assert points["x"] == [-8.5, 6.0, 8.25]
    assert points["error_x"]["array"] == [2.0, 1.5, 0.5]
    assert points["marker"]["symbol"][2] == "circle-open", "the best candidate's"
    assert points["text"][2] == "oxygen (13): 8.25 ± 0.50 points"


def test_a_contour_is_a_grid_with_gaps_and_the_best_candidate() -> None:
    levels, edge, best = contour_figure(CONTOUR, UNITS, {"temperature": 700.0, "time": 10.0})["data"]
    assert levels["z"] == [[1.0, 3.0], [2.0, None]]
    assert (best["x"], best["y"]) == (edge["x"], edge["y"]) == ([700.0], [10.0])
    assert best["cliponaxis"] is edge["cliponaxis"] is False, "a ring on the edge of the map is whole"


def test_grey_covers_what_outcome_constraints_more_likely_forbid() -> None:
    contour = replace(CONTOUR, columns={**CONTOUR.columns, "feasible": (0.9, 0.6, 0.4, 0.0)})
    _, veil = contour_figure(contour, UNITS, {})["data"]
    assert veil["z"] == [[0.9, 0.4], [0.6, 0.0]]
    region = {"type": "constraint", "operation": ">", "value": 0.5}
    assert veil["contours"] == region, "Plotly fills what does not satisfy it"
    along = replace(SLICE, columns={**SLICE.columns, "feasible": (0.2, 0.4, 0.6, 0.1)})
    boxes = [(box["x0"], box["x1"]) for box in slice_figure(along, UNITS, {})["layout"]["shapes"]]
    assert boxes == [(1.0, 30.0), (75.0, 100.0)]
    levels = replace(LEVELS, columns={**LEVELS.columns, "feasible": (0.9, 0.1, 0.5, 0.0)})
    (points,) = levels_figure(levels, UNITS, {})["data"]
    assert points["marker"]["color"] == [GREY, BLUE, BLUE], "argon"


def test_the_section_says_which_outcome_constraints_are_grey() -> None:
    bounds = [{"metric": "capacity", "at_least": 120.0}]
    both = [campaign(objective=campaign().objective.model_dump() | {"constraints": some}) for some in ([], bounds)]
    free, bound = ("".join(inspection_parts(one, [], ModelInspection((SLICE,)))) for one in both)
    assert "outcome constraints (" not in free
    assert "Grey: outcome constraints (capacity &gt;= 120 mAh/g) are more likely broken than kept" in bound
    assert "may differ from what matters over the whole space" in free


def test_predictions_stand_against_measurements_with_the_diagonal() -> None:
    diagonal, points = cross_validation_figure(FIT, UNITS)["data"]
    assert (points["x"], points["y"]) == ([152.0, 160.0], [150.0, 170.0])
    assert points["error_x"]["array"] == [5.0, 7.0]
    assert diagonal["x"] == [147.0, 172.0]
    assert points["text"][1] == "trial 1: predicted 160.0 ± 7.0, measured 170.0 ± 2.0 mAh/g"


def test_the_section_begins_with_what_matters_and_how_good_the_model_is() -> None:
    trials = [completed(0, 150.0, candidate=Candidate({"temperature": 700.0, "time": 10.0, "atmosphere": "air"}))]
    fit = InspectionCard(FIT.kind, SCORE, (), FIT.columns, {"r2": 0.42})
    said = ModelInspection((IMPORTANCE, LEVELS, SLICE, CONTOUR, fit, FIT), 0, ("contour of <x>: no choice",))
    first, *rest = inspection_parts(campaign(), trials, said)
    assert first == (
        "<p><b>score</b>: Over the whole space, temperature matters most (70 % of the variance), "
        "then atmosphere (30 %) and time (10 %). "
        "The model is weak: it ranks candidates roughly (R² 0.42, rank correlation 1.00, "
        "2 measurements; that may still change much).</p>"
    )
    text = "".join(rest)
    assert "everything else as in the best candidate, that of trial 0" in text
    assert "<li>contour of &lt;x&gt;: no choice</li>" in text
    figures = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert [len(json.loads(figure)["data"]) for figure in figures] == [3, 1, 5, 3, 2, 2]
    assert "Sobol" not in text.partition("what the numbers mean")[0], "definitions come last"


def test_a_section_without_models_says_why() -> None:
    (text,) = inspection_parts(campaign(), [], ModelInspection(missing="<pool> is gone"))
    assert text == '<p class="note">There are no models to inspect: &lt;pool&gt; is gone.</p>'
