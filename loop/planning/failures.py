"""What trials that failed say of their candidates, and whose candidates may be tried again.

Only what speaks of the sample is evidence: that it cannot be made or measured, or that it has no value of a metric. A
fault of the lab, such as a busy instrument, a silent network, a time limit that was too short or an analysis with a
bug, says nothing about a material.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from campaigns.values import Candidate, Cause, TrialState
from loop.core.records import TrialRecord


def failures(trials: Iterable[TrialRecord]) -> tuple[Candidate, ...]:
    """Return the candidates that could not be made or measured, in the order of their trials' numbers.

    Neither quarantined trials, which were made, nor uncertain ones, of which nobody knows, are evidence.
    """
    failed = [t for t in trials if t.state is TrialState.FAILED and t.cause is Cause.SAMPLE]
    return tuple(t.candidate for t in sorted(failed, key=lambda t: t.number))


FAULTS = 3
"""Trials in a row with the same fault of an analysis, or of a computation, after which a session stops; not tuned."""


def in_a_row(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the latest trials that were analysed, or computed, if all have the same fault and are many enough."""
    tried = [t for t in trials if t.fault or t.metrics or t.missing or t.flags]
    latest = sorted((t for t in tried if t.state.ended and not t.imported), key=lambda t: (t.ended or 0.0, t.number))
    latest = [t for t in latest if t.state is not TrialState.WITHDRAWN]
    same = list(takewhile(lambda t: bool(t.fault) and t.fault == latest[-1].fault, reversed(latest)))
    return same[::-1] if len(same) >= FAULTS else []


def never_had(trials: Sequence[TrialRecord], missing: Sequence[str]) -> list[str]:
    """Return which missing metrics no trial has had, once several have missed them, so that each is reported once."""
    without = {name: sum(name in t.missing for t in trials) for name in missing}
    return [n for n, count in without.items() if count == FAULTS and not any(n in t.metrics for t in trials)]


def lost(trial: TrialRecord) -> bool:
    """Return whether a trial failed for a fault that is not the sample's, so that its candidate is untested."""
    return trial.state is TrialState.FAILED and trial.cause in (Cause.LAB, Cause.ANALYSIS)
