"""What the log says of events beyond what is predicted of a score."""

from __future__ import annotations

import pytest

from campaigns.values import Candidate
from loop.core.events import Finished, Proposed, StepEnded, TrialEnded
from loop.core.proposals import Proposal
from loop.terminal.log_lines import _proposed, line
from tests.trials import completed


@pytest.mark.parametrize(
    ("feasibility", "told"),
    [(0.12, "; probability of being feasible only 0.12"), (0.75, ""), (None, "")],
)
def test_a_proposal_that_is_likely_not_feasible_says_so(feasibility: float | None, told: str) -> None:
    proposal = Proposal("model", score=(15.0, 1.0), feasibility=feasibility)
    told_line = _proposed(Proposed(3, Candidate({"temperature": 600.0}), proposal), {"temperature": "degC"}, ())
    assert told_line == f"trial 3: proposed (model): temperature 600 degC; predicted score 15.0 ± 1.0{told}"


def test_the_outcome_constraint_in_question_is_named() -> None:
    proposal = Proposal("model", score=(15.0, 1.0), feasibility=0.12)
    doubted = Proposed(3, Candidate({"temperature": 600.0}), proposal, "capacity >= 50 mAh/g with probability 0.12")
    assert line(doubted, {}).endswith("only 0.12 (capacity >= 50 mAh/g with probability 0.12)")
    ended = TrialEnded(completed(1, 40.0), "capacity >= 50 mAh/g (got 40.0 ± 2.0 mAh/g)")
    assert line(ended, {}).endswith(", breaks capacity >= 50 mAh/g (got 40.0 ± 2.0 mAh/g)")


def test_a_failed_step_names_its_station_once() -> None:
    failed = StepEnded(3, "calcine", "furnace_1", ok=False, reason="furnace_1: the heater is off")
    assert line(failed, {}) == "trial 3: calcine at furnace_1 failed: the heater is off"


@pytest.mark.parametrize(("measured", "told"), [(False, "no trial was completed"), (True, "none is feasible")])
def test_a_session_without_a_completed_trial_does_not_call_its_candidates_infeasible(measured: bool, told: str) -> None:
    assert line(Finished("interrupted", measured=measured), {}) == f"finished: interrupted; {told}"
