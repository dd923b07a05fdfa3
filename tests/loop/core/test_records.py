"""What a trial's record says of itself."""

from __future__ import annotations

from typing import Any

import pytest

from campaigns.values import TrialState
from loop.core.proposals import IMPORTED, Proposal
from tests.trials import attempt, completed, trial

GIVEN_UP = attempt(0, "make", "furnace_1", state=TrialState.WITHDRAWN)


def test_an_attempt_given_up_before_anything_moved_begins_no_trial() -> None:
    assert not trial(0, TrialState.QUEUED, steps=(GIVEN_UP,)).begun
    assert trial(0, TrialState.CLAIMED, steps=(GIVEN_UP, attempt(0, "make", "furnace_1"))).begun


@pytest.mark.parametrize(
    ("changes", "counted"),
    [
        ({}, True),
        ({"proposal": Proposal(IMPORTED)}, False),
        ({"proposal": Proposal("model", fidelity="quick")}, False),
        ({"state": TrialState.WITHDRAWN}, True),
        ({"state": TrialState.WITHDRAWN, "steps": (GIVEN_UP,)}, False),
    ],
)
def test_the_budget_counts_what_was_begun_here_at_full_fidelity(changes: dict[str, Any], counted: bool) -> None:
    assert completed(0, 100.0, **changes).counted is counted


def test_a_metric_at_a_lower_fidelity_has_a_name_of_its_own() -> None:
    cheap = completed(0, 100.0, proposal=Proposal("model", fidelity="quick"))
    assert completed(1, 100.0).metric_key("capacity") == "capacity"
    assert cheap.metric_key("capacity") not in ("capacity", "quick")


def test_completed_without_a_score_is_completed_in_part_at_full_fidelity_alone() -> None:
    assert completed(0, 100.0, score=None).in_part
    assert not completed(0, 100.0).in_part
    assert not completed(0, 100.0, score=None, proposal=Proposal("model", fidelity="quick")).in_part


def test_only_steps_with_stored_raw_data_are_acquired() -> None:
    kept = attempt(0, "make", "furnace_1")
    assert trial(0, TrialState.RUNNING, steps=(GIVEN_UP, kept)).acquired == (kept,)
