"""The campaign as Ax holds it: in step with the store's trials, whatever becomes of them."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from ax.core.utils import extract_pending_observations

from campaigns.amendments import (
    AddLevel,
    CampaignChange,
    FixParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
    amended,
)
from campaigns.campaign import Campaign
from campaigns.fidelity import FULL
from campaigns.load import load_campaign, parse_campaign
from campaigns.values import Candidate, Cause, MetricValue, Scalar, TrialState
from loop.core.proposals import IMPORTED, Proposal
from loop.core.records import TrialRecord
from loop.planning.experiment import MATERIALS, SCORE, CampaignExperiment
from loop.planning.search_space import MATERIAL
from loop.storage.paths import ready_campaigns
from tests.planned import campaign

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


def trial(number: int, candidate: Candidate, state: TrialState = TrialState.COMPLETED, **changes: Any) -> TrialRecord:
    fields: dict[str, Any] = {
        "reason": "", "proposal": Proposal("model"), "metrics": {}, "flags": (), "score": None, "score_sd": None,
        "feasible": None, "completed_order": None, "created": 0.0, "ended": 1.0, "steps": (),
    }  # fmt: skip
    return TrialRecord(number=number, candidate=candidate, state=state, **(fields | changes))


def at(x: float) -> Candidate:
    return Candidate({"x0": x})


def measured(number: int, x: float, merit: float, **changes: Any) -> TrialRecord:
    return trial(number, at(x), metrics={"merit": MetricValue(merit, 0.5, "1")}, **changes)


def baked(number: int, flour: float, milk: float, rise: float, **changes: Any) -> TrialRecord:
    parameters: dict[str, Scalar] = {
        "heat": 200.0,
        "fan": "off",
        "flour": flour,
        "milk": milk,
        "egg": 100.0 - flour - milk,
    }
    metrics = {"rise": MetricValue(rise, 0.5, "mm"), "price": MetricValue(2 * rise, 1.0, "mm")}
    found: dict[str, Any] = {"metrics": metrics, "score": rise}
    return trial(number, Candidate(parameters), **found | changes)


def held(plan: Campaign, trials: Sequence[TrialRecord]) -> CampaignExperiment:
    found = CampaignExperiment(plan)
    found.restore(trials)
    return found


def statuses(experiment: CampaignExperiment) -> list[str]:
    return [one.status.name for one in experiment.ax.trials.values()]


def values(experiment: CampaignExperiment, number: int) -> dict[str, tuple[float, float]]:
    table = experiment.ax.lookup_data().df
    table = table[table["trial_index"] == number]
    return {name: (mean, sd) for name, mean, sd in zip(table["metric_name"], table["mean"], table["sem"], strict=True)}


def test_a_trial_runs_from_its_proposal_to_its_end() -> None:
    found = CampaignExperiment(campaign(1))
    assert [found.add(at(x), Proposal("model")) for x in (0.0, 1.0)] == [0, 1]
    assert (found.under_way, statuses(found)) == ((0, 1), ["RUNNING", "RUNNING"])
    found.end([measured(0, 0.0, 2.0)])
    assert (found.under_way, found.pending, found.ended) == ((1,), [at(1.0)], {at(0.0).key()})
    assert statuses(found) == ["COMPLETED", "RUNNING"]
    assert values(found, 0) == {"merit": (2.0, 0.5), SCORE: (2.0, 0.5)}


def test_a_candidate_that_was_lost_twice_to_the_lab_counts_as_tried() -> None:
    found = CampaignExperiment(campaign(1))
    for number in range(2):
        assert found.seen(FULL) == frozenset()
        found.add(at(0.0), Proposal("model"))
        assert found.seen(FULL) == {at(0.0).key()}
        found.end([trial(number, at(0.0), TrialState.FAILED, cause=Cause.LAB)])
    assert found.lost(at(0.0), FULL) == (0, 1)
    assert found.seen(FULL) == found.ended == {at(0.0).key()}


def test_fidelities_are_told_apart() -> None:
    found = CampaignExperiment(campaign(1))
    for fidelity, x in (("quick", 0.0), (FULL, 1.0), ("quick", 2.0)):
        found.add(at(x), Proposal("model", fidelity=fidelity))
    assert found.under_way == (0, 1, 2)
    assert found.pending == [at(1.0)]
    assert found.seen("quick") == {at(0.0).key(), at(2.0).key()}
    assert (found.count(FULL), found.count("quick"), len(found)) == (1, 2, 3)
    cheap = {"quick_merit": MetricValue(1.0, 0.1, "1")}
    found.end([trial(0, at(0.0), proposal=Proposal("model", fidelity="quick"), metrics=cheap)])
    assert not found.ended
    assert statuses(found)[0] == "EARLY_STOPPED"


def test_what_gives_no_observation_fails_with_its_reason_and_nothing_of_it_is_pending() -> None:
    ends = [
        (TrialState.FAILED, "it melts", "failed: it melts"),
        (TrialState.QUARANTINED, "a spike", "quarantined: a spike"),
        (TrialState.UNCERTAIN, "", "uncertain"),
        (TrialState.WITHDRAWN, "no time", "withdrawn: no time"),
    ]
    found = held(campaign(1), [trial(i, at(i / 9), state, reason=r) for i, (state, r, _) in enumerate(ends)])
    assert statuses(found) == ["FAILED"] * 4
    assert [one.status_reason for one in found.ax.trials.values()] == [told for _, _, told in ends]
    assert extract_pending_observations(found.ax) is None


def test_a_replicate_is_an_arm_that_is_repeated() -> None:
    found = held(campaign(1), [measured(0, 0.5, 1.0), measured(1, 0.2, 2.0), measured(2, 0.5, 1.4)])
    assert [one.arms[0].name for one in found.ax.trials.values()] == ["0_0", "1_0", "0_0"]
    assert [values(found, n)["merit"][0] for n in (0, 2)] == [1.0, 1.4]


def test_a_suspected_outlier_is_no_observation_until_it_is_none_any_more() -> None:
    found = held(campaign(1), [measured(0, 0.5, 90.0, outlier="a spike"), measured(1, 0.2, 2.0)])
    assert statuses(found) == ["FAILED", "COMPLETED"]
    assert "a spike" in found.ax.trials[0].status_reason
    found.flag_outliers({1: "far off"})
    assert statuses(found) == ["COMPLETED", "FAILED"]
    assert found.ax.trials[0].status_reason is None
    found.flag_outliers({0: "a spike", 1: "far off"})
    assert statuses(found) == ["FAILED", "FAILED"]


def test_imported_trials_are_held_and_were_proposed_by_nobody() -> None:
    elsewhere = Proposal(IMPORTED)
    partly = trial(1, at(0.7), proposal=elsewhere)
    found = held(campaign(1), [measured(0, 0.5, 1.0, proposal=elsewhere), partly])
    assert (found.own(), len(found), statuses(found)) == (0, 2, ["COMPLETED", "EARLY_STOPPED"])
    assert found.imported == found.seen(FULL) == {at(0.5).key()}


@pytest.mark.parametrize(
    ("change", "inside"),
    [
        (SetBounds(parameter="temperature", low=700.0, high=750.0), [False, False]),
        (SetBounds(parameter="temperature", low=100.0, high=1500.0), [True, True]),
        (FixParameter(parameter="time", value=10.0), [True, False]),
        (AddLevel(parameter="atmosphere", level="nitrogen"), [True, True]),
        (RemoveLevel(parameter="atmosphere", level="air"), [False, False]),
        (FixParameter(parameter="atmosphere", value="air"), [True, True]),
    ],
    ids=["narrower", "wider", "fixed", "level", "level removed", "one level"],
)
def test_a_changed_space_holds_all_trials_and_says_which_lie_outside(
    change: CampaignChange, inside: list[bool]
) -> None:
    plan = load_campaign(ready_campaigns()["calcination"])
    settings: dict[str, Scalar] = {
        "temperature": 800.0,
        "time": 10.0,
        "ramp_rate": 5.0,
        "lithium_excess": 3,
        "atmosphere": "air",
    }
    candidates = [Candidate(settings), Candidate({**settings, "time": 11.0})]
    found = held(plan, [trial(i, c, TrialState.QUEUED) for i, c in enumerate(candidates)])
    found.amend(amended(plan, [change]))
    arms = [one.arms[0].parameters for one in found.ax.trials.values()]
    assert [found.ax.search_space.check_membership(arm) for arm in arms] == inside
    assert found.under_way == (0, 1)
    assert found.pending == candidates


def test_other_weights_score_all_trials_anew() -> None:
    terms = [{"goal": goal, "metric": "merit", "scale": 1.0} for goal in ("maximise", "minimise")]
    plan = campaign(1, objective={"terms": terms})
    found = held(plan, [measured(0, 0.5, 3.0)])
    assert values(found, 0)[SCORE][0] == 0.0
    found.amend(amended(plan, [SetWeights(weights={1: 3.0})]))
    assert values(found, 0)[SCORE][0] == -1.5  # a quarter of 3, less three quarters


def test_a_material_is_a_row_of_the_pool() -> None:
    plan = load_campaign(ready_campaigns()["cathode"])
    settings = {name: parameter.at(0.0) for name, parameter in plan.space.all_parameters.items()}
    found = CampaignExperiment(plan, [f"material {i}" for i in range(5_000)])
    found.restore([trial(0, Candidate(settings, "material 4999"), TrialState.QUEUED)])
    arm = found.ax.trials[0].arms[0].parameters
    assert arm[MATERIAL] == 4999
    assert found.ax.search_space.check_membership(arm)
    assert found.ax._properties[MATERIALS][4999] == "material 4999"


def test_a_front_has_an_objective_for_each_term_with_its_reference() -> None:
    terms = [
        {"goal": "maximise", "metric": "merit", "scale": 2.0, "reference": 1.0},
        {"goal": "minimise", "metric": "merit", "scale": 1.0},
    ]
    plan = campaign(1, objective={"terms": terms, "find": {"kind": "pareto"}})
    found = held(plan, [measured(0, 0.5, 3.0)])
    assert {n: mean for n, (mean, _) in values(found, 0).items() if n != "merit"} == {
        "points_of_merit_0": 1.5,
        "points_of_merit_1": -3.0,
    }
    config = found.ax.optimization_config
    assert config.objective.metric_names == ["points_of_merit_0", "points_of_merit_1"]
    assert len(config.objective_thresholds) == 1


def test_totals_and_linear_constraints_are_in_the_space_and_shares_that_were_rounded_add_up() -> None:
    plan = parse_campaign(BATTER, "batter.yaml")
    thirds = baked(0, 33.3, 33.3, 5.0)
    found = held(plan, [replace(thirds, candidate=Candidate({**thirds.candidate.parameters, "egg": 33.3}))])
    arm = found.ax.trials[0].arms[0].parameters
    assert math.fsum(float(arm[name]) for name in ("flour", "milk", "egg")) == pytest.approx(100.0)
    assert arm["speed"] == 1.0  # where it does not apply
    assert found.ax.search_space.check_membership(arm)
    assert [c.is_equality for c in found.ax.search_space.parameter_constraints] == [False, True]
    assert [c.expression for c in found.ax.optimization_config.outcome_constraints] == ["price <= 30.0"]


def test_many_trials_that_are_restored_in_bulk_are_held_as_those_that_came_one_by_one() -> None:
    trials = [measured(i, i / 200, float(i), outlier="a spike" * (i == 7)) for i in range(200)]
    bulk, single = held(campaign(1), trials), CampaignExperiment(campaign(1))
    for each in trials:
        single.add(each.candidate, each.proposal)
        single.end([each])
    assert statuses(bulk) == statuses(single)
    assert statuses(bulk).count("COMPLETED") == 199
    columns = ["trial_index", "arm_name", "metric_name", "mean", "sem"]
    rows = [found.ax.lookup_data().df[columns].sort_values(columns[:3]) for found in (bulk, single)]
    assert rows[0].to_csv(index=False) == rows[1].to_csv(index=False)


def test_the_reason_of_a_suspected_outlier_is_the_latest_one() -> None:
    found = held(campaign(1), [measured(0, 0.5, 90.0), measured(1, 0.2, 2.0)])
    for reason in ("far off", "further off"):
        found.flag_outliers({0: reason})
        assert found.ax.trials[0].status_reason == f"a suspected outlier: {reason}"
    assert statuses(found) == ["FAILED", "COMPLETED"]


def test_where_a_measurement_states_no_error_those_of_its_metric_and_of_the_score_are_left_to_ax() -> None:
    stated = measured(0, 0.5, 1.0, score_sd=0.5)
    unstated = trial(1, at(0.2), metrics={"merit": MetricValue(2.0, 0.0, "1")})
    one_by_one, at_once = held(campaign(1), [stated]), held(campaign(1), [stated, unstated])
    assert values(one_by_one, 0) == {"merit": (1.0, 0.5), SCORE: (1.0, 0.5)}
    one_by_one.add(unstated.candidate, unstated.proposal)
    one_by_one.end([unstated])
    for found in (one_by_one, at_once):
        errors = [error for number in (0, 1) for _, error in values(found, number).values()]
        assert len(errors) == 4
        assert all(math.isnan(error) for error in errors)


def test_an_experiment_that_is_built_anew_holds_the_same_and_is_another_one() -> None:
    found = held(campaign(1), [measured(0, 0.5, 90.0), measured(1, 0.2, 2.0)])
    found.add(at(0.7), Proposal("model"))
    again = found.built()
    assert [one.status for one in again.trials.values()] == [one.status for one in found.ax.trials.values()]
    assert again.lookup_data().df.equals(found.ax.lookup_data().df)
    again.trials[0].update_run_metadata({"node": "another"})
    again.new_trial().mark_running(no_runner_required=True)
    assert (len(found.ax.trials), found.ax.trials[0].run_metadata["node"]) == (3, "")
