"""What trials that failed say of their candidates, and whose candidates may be tried again.

Only what speaks of the sample is evidence: that it cannot be made or measured, or that a metric cannot be had of it. A
fault of the lab, such as a busy instrument, a silent network, a time limit that was too short or an analysis with a
bug, says nothing about a material.
"""

from __future__ import annotations

from collections.abc import Iterable

from campaigns.values import Candidate, Cause, TrialState
from loop.records import TrialRecord


def failures(trials: Iterable[TrialRecord]) -> tuple[Candidate, ...]:
    """Return the candidates that could not be made or measured, in the order of their trials' numbers.

    Neither quarantined trials, which were made, nor uncertain ones, of which nobody knows, are evidence.
    """
    failed = [t for t in trials if t.state is TrialState.FAILED and t.cause is Cause.SAMPLE]
    return tuple(t.candidate for t in sorted(failed, key=lambda t: t.number))


def lost(trial: TrialRecord) -> bool:
    """Return whether a trial failed for a fault that is not the sample's, so that nothing is known of its candidate."""
    return trial.state is TrialState.FAILED and trial.cause in (Cause.LAB, Cause.ANALYSIS)
