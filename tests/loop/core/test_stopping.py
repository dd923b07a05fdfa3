from dataclasses import replace
from typing import Any

import pytest

from campaigns.campaign import Campaign, HypervolumeRuleConfig
from campaigns.errors import CampaignError
from campaigns.values import Candidate, TrialState
from loop.core.proposals import Proposal
from loop.core.records import RegretEstimate, StepRecord, TrialRecord
from loop.core.stopping import Spent, spent, stop_reason, trial_needing_regret_estimate
from tests.loop.conftest import quick
from tests.loop.core.test_pareto import AREA, TRIALS, two_terms
from tests.trials import completed


def trial(number: int, score: float | None, feasible: bool = True, **changes: Any) -> TrialRecord:
    state = TrialState.FAILED if score is None else TrialState.COMPLETED
    order = None if score is None else number
    fields: dict[str, Any] = {
        "number": number, "candidate": Candidate({"x": number}), "state": state, "reason": "",
        "proposal": Proposal("model"), "metrics": {}, "flags": (), "score": score, "score_sd": 0.1,
        "feasible": feasible, "completed_order": order, "created": 0.0, "ended": 0.0, "steps": (),
    }  # fmt: skip
    return TrialRecord(**(fields | changes))


def campaign(**changes: Any) -> Campaign:
    return Campaign(**quick(**changes))


NOTHING = Spent(0, 0.0, 0.0)


def test_the_budget_of_trials() -> None:
    assert stop_reason(campaign(), [], Spent(9, 0, 0)) is None
    assert stop_reason(campaign(), [], Spent(10, 0, 0)) == "all 10 trials of the budget are spent"


def test_the_budget_of_wall_time() -> None:
    limited = campaign(budget={"trials": 10, "wall_time": "2 min"})
    assert stop_reason(limited, [], Spent(1, 119, 0)) is None
    assert "2 min is spent" in (stop_reason(limited, [], Spent(1, 121, 0)) or "")


def test_a_trial_that_would_exceed_the_cost_is_not_begun() -> None:
    limited = campaign(budget={"trials": 10, "cost": "300 USD"})  # one trial costs 125 USD
    assert stop_reason(limited, [], Spent(1, 0, 175)) is None
    assert "176 of 300 USD" in (stop_reason(limited, [], Spent(1, 0, 176)) or "")


def test_cost_counts_only_steps_that_were_begun() -> None:
    def step(state: TrialState) -> StepRecord:
        return StepRecord("heat", 1, "oven", "t", state, 0.0, 1.0, "u", "", 60.0)

    states = (TrialState.ACQUIRED, TrialState.FAILED, TrialState.CLAIMED, TrialState.RUNNING)
    assert spent([trial(0, 1.0, steps=tuple(step(s) for s in states))], 7.0) == Spent(1, 7.0, 120.0)


def test_a_target_counts_only_when_feasible() -> None:
    rule = campaign(stopping=[{"kind": "target", "score": 2.0}])
    assert stop_reason(rule, [trial(0, 3.0, feasible=False)], NOTHING) is None
    assert "trial 1 has reached" in (stop_reason(rule, [trial(0, 1.0), trial(1, 2.0)], NOTHING) or "")


@pytest.mark.parametrize(("score", "sd", "stops"), [(2.1, 0.1, False), (2.2, 0.1, True), (2.0, 0.0, True)])
def test_before_there_is_a_model_the_reading_must_be_sure_enough(score: float, sd: float, stops: bool) -> None:
    rule = campaign(stopping=[{"kind": "target", "score": 2.0, "confidence": 0.95}])  # 1.64 standard deviations
    assert (stop_reason(rule, [trial(0, 1.0), trial(1, score, score_sd=sd)], NOTHING) is not None) == stops


