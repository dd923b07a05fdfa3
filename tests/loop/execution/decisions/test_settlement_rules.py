"""In which state which decision is allowed, and what a result by hand has to give."""

from typing import Any

import pytest

from campaigns.decisions import (
    AttachTrial,
    DiscardTrial,
    EnterResult,
    ReanalyseTrial,
    ReleaseTrial,
    RereadTrial,
    RetryTrial,
    WithdrawTrial,
)
from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.execution.decisions.settlement_rules import check_result, check_settlement, steps_by_hand
from tests.trials import attempt, campaign, trial

DECISIONS: tuple[type[Any], ...] = (
    ReleaseTrial,
    WithdrawTrial,
    ReanalyseTrial,
    RetryTrial,
    AttachTrial,
    RereadTrial,
    DiscardTrial,
)
CAPACITY = (150.0, 2.0, "mAh/g")
VOLTAGE = (3.7, 0.01, "V")


def at(state: TrialState, step: TrialState | None) -> TrialRecord:
    """Return a trial whose first step stands so; None before it was begun."""
    return trial(0, state, steps=() if step is None else (attempt(0, "make", "furnace_1", state=step),))


def allowed(one: TrialRecord) -> set[type[Any]]:
    return {kind for kind in DECISIONS if not check_settlement(kind(trial=0), [one])}


SETTLED: list[tuple[TrialState, TrialState | None, set[Any]]] = [
    (TrialState.QUEUED, None, {WithdrawTrial}),
    (TrialState.QUEUED, TrialState.WITHDRAWN, {WithdrawTrial, DiscardTrial}),
    (TrialState.CLAIMED, TrialState.CLAIMED, {DiscardTrial}),
    (TrialState.RUNNING, TrialState.RUNNING, {DiscardTrial}),
    (TrialState.DISPATCHED, TrialState.DISPATCHED, {DiscardTrial}),
    (TrialState.ACQUIRED, TrialState.ACQUIRED, {DiscardTrial}),
    (TrialState.COMPLETED, TrialState.ACQUIRED, {WithdrawTrial, ReanalyseTrial}),
    (TrialState.COMPLETED, TrialState.COMPLETED, {WithdrawTrial}),
    (TrialState.FAILED, TrialState.FAILED, {RetryTrial, RereadTrial, DiscardTrial}),
    (TrialState.FAILED, TrialState.ACQUIRED, {RetryTrial, RereadTrial, DiscardTrial, ReanalyseTrial}),
    (
        TrialState.QUARANTINED,
        TrialState.ACQUIRED,
        {ReleaseTrial, WithdrawTrial, ReanalyseTrial, RetryTrial, RereadTrial, DiscardTrial},
    ),
    (
        TrialState.UNCERTAIN,
        TrialState.UNCERTAIN,
        {WithdrawTrial, RetryTrial, AttachTrial, RereadTrial, DiscardTrial},
    ),
    (TrialState.WITHDRAWN, TrialState.UNCERTAIN, set()),
]


@pytest.mark.parametrize(("state", "step", "decisions"), SETTLED)
def test_every_trial_that_is_not_settled_can_be(
    state: TrialState, step: TrialState | None, decisions: set[Any]
) -> None:
    assert allowed(at(state, step)) == decisions


def test_all_states_are_among_them() -> None:
    assert {state for state, _, _ in SETTLED} == set(TrialState)


def test_a_refusal_says_which_trials_are_allowed_and_what_else_there_is() -> None:
    waiting = at(TrialState.ACQUIRED, TrialState.ACQUIRED)
    assert "'athanor trial discard'" in check_settlement(WithdrawTrial(trial=0), [waiting])
    assert "'athanor trial withdraw'" in check_settlement(DiscardTrial(trial=0), [at(TrialState.QUEUED, None)])
    assert check_settlement(ReleaseTrial(trial=0), [waiting]) == "trial 0 is acquired; allowed: one in quarantine"
    assert check_settlement(ReleaseTrial(trial=9), [waiting]) == "got trial 9; allowed: 0 to 0"


@pytest.fixture
def uncertain() -> TrialRecord:
    return at(TrialState.UNCERTAIN, TrialState.UNCERTAIN)


def why(one: TrialRecord, **metrics: tuple[float, float, str]) -> str:
    return check_result(EnterResult(trial=0, metrics=metrics), one, campaign())


def test_a_step_that_gives_no_metric_is_done_by_a_word(uncertain: TrialRecord) -> None:
    assert why(uncertain) == ""
    assert [step.name for step in steps_by_hand(EnterResult(trial=0, metrics={}), uncertain, campaign())] == ["make"]


def test_a_result_may_cover_the_steps_to_come(uncertain: TrialRecord) -> None:
    both = EnterResult(trial=0, metrics={"capacity": CAPACITY, "mean_voltage": VOLTAGE})
    assert check_result(both, uncertain, campaign()) == ""
    assert [step.name for step in steps_by_hand(both, uncertain, campaign())] == ["make", "cycle"]


def test_what_a_result_lacks_is_told_with_its_unit(uncertain: TrialRecord) -> None:
    assert why(uncertain, capacity=CAPACITY).endswith("needed: mean_voltage='VALUE ± SD V'")


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ({"purity": CAPACITY}, "got purity; allowed for trial 0: capacity, mean_voltage"),
        ({"capacity": (0.15, 0.0, "Ah/g")}, "allowed: a finite value of capacity in mAh/g"),
        ({"capacity": (1e200, 0.0, "mAh/g")}, "allowed: a finite value"),
    ],
)
def test_a_result_is_checked_as_an_import_is(uncertain: TrialRecord, metrics: Any, message: str) -> None:
    assert message in why(uncertain, **metrics)
