"""Decisions about what waits in the queue, as functions of the trials alone: what may begin, what is withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from campaigns.errors import SampleError
from campaigns.fidelity import FULL
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Cause, TrialState
from loop.core.proposals import AGAIN, OPERATOR
from loop.core.records import TrialRecord, TrialResult

AHEAD = 1
"""Trials that wait in the queue, so that a station that falls free never waits for the planner.

Not tuned: it is the fewest that does so, as each further one is proposed without a measurement more.
"""


def queue_is_full(trials: Iterable[TrialRecord], ahead: int = AHEAD) -> bool:
    """Return whether enough of the trials that have not ended wait to be begun."""
    return sum(not trial.begun for trial in trials) >= ahead


def has_capacity(trials: Iterable[TrialRecord], places: int) -> bool:
    """Return whether a new trial, and the load that it is part of, may be begun beside those that have not ended.

    Fewer are under way than the stations have places (constant work in process: Spearman, Woodruff & Hopp 1990, Int. J.
    Prod. Res. 28, 879): a slow last step would else make the planner propose without its results.
    """
    return sum(trial.begun for trial in trials) < places


def requested_first(waiting: Iterable[TrialRecord]) -> list[TrialRecord]:
    """Return waiting trials in the order in which they take their step: those first that somebody asked for."""
    return sorted(waiting, key=lambda trial: trial.proposal.generator != OPERATOR)


def outside_space(waiting: Iterable[TrialRecord], space: SpaceConfig) -> Iterator[tuple[int, TrialResult]]:
    """Yield the trials that were not begun and are not allowed any more, each with how it ends."""
    for trial in waiting:
        if not trial.begun and not space.contains(trial.candidate):
            yield trial.number, TrialResult(TrialState.WITHDRAWN, "it lies outside of the current space")


def already_measured(trials: Sequence[TrialRecord]) -> Iterator[tuple[int, TrialResult]]:
    """Yield the waiting trials whose candidate was imported meanwhile, each with how it ends, but for requested ones.

    Args:
        trials: all of the campaign.
    """
    imported = {t.candidate.key(): t.number for t in trials if t.imported}
    for trial in trials:
        deliberate = trial.proposal.generator in (OPERATOR, AGAIN) or trial.fidelity != FULL
        if not trial.state.ended and not trial.steps and not deliberate and trial.candidate.key() in imported:
            number = imported[trial.candidate.key()]
            yield trial.number, TrialResult(TrialState.WITHDRAWN, f"it is measured: trial {number}")


def cut_short(trial: TrialRecord) -> TrialResult | None:
    """Return how a trial is to end whose job has failed by a store that says nothing yet of the trial itself.

    An earlier version was killed between the two, and nothing may be begun anew for it; None of all others.
    """
    last = trial.steps[-1] if trial.steps else None
    if last is None or trial.state is not TrialState.DISPATCHED or not last.state.ended:
        return None
    if last.state is TrialState.WITHDRAWN:
        return None
    return TrialResult(last.state, last.reason, cause=cause_of(last.reason))


def cause_of(reason: str) -> Cause:
    """Return what the failure of a job, or of a place in a load, speaks of, by the error in its reason."""
    return Cause.SAMPLE if f"{SampleError.__name__}:" in reason else Cause.LAB
