import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from ax.api.client import Client

from campaigns.campaign import Campaign
from campaigns.load import load_campaign
from campaigns.values import Candidate, MetricValue, TrialState
from loop.ax_experiment import MATERIAL, SCORE, experiment, write_experiment
from loop.places import ready_campaigns
from loop.reader import Reader
from loop.records import Proposal, TrialRecord
from tests.stores import fill

SETTINGS = {"temperature": 800.0, "time": 10.0, "ramp_rate": 5.0, "lithium_excess": 3, "atmosphere": "air"}
METRICS = {
    "capacity": MetricValue(150.0, 2.0, "mAh/g"),
    "mean_voltage": MetricValue(3.8, 0.01, "V"),
    "phase_fraction": MetricValue(0.9, 0.01, "1"),
}


def trial(number: int, state: TrialState, candidate: Candidate) -> TrialRecord:
    return TrialRecord(number, candidate, state, "", Proposal("model"), {}, (), None, None, None, None, 0.0, None, ())


def completed(number: int, candidate: Candidate, doubt: str = "") -> TrialRecord:
    ended = trial(number, TrialState.COMPLETED, candidate)
    metrics = {name: replace(metric, value=metric.value * (1.0 - 0.02 * number)) for name, metric in METRICS.items()}
    return replace(
        ended, metrics=metrics, score=1.0 - 0.3 * number, score_sd=0.1, feasible=True, completed_order=0, doubt=doubt
    )


@pytest.fixture
def calcination() -> Campaign:
    return load_campaign(ready_campaigns()["calcination"])


def test_ax_takes_up_a_campaign_with_the_fate_of_each_trial(tmp_path: Path) -> None:
    fill(tmp_path)
    reader = Reader(f"sqlite:///{tmp_path / 'small.db'}")
    client = Client.load_from_json_file(str(write_experiment(reader, tmp_path / "small.ax.json")))
    table = client.summarize()
    assert list(table["trial_status"]) == ["COMPLETED", "ABANDONED", "RUNNING", "RUNNING"]
    assert list(table["temperature"]) == [600.0, 601.0, 602.0, 603.0]
    assert (table["capacity"][0], table[SCORE][0]) == (150.0, 15.0)


def test_ax_goes_on_where_the_campaign_was(calcination: Campaign) -> None:
    hotter = [{**SETTINGS, "temperature": 800.0 + 20.0 * number, "time": 10.0 + number % 3} for number in range(6)]
    client = experiment(calcination, [completed(number, Candidate(s)) for number, s in enumerate(hotter)])
    best, values, number, _ = client.get_best_parameterization(use_model_predictions=False)
    assert (dict(best), number) == (SETTINGS, 0)
    assert values[SCORE] == pytest.approx((1.0, 0.1**2))  # Ax tells variances
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ax and scipy, about each other
        ((following, parameters),) = client.get_next_trials(max_trials=1).items()
    assert following == 6
    assert calcination.space.allows(parameters)


def test_what_is_not_believed_is_no_optimum_of_ax(calcination: Campaign) -> None:
    doubted = completed(0, Candidate(SETTINGS), doubt="a spike")
    failed = trial(1, TrialState.FAILED, Candidate({**SETTINGS, "time": 11.0}))
    assert list(experiment(calcination, [doubted, failed]).summarize()["trial_status"]) == ["ABANDONED", "FAILED"]


def test_materials_are_those_that_were_tried() -> None:
    cathode = load_campaign(ready_campaigns()["cathode"])
    settings = {name: parameter.at(0.0) for name, parameter in cathode.space.all_parameters.items()}
    client = experiment(cathode, [trial(0, TrialState.QUEUED, Candidate(settings, "LiCoO2-layered"))])
    assert list(client.summarize()[MATERIAL]) == ["LiCoO2-layered"]


def test_a_front_has_an_objective_for_each_term(calcination: Campaign) -> None:
    data = calcination.model_dump(mode="json")
    data["objective"]["find"] = {"kind": "pareto"}
    data["stopping"] = []
    data["objective"]["terms"] = [{**term, "weight": 1.0} for term in data["objective"]["terms"]]
    front = Campaign.model_validate(data)
    client = experiment(front, [completed(0, Candidate(SETTINGS))])
    table = client.summarize()
    assert table["points_of_capacity_0"][0] == pytest.approx(150.0 / 20.0)
    assert "points_of_phase_fraction_1" in table
