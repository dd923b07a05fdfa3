"""Experiments of a benchmark as the trials that a planner learns from."""

from __future__ import annotations

from collections.abc import Mapping

from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord


def completed(number: int, candidate: Candidate, proposal: Proposal, metrics: Mapping[str, MetricValue]) -> TrialRecord:
    """Return a trial that has been measured; trials end in the order in which they were proposed."""
    return TrialRecord(
        number=number,
        candidate=candidate,
        state=TrialState.COMPLETED,
        reason="",
        proposal=proposal,
        metrics=metrics,
        flags=(),
        score=None,
        score_sd=None,
        feasible=True,
        completed_order=number,
        created=0.0,
        ended=0.0,
        steps=(),
    )
