"""Which trials have failed, and how much each failure speaks against its candidate."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from campaigns.campaign import Campaign
from campaigns.values import Candidate, TrialState
from loop.records import TrialRecord

_TIMED_OUT = 0.3
"""Blame of a candidate whose step ran into its time limit: as a rule, the instrument hung."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A candidate that could not be made or measured.

    Attributes:
        blame: share, up to 1, by which that speaks against the candidate rather than the instrument.
    """

    candidate: Candidate
    blame: float


def failures(campaign: Campaign, trials: Iterable[TrialRecord]) -> tuple[Failure, ...]:
    """Return the failures among trials, in the order of their numbers.

    Neither quarantined trials, which were made, nor uncertain ones, of which nobody knows, are evidence.
    """
    failed = [t for t in trials if t.state is TrialState.FAILED]
    return tuple(Failure(t.candidate, _blame(campaign, t)) for t in sorted(failed, key=lambda t: t.number))


def _blame(campaign: Campaign, trial: TrialRecord) -> float:
    took = [
        (step.ended - step.started, campaign.step(step.name).timeout)
        for step in trial.steps
        if step.state is TrialState.FAILED and step.started is not None and step.ended is not None
    ]
    return _TIMED_OUT if took and took[-1][0] >= took[-1][1] else 1.0
