from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.values import Candidate, TrialState
from loop.records import Proposal, StepRecord, TrialRecord
from loop.stopping import Spent, spent, stop_reason
from tests.loop.conftest import quick


def trial(number: int, score: float | None, feasible: bool = True, **changes: Any) -> TrialRecord:
    state = TrialState.FAILED if score is None else TrialState.COMPLETED
    order = None if score is None else number
    fields: dict[str, Any] = {
        "number": number, "candidate": Candidate({}), "state": state, "reason": "", "proposal": Proposal("model"),
        "metrics": {}, "flags": (), "score": score, "score_sd": 0.1, "feasible": feasible, "completed_order": order,
        "created": 0.0, "ended": 0.0, "steps": (),
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
    assert "120 s" in (stop_reason(limited, [], Spent(1, 121, 0)) or "")


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
    assert stop_reason(target, [trial(0, 3.0, doubt="too good")], NOTHING) is None
    patience = campaign(stopping=[{"kind": "stagnation", "trials": 3}])
    trials = [trial(0, 1.0), trial(1, 0.9), trial(2, 5.0, doubt="too good"), trial(3, 0.8)]
    assert stop_reason(patience, trials, NOTHING) is not None
    assert stop_reason(patience, [*trials[:2], trial(2, 5.0), trial(3, 0.8)], NOTHING) is None


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