def test_what_the_model_says_of_the_target_goes_before_the_reading() -> None:
    rule = campaign(stopping=[{"kind": "target", "score": 2.0, "confidence": 0.9}])
    lucky = trial(1, 3.0, regret=RegretEstimate(1, (1.9, 0.1), ((2.0, 1, 0.3),)))
    assert stop_reason(rule, [trial(0, 1.0), lucky], NOTHING) is None
    sure = trial(2, 1.5, regret=RegretEstimate(1, (2.3, 0.1), ((2.0, 1, 0.97),)))
    reason = stop_reason(rule, [trial(0, 1.0), lucky, sure], NOTHING)
    assert reason == "trial 1 has reached the target score 2 with probability 0.97; 0.9 is enough"


def hopes(*chances: float, improvement: float = 0.1) -> list[TrialRecord]:
    """Trials after each of which a better one existed with such a probability."""
    regrets = [RegretEstimate(0, (1.0, 0.1), better=((improvement, p),), gain=p / 10) for p in chances]
    return [trial(0, 1.0), *(trial(i, 0.5, regret=regret) for i, regret in enumerate(regrets, 1))]


@pytest.mark.parametrize(
    ("chances", "stops"),
    [
        ([0.5, 0.04, 0.03, 0.02], True),
        ([0.5, 0.04, 0.06, 0.02], False),  # one glimpse of hope
        ([0.04, 0.02], False),  # too few to tell
        ([0.01, 0.01, 0.01, 0.2], False),
    ],
)
def test_next_to_no_hope_for_a_better_one_must_last(chances: list[float], stops: bool) -> None:
    rule = campaign(stopping=[{"kind": "no_better", "improvement": 0.1}])
    assert (stop_reason(rule, hopes(*chances), NOTHING) is not None) == stops


def test_the_end_of_hope_is_told_with_its_figures() -> None:
    rule = campaign(
        stopping=[{"kind": "no_better", "improvement": 0.1}],
        objective={"terms": [{"goal": "maximise", "metric": "capacity", "scale": "20 mAh/g"}]},
    )
    assert stop_reason(rule, hopes(0.04, 0.03, 0.02), NOTHING) == (
        "a candidate better than trial 0 by more than 0.1 is unlikely to exist: probability 0.04, 0.03, 0.02 after the "
        "last 3 trials; expected gain 0.002 points, 0.04 of capacity [mAh/g]"
    )


def test_what_was_found_out_for_another_improvement_does_not_count() -> None:
    rule = campaign(stopping=[{"kind": "no_better", "improvement": 0.1}])
    assert stop_reason(rule, hopes(0.01, 0.01, 0.01, improvement=0.2), NOTHING) is None


def test_the_models_are_asked_only_what_a_rule_wants_to_know() -> None:
    rules = campaign(stopping=[{"kind": "target", "score": 2.0}, {"kind": "no_better", "improvement": 0.1}])
    started = [
        trial(0, 1.0, proposal=Proposal("space-filling"), regret=RegretEstimate(0, (1.0, 0.1), ((2.0, 0, 0.0),)))
    ]
    assert trial_needing_regret_estimate(campaign(), [trial(0, 1.0)]) is None
    assert trial_needing_regret_estimate(rules, []) is None
    assert trial_needing_regret_estimate(rules, started) is None  # in the start, nobody asks what exists
    later = trial(1, 1.0, regret=started[0].regret)
    assert trial_needing_regret_estimate(rules, [*started, later]) is later
    assert trial_needing_regret_estimate(rules, [*started, trial(1, 1.0)]) is not None


def test_where_many_are_wanted_each_further_find_is_an_improvement() -> None:
    objective = quick()["objective"] | {"find": {"kind": "many", "above": 1.0}}
    rule = campaign(stopping=[{"kind": "stagnation", "trials": 3}], objective=objective)
    trials = [trial(i, score, candidate=Candidate({"x": i})) for i, score in enumerate([2.0, 0.5, 0.4, 1.5, 0.3, 0.2])]
    assert stop_reason(rule, trials, NOTHING) is None
    assert "on 2 in 3 trials" in (stop_reason(rule, [*trials, trial(6, 0.1)], NOTHING) or "")
    again = [*trials[:4], *(trial(i, 2.0, candidate=Candidate({"x": 0})) for i in (4, 5, 6))]
    assert stop_reason(rule, again, NOTHING) is not None  # one that was found before is no further one


