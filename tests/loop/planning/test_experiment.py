import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ax.api.client import Client

from campaigns.campaign import Campaign
from campaigns.load import load_campaign, parse_campaign
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.records import Proposal, TrialRecord
from loop.planning.experiment import MATERIAL, SCORE, experiment, write_experiment
from loop.storage.paths import ready_campaigns
from loop.storage.reader import Reader
from tests.stores import fill

SETTINGS = {"temperature": 800.0, "time": 10.0, "ramp_rate": 5.0, "lithium_excess": 3, "atmosphere": "air"}
METRICS = {
    "capacity": MetricValue(150.0, 2.0, "mAh/g"),
    "mean_voltage": MetricValue(3.8, 0.01, "V"),
    "phase_fraction": MetricValue(0.9, 0.01, "1"),
}


def trial(number: int, state: TrialState, candidate: Candidate) -> TrialRecord:
    return TrialRecord(number, candidate, state, "", Proposal("model"), {}, (), None, None, None, None, 0.0, None, ())


def completed(number: int, candidate: Candidate, outlier: str = "") -> TrialRecord:
    ended = trial(number, TrialState.COMPLETED, candidate)
    metrics = {name: replace(metric, value=metric.value * (1.0 - 0.02 * number)) for name, metric in METRICS.items()}
    return replace(
        ended,
        metrics=metrics,
        score=1.0 - 0.3 * number,
        score_sd=0.1,
        feasible=True,
        completed_order=0,
        outlier=outlier,
    )


@pytest.fixture
def calcination() -> Campaign:
    return load_campaign(ready_campaigns()["calcination"])


def test_ax_takes_up_a_campaign_with_the_fate_of_each_trial(tmp_path: Path) -> None:
    fill(tmp_path)
    reader = Reader(f"sqlite:///{tmp_path / 'small.db'}")
    write_experiment(reader.shown_campaign(), reader.trials(), tmp_path / "small.ax.json")
    client = Client.load_from_json_file(str(tmp_path / "small.ax.json"))
    table = client.summarize()
    assert list(table["trial_status"]) == ["COMPLETED", "ABANDONED", "RUNNING", "RUNNING"]
    assert list(table["temperature"]) == [600.0, 601.0, 602.0, 603.0]
    assert (table["capacity"][0], table[SCORE][0]) == (150.0, 15.0)


def test_ax_goes_on_where_the_campaign_was(calcination: Campaign) -> None:
    hotter = [{**SETTINGS, "temperature": 800.0 + 20.0 * number, "time": 10.0 + number % 3} for number in range(6)]
    client = experiment(calcination, [completed(number, Candidate(s)) for number, s in enumerate(hotter)]).client
    best, values, number, _ = client.get_best_parameterization(use_model_predictions=False)
    assert (dict(best), number) == (SETTINGS, 0)
    assert values[SCORE] == pytest.approx((1.0, 0.1**2))  # Ax tells variances
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ax and scipy, about each other
        ((following, parameters),) = client.get_next_trials(max_trials=1).items()
    assert following == 6
    assert calcination.space.allows(parameters)


def test_what_is_not_believed_is_no_optimum_of_ax(calcination: Campaign) -> None:
    outliers_among = completed(0, Candidate(SETTINGS), outlier="a spike")
    failed = trial(1, TrialState.FAILED, Candidate({**SETTINGS, "time": 11.0}))
    assert list(experiment(calcination, [outliers_among, failed]).client.summarize()["trial_status"]) == [
        "ABANDONED",
        "FAILED",
    ]


def test_materials_are_those_that_were_tried() -> None:
    cathode = load_campaign(ready_campaigns()["cathode"])
    settings = {name: parameter.at(0.0) for name, parameter in cathode.space.all_parameters.items()}
    client = experiment(cathode, [trial(0, TrialState.QUEUED, Candidate(settings, "LiCoO2-layered"))]).client
    assert list(client.summarize()[MATERIAL]) == ["LiCoO2-layered"]


def test_a_front_has_an_objective_for_each_term(calcination: Campaign) -> None:
    data = calcination.model_dump(mode="json")
    data["objective"]["find"] = {"kind": "pareto"}
    data["stopping"] = []
    data["objective"]["terms"] = [{**term, "weight": 1.0} for term in data["objective"]["terms"]]
    front = Campaign.model_validate(data)
    client = experiment(front, [completed(0, Candidate(SETTINGS))]).client
    table = client.summarize()
    assert table["points_of_capacity_0"][0] == pytest.approx(150.0 / 20.0)
    assert "points_of_phase_fraction_1" in table


