"""What waits in the queue: what may begin, which trial first, and what is withdrawn."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, TrialState
from loop.core.proposals import AGAIN, IMPORTED, OPERATOR, Proposal
from loop.core.records import TrialRecord
from loop.execution.jobs.queue_rules import (
    already_measured,
    has_capacity,
    outside_space,
    queue_is_full,
    requested_first,
)
from tests.trials import attempt, completed, trial


def waiting(number: int, generator: str = "model", **changes: object) -> TrialRecord:
    return trial(number, TrialState.QUEUED, **({"proposal": Proposal(generator)} | changes))


def begun(number: int) -> TrialRecord:
    return trial(number, TrialState.RUNNING, steps=(attempt(number, "make", "furnace", state=TrialState.RUNNING),))


def test_one_trial_waits_ahead_of_the_stations() -> None:
    assert not queue_is_full([begun(0)])
    assert queue_is_full([begun(0), waiting(1)])


def test_an_attempt_given_up_before_anything_moved_leaves_its_trial_waiting() -> None:
    given_up = attempt(0, "make", "furnace", state=TrialState.WITHDRAWN)
    assert queue_is_full([waiting(0, steps=(given_up,))])


def test_no_more_trials_are_under_way_than_there_are_stations() -> None:
    assert has_capacity([begun(0), waiting(1)], 2)
    assert not has_capacity([begun(0), begun(1), waiting(2)], 2)


def test_what_somebody_asked_for_is_begun_first_and_else_the_earliest() -> None:
    ordered = requested_first([waiting(3), waiting(4), waiting(5, OPERATOR), waiting(6, OPERATOR)])
    assert [each.number for each in ordered] == [5, 6, 3, 4]


def test_what_lies_outside_the_space_is_withdrawn_unless_it_was_begun() -> None:
    low = {"kind": "float", "unit": "degC", "low": 500, "high": 601}
    space = SpaceConfig.model_validate({"parameters": {"temperature": low}})
    at: dict[str, Any] = {"candidate": Candidate({"temperature": 602.0})}
    inside = waiting(0, candidate=Candidate({"temperature": 600.0}))
    running = trial(2, TrialState.RUNNING, steps=begun(2).steps, **at)
    [(number, ending)] = outside_space([inside, waiting(1, **at), running], space)
    assert (number, ending.state) == (1, TrialState.WITHDRAWN)


@pytest.mark.parametrize("generator", [OPERATOR, AGAIN])
def test_what_was_imported_meanwhile_is_not_measured_again_unless_that_is_wanted(generator: str) -> None:
    imported = completed(0, 150.0, proposal=Proposal(IMPORTED))
    same: dict[str, Any] = {"candidate": imported.candidate}
    trials = [imported, waiting(1, **same), waiting(2, generator, **same), waiting(3)]
    [(number, ending)] = already_measured(trials)
    assert (number, ending.reason) == (1, "it is measured: trial 0")


def test_a_candidate_measured_here_may_be_proposed_once_more() -> None:
    measured = completed(0, 150.0)
    assert not list(already_measured([measured, waiting(1, candidate=measured.candidate)]))