@pytest.mark.parametrize("kind", ["target", "no_better"])
@pytest.mark.parametrize("find", ["many", "pareto"])
def test_rules_about_one_best_are_refused_where_none_is_looked_for(kind: str, find: str) -> None:
    rule = {"kind": kind} | ({"score": 1.0} if kind == "target" else {"improvement": 0.1})
    with pytest.raises(CampaignError, match=r"stopping\[0\].kind.*use {kind: "):
        campaign(stopping=[rule], objective=quick()["objective"] | {"find": {"kind": find}})


@pytest.mark.parametrize(
    ("scores", "stops"),
    [
        ([1.0, 0.9, 0.8, 0.7], True),
        ([1.0, 1.05, 1.1, 1.15], False),  # small steps add up to more than the improvement
        ([1.0, 1.05, 1.06, 1.07], True),
        ([1.0, 0.9, 0.8], False),
        ([1.0, None, 0.9, 0.8, None, 0.7], True),
        ([0.0, 0.0, 0.0, 1.0], False),
    ],
)
def test_stagnation(scores: list[float | None], stops: bool) -> None:
    rule = campaign(stopping=[{"kind": "stagnation", "trials": 3, "improvement": 0.1}])
    trials = [trial(i, score) for i, score in enumerate(scores)]
    assert (stop_reason(rule, trials, NOTHING) is not None) == stops


def test_stagnation_waits_for_the_first_feasible_trial() -> None:
    rule = campaign(stopping=[{"kind": "stagnation", "trials": 3}])
    assert stop_reason(rule, [trial(i, 1.0, feasible=False) for i in range(8)], NOTHING) is None


def test_what_is_not_believed_reaches_no_target_and_improves_nothing() -> None:
    target = campaign(stopping=[{"kind": "target", "score": 2.0}])
    assert stop_reason(target, [trial(0, 3.0, outlier="too good")], NOTHING) is None
    patience = campaign(stopping=[{"kind": "stagnation", "trials": 3}])
    trials = [trial(0, 1.0), trial(1, 0.9), trial(2, 5.0, outlier="too good"), trial(3, 0.8)]
    assert stop_reason(patience, trials, NOTHING) is not None
    assert stop_reason(patience, [*trials[:2], trial(2, 5.0), trial(3, 0.8)], NOTHING) is None


def test_a_suspected_outlier_does_not_stop_a_campaign_on_its_volume() -> None:
    rule = two_terms(AREA).model_copy(update={"stopping": (HypervolumeRuleConfig(kind="hypervolume", reaches=50.0),)})
    spike = completed(9, 9999.0, 9.9)
    assert stop_reason(rule, [*TRIALS, spike], NOTHING) is not None
    assert stop_reason(rule, [*TRIALS, replace(spike, outlier="too good")], NOTHING) is None


def test_patience_begins_anew_with_what_the_campaign_holds_for() -> None:
    rule = campaign(stopping=[{"kind": "stagnation", "trials": 3}])
    trials = [trial(0, 1.0), *(trial(i, 0.5) for i in range(1, 6))]
    assert stop_reason(rule, trials, NOTHING) is not None
    assert stop_reason(rule, trials, NOTHING, first=4) is None
    assert stop_reason(rule, [*trials, trial(6, 0.4)], NOTHING, first=4) is not None


def test_what_was_withdrawn_before_it_began_counts_in_no_budget() -> None:
    step = StepRecord("heat", 1, "oven", "t", TrialState.ACQUIRED, 0.0, 1.0, "u", "", 60.0)
    never = trial(0, None, state=TrialState.WITHDRAWN)
    rested = trial(1, None, state=TrialState.WITHDRAWN, steps=(step,))
    assert spent([never, rested], 0.0) == Spent(1, 0.0, 60.0)
