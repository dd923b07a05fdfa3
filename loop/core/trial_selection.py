"""Which trials count: for ranking, for the models, for another campaign."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from campaigns.fidelity import FULL
from campaigns.values import TrialState
from loop.core.records import TrialRecord

PARTIAL = (TrialState.FAILED, TrialState.QUARANTINED, TrialState.UNCERTAIN)
"""States of trials that ended early: what was measured before, and can be trusted, is used by the models."""


def completed(trials: Iterable[TrialRecord], fidelity: str = FULL) -> list[TrialRecord]:
    """Return the completed trials of a fidelity, in the order in which they were completed.

    This and ``trusted`` say which trials count; nothing else does.
    """
    done = [t for t in trials if t.state is TrialState.COMPLETED and t.fidelity == fidelity]
    return sorted(done, key=lambda t: (t.completed_order or 0, t.number))


def fully_measured(trials: Iterable[TrialRecord], metrics: Collection[str]) -> list[TrialRecord]:
    """Return the completed trials of which every one of some metrics is known: those that have a score."""
    return [t for t in completed(trials) if all(name in t.metrics for name in metrics)]


def learnable(trials: Iterable[TrialRecord], fidelity: str = FULL) -> list[TrialRecord]:
    """Return the trials of a fidelity that have given any measurement to learn from, in the order in which they ended.

    Beside the completed ones, these are trials that ended early, of which some metrics are known and can be trusted.
    """
    ended = [t for t in trials if t.fidelity == fidelity and (t.state is TrialState.COMPLETED or _partial(t))]
    return sorted(ended, key=lambda t: (t.completed_order or 0, t.number))


def _partial(trial: TrialRecord) -> bool:
    return trial.state in PARTIAL and bool(trial.metrics)


def trusted(trials: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return the completed trials that are no suspected outliers: what may rank, stop a campaign, or teach another."""
    return [t for t in completed(trials) if not t.outlier]
