"""What the log says of events beyond what is predicted of a score."""

from __future__ import annotations

import pytest

from campaigns.values import Candidate
from loop.core.events import Proposed
from loop.core.proposals import Proposal
from loop.terminal.log_lines import _proposed


@pytest.mark.parametrize(
    ("feasibility", "told"),
    [(0.12, "; probability of being feasible only 0.12"), (0.75, ""), (None, "")],
)
def test_a_proposal_that_is_likely_not_feasible_says_so(feasibility: float | None, told: str) -> None:
    proposal = Proposal("model", score=(15.0, 1.0), feasibility=feasibility)
    line = _proposed(Proposed(3, Candidate({"temperature": 600.0}), proposal), {"temperature": "degC"}, ())
    assert line == f"trial 3: proposed (model): temperature 600 degC; predicted score 15.0 ± 1.0{told}"
