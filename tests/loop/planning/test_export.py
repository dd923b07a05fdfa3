"""What Ax makes of a campaign that is handed over to it."""

import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from ax.api.client import Client

from campaigns.campaign import Campaign
from campaigns.load import load_campaign, parse_campaign
from campaigns.values import Candidate, MetricValue, Scalar, TrialState
from loop.core.records import TrialRecord
from loop.planning.experiment import SCORE
from loop.planning.export import left_out, write_experiment
from loop.storage.paths import ready_campaigns
from loop.storage.reader import Reader
from tests.loop.planning.test_experiment import BATTER, baked, trial
from tests.stores import fill

SETTINGS: dict[str, Scalar] = {
    "temperature": 800.0,
    "time": 10.0,
    "ramp_rate": 5.0,
    "lithium_excess": 3,
    "atmosphere": "air",
}
METRICS = {
    "capacity": MetricValue(150.0, 2.0, "mAh/g"),
    "mean_voltage": MetricValue(3.8, 0.01, "V"),
    "phase_fraction": MetricValue(0.9, 0.01, "1"),
}


def handed(campaign: Campaign, trials: list[TrialRecord], folder: Path) -> Client:
    write_experiment(campaign, trials, folder / "campaign.ax.json")
    return Client.load_from_json_file(str(folder / "campaign.ax.json"))


def test_ax_takes_up_a_campaign_with_the_fate_of_each_trial(tmp_path: Path) -> None:
    fill(tmp_path)
    reader = Reader(f"sqlite:///{tmp_path / 'small.db'}")
    table = handed(reader.scored_campaign(), reader.trials(), tmp_path).summarize()
    assert list(table["trial_status"]) == ["COMPLETED", "FAILED", "RUNNING", "RUNNING"]
    assert list(table["temperature"]) == [600.0, 601.0, 602.0, 603.0]
    assert (table["capacity"][0], table[SCORE][0]) == (150.0, 15.0)


@pytest.mark.slow
def test_ax_goes_on_where_the_campaign_was(tmp_path: Path) -> None:
    calcination = load_campaign(ready_campaigns()["calcination"])
    trials = []
    for i in range(6):
        metrics = {name: replace(m, value=m.value * (1.0 - 0.02 * i)) for name, m in METRICS.items()}
        settings: dict[str, Scalar] = {**SETTINGS, "temperature": 800.0 + 20.0 * i, "time": 10.0 + i % 3}
        trials.append(trial(i, Candidate(settings), metrics=metrics))
    client = handed(calcination, trials, tmp_path)
    best, values, number, _ = client.get_best_parameterization(use_model_predictions=False)
    assert (dict(best), number) == (SETTINGS, 0)
    assert values["capacity"] == pytest.approx((150.0, 2.0**2))  # Ax tells variances
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of Ax and scipy, about each other
        ((following, parameters),) = client.get_next_trials(max_trials=1).items()
    assert following == 6
    assert calcination.space.allows(parameters)


@pytest.mark.slow
def test_ax_begins_anew_where_the_campaign_has_measured_nothing(tmp_path: Path) -> None:
    calcination = load_campaign(ready_campaigns()["calcination"])
    spoilt = [trial(0, Candidate(SETTINGS), TrialState.QUARANTINED)]
    client = handed(calcination, spoilt, tmp_path)
    ((following, parameters),) = client.get_next_trials(max_trials=1).items()
    assert following == 1
    assert calcination.space.allows(parameters)


