from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from campaigns.surrogate import HealthConfig
from campaigns.values import MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord
from loop.diagnostics.calibration import Pair
from loop.diagnostics.model_health import Figures, HealthChange, HealthState
from loop.report.model_figures import features_figure, health_figure, prior_figure, running
from tests.trials import completed, trial

CONFIG = HealthConfig(window=6)


def pairs(count: int) -> list[Pair]:
    noise = np.random.default_rng(0).normal(size=count)
    return [
        Pair(completed(2 * i, 1.0), MetricValue(float(i), 1.0, "V"), MetricValue(i + noise[i], 0.1, "V"))
        for i in range(count)
    ]


def named(figure: dict[str, Any] | None) -> dict[str, dict[str, Any]]:
    assert figure is not None
    go.Figure(figure)
    return {trace["name"]: trace for trace in figure["data"]}


def proposal(**model: object) -> TrialRecord:
    return trial(7, TrialState.QUEUED, proposal=Proposal("model", models={"capacity": model}))


def test_running_figures_start_at_half_a_window_and_look_back_a_whole_one() -> None:
    found = running(pairs(20), 6)
    assert [number for number, _ in found] == list(range(4, 40, 2))
    assert [f.predictions for _, f in found] == [3, 4, 5, *[6] * 15]
    assert running(pairs(2), 6) == []


def test_coverage_and_rank_run_beside_their_thresholds_and_changes() -> None:
    change = HealthChange(12, HealthState.RECALIBRATED, "<too> sure", Figures(6, (0.1, 0.2, 0.3), None, 1.0))
    traces = named(health_figure(running(pairs(20), 6), CONFIG, [change]))
    assert len(traces["inside 95 %"]["x"]) == 18
    assert traces["threshold"]["y"] == [CONFIG.coverage] * 2
    assert traces["rank correlation"]["yaxis"] == "y2"
    assert traces["rank correlation"]["y"][0] is None, "three predictions have no rank correlation"
    assert traces["recalibrated"]["x"][:2] == [12, 12]
    assert "&lt;too&gt; sure" in traces["recalibrated"]["text"][0]


def test_shares_of_views_add_up_with_what_none_of_them_sees() -> None:
    told = [proposal(features={"chgnet": 0.7, "sites": 0.1}), proposal(kind="gp"), proposal(features={"sites": 0.9})]
    told = [TrialRecord(**{f: getattr(t, f) for f in t.__slots__} | {"number": i}) for i, t in enumerate(told)]
    traces = named(features_figure(told, "capacity"))
    assert traces["chgnet"]["x"] == [0, 2]
    assert traces["chgnet"]["y"] == [0.7, 0.0]
    assert traces["explained by no feature"]["y"] == pytest.approx([0.2, 0.1])
    assert features_figure([proposal(kind="gp")], "capacity") is None
    assert features_figure(told, "mean_voltage") is None


def test_a_prior_that_was_left_out_is_open() -> None:
    told = [proposal(prior={"slope": 0.8, "sd": 0.1, "used": True})]
    assert "slope, prior left out" not in named(prior_figure(told, "capacity"))
    traces = named(prior_figure([proposal(prior={"slope": 0.01, "sd": 0.1, "used": False})], "capacity"))
    assert traces["slope, prior left out"]["y"] == [0.01]
    assert "slope" not in traces
    assert prior_figure([proposal(kind="gp")], "capacity") is None