BATTER = """\
name: batter
seed: 1
space:
  parameters:
    heat: {kind: float, unit: degC, low: 100, high: 300, scale: log}
    fan: {kind: categorical, levels: ["off", "on"]}
    speed: {kind: float, unit: "1", low: 1, high: 9, when: {fan: ["on"]}, otherwise: 1}
  mixtures:
    batter: {unit: "%", total: 100, components: {flour: {}, milk: {}, egg: {high: 40}}}
  constraints: ["flour - 2 * milk <= 50", "flour * milk <= 2400", "heat + flour <= 390"]
metrics: {rise: {kind: measured, unit: mm}, price: {kind: derived, unit: mm, formula: 2 * rise}}
objective:
  terms: [{goal: maximise, metric: rise, scale: 1 mm}]
  constraints: [{metric: price, at_most: 30 mm}]
lab: {kind: virtual}
stations: {oven: {kind: furnace}}
workflow:
  - name: bake
    stations: [oven]
    recipe: {heat: $heat, fan: $fan, flour: $flour, milk: $milk, egg: $egg, speed: $speed}
    analysis: instruments.analyses.calcination:phase_fraction
    gives: [rise]
    timeout: 1 h
budget: {trials: 10}
"""


def baked(number: int, flour: float, milk: float, rise: float, **changes: Any) -> TrialRecord:
    parameters = {"heat": 200.0, "fan": "off", "flour": flour, "milk": milk, "egg": 100.0 - flour - milk}
    metrics = {"rise": MetricValue(rise, 0.5, "mm"), "price": MetricValue(2 * rise, 1.0, "mm")}
    ended = trial(number, TrialState.COMPLETED, Candidate(parameters))
    merit = {"score": rise, "score_sd": 0.5, "feasible": True, "completed_order": number}
    return replace(ended, **(merit | {"metrics": metrics} | changes))


def test_what_ax_cannot_hold_is_said() -> None:
    handed = experiment(
        parse_campaign(BATTER, "batter.yaml"), [baked(i, 20.0 + 5 * i, 50.0, 5.0 + i) for i in range(5)]
    )
    assert [text.split(":")[0] for text in handed.left_out] == [
        "constraint heat + flour <= 390",
        "constraint flour * milk <= 2400",
        "condition of speed",
        "stations, workflow, budget and stopping rules",
    ]


def test_the_total_of_a_mixture_is_kept_by_what_ax_suggests(tmp_path: Path) -> None:
    data = parse_campaign(BATTER, "batter.yaml").model_dump(mode="json")
    data["space"] |= {"parameters": {}, "constraints": ["flour - 2 * milk <= 50"]}
    data["workflow"][0]["recipe"] = {name: f"${name}" for name in ("flour", "milk", "egg")}
    campaign = Campaign.model_validate(data)
    trials = [baked(i, 20.0 + 5 * i, 50.0, 5.0 + i) for i in range(5)]
    shares = [{n: x for n, x in t.candidate.parameters.items() if n not in ("heat", "fan")} for t in trials]
    plain = [replace(t, candidate=Candidate(each)) for t, each in zip(trials, shares, strict=True)]
    experiment(campaign, plain).client.save_to_json_file(str(tmp_path / "batter.json"))
    client = Client.load_from_json_file(str(tmp_path / "batter.json"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (suggested,) = client.get_next_trials(max_trials=1).values()
    flour, milk, egg = (float(suggested[name]) for name in ("flour", "milk", "egg"))
    assert flour + milk + egg == pytest.approx(100.0)
    assert flour - 2 * milk <= 50.0 + 1e-6
    assert egg <= 40.0 + 1e-6


def test_shares_that_were_rounded_add_up_for_ax() -> None:
    campaign = parse_campaign(BATTER, "batter.yaml")
    thirds = baked(0, 33.3, 33.3, 5.0)
    parameters = {**thirds.candidate.parameters, "egg": 33.3}
    handed = experiment(campaign, [replace(thirds, candidate=Candidate(parameters))])
    assert sum(handed.client.summarize()[["flour", "milk", "egg"]].iloc[0]) == pytest.approx(100.0)
    assert not any("outside" in text for text in handed.left_out)


def test_a_candidate_is_one_trial_of_ax_with_its_pooled_values() -> None:
    campaign = parse_campaign(BATTER, "batter.yaml")
    spike = baked(3, 20.0, 50.0, 99.0, outlier="far from the others")
    bad = replace(baked(4, 30.0, 50.0, 1.0), state=TrialState.QUARANTINED, score=None, completed_order=None)
    handed = experiment(
        campaign, [baked(0, 20.0, 50.0, 4.0), baked(1, 25.0, 50.0, 5.0), baked(2, 20.0, 50.0, 8.0), spike, bad]
    )
    table = handed.client.summarize()
    assert list(table["arm_name"]) == ["trials_0_2_3", "trial_1", "trial_4"]
    assert list(table["trial_status"]) == ["COMPLETED", "COMPLETED", "ABANDONED"]
    assert list(table["rise"])[:2] == [6.0, 5.0]
    assert list(table["price"])[:2] == [12.0, 10.0]
    _, values, number, _ = handed.client.get_best_parameterization(use_model_predictions=False)
    assert (number, values["rise"]) == (0, (6.0, pytest.approx(4.0)))  # the standard error of two readings is 2
    told = "; ".join(handed.left_out)
    assert "single readings of trials 0, 2 (n = 2)" in told
    assert "trial 3: a suspected outlier" in told
    assert "measurement of trial 4: quarantined" in told