@pytest.mark.slow
def test_the_total_of_a_mixture_is_kept_by_what_ax_suggests(tmp_path: Path) -> None:
    data = parse_campaign(BATTER, "batter.yaml").model_dump(mode="json")
    data["space"] |= {"parameters": {}, "constraints": ["flour - 2 * milk <= 50"]}
    data["workflow"][0]["recipe"] = {name: f"${name}" for name in ("flour", "milk", "egg")}
    trials = [baked(i, 20.0 + 5 * i, 50.0, 5.0 + i) for i in range(5)]
    shares = [{n: x for n, x in t.candidate.parameters.items() if n not in ("heat", "fan")} for t in trials]
    plain = [replace(t, candidate=Candidate(each)) for t, each in zip(trials, shares, strict=True)]
    client = handed(Campaign.model_validate(data), plain, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        (suggested,) = client.get_next_trials(max_trials=1).values()
    flour, milk, egg = (float(suggested[name]) for name in ("flour", "milk", "egg"))
    assert flour + milk + egg == pytest.approx(100.0)
    assert flour - 2 * milk <= 50.0 + 1e-6
    assert egg <= 40.0 + 1e-6


def test_the_materials_that_were_tried_are_held_where_the_pool_is_gone(tmp_path: Path) -> None:
    data = load_campaign(ready_campaigns()["cathode"])
    gone = data.space.pool.model_copy(update={"function": "no.such:pool"})
    cathode = data.model_copy(update={"space": data.space.model_copy(update={"pool": gone})})
    settings = {name: parameter.at(0.0) for name, parameter in cathode.space.all_parameters.items()}
    tried = trial(0, Candidate(settings, "LiCoO2-layered"), TrialState.QUEUED)
    texts = write_experiment(cathode, [tried], tmp_path / "cathode.ax.json")
    assert texts[0].startswith("materials that were not tried: the pool cannot be read")
    table = Client.load_from_json_file(str(tmp_path / "cathode.ax.json")).summarize()
    assert list(table["material"]) == [0]


def test_a_derived_metric_that_nothing_is_asked_of_is_said_to_be_left_out() -> None:
    text = BATTER.replace(
        "formula: 2 * rise}", "formula: 2 * rise}, cost: {kind: derived, unit: mm, formula: 3 * rise}"
    )
    (metric,) = [line for line in left_out(parse_campaign(text, "batter.yaml"), []) if line.startswith("metric ")]
    assert metric.startswith("metric cost: ")


def test_what_ax_cannot_hold_is_said() -> None:
    spike = baked(3, 20.0, 50.0, 99.0, outlier="far from the others")
    bad = replace(baked(4, 30.0, 50.0, 1.0), state=TrialState.QUARANTINED)
    far = baked(5, 90.0, 5.0, 1.0)
    texts = left_out(parse_campaign(BATTER, "batter.yaml"), [baked(0, 20.0, 50.0, 4.0), spike, bad, far])
    assert [text.split(":")[0] for text in texts] == [
        "constraint flour * milk <= 2400",
        "constraint heat + flour <= 390",
        "condition of speed",
        "stations, workflow, budget and stopping rules",
        "measurement of trial 3",
        "measurement of trial 4",
        "trial 5",
    ]


def test_names_that_ax_takes_for_functions_cost_constraints_in_ax_and_nothing_else(tmp_path: Path) -> None:
    text = BATTER
    for word, name in (("flour", "Li"), ("milk", "O"), ("price", "gamma")):
        text = text.replace(word, name)
    plan = parse_campaign(text, "batter.yaml")
    client = handed(plan, [], tmp_path)
    config = client._experiment.optimization_config
    assert config is not None
    assert config.outcome_constraints == []
    assert not any(c.is_equality for c in client._experiment.search_space.parameter_constraints)
    told = list(left_out(plan, []))
    assert any(line.startswith("total of mixture") and "Li, O for functions of sympy" in line for line in told)
    assert any(line.startswith("outcome constraint on gamma") for line in told)


def test_trials_outside_of_the_current_space_share_one_line(tmp_path: Path) -> None:
    small = fill(tmp_path)
    reader = Reader(f"sqlite:///{small.with_suffix('.db')}")
    found = [replace(t, candidate=Candidate({"temperature": 2000.0})) for t in reader.trials()[:3]]
    lines = [line for line in left_out(load_campaign(small), found) if "outside" in line]
    assert lines == ["trials 0, 1 and 2: outside of the current space, out of design for Ax"]
