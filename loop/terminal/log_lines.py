"""One plain line per event, for logs and pipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from loop.core import events
from loop.core.events import Event, SessionEvent, TrialEvent
from loop.core.formatting import (
    NOTHING_MEASURED,
    best_text,
    candidate_text,
    format_uncertain,
    front_text,
    metrics_text,
    one_line,
    outlier_text,
    posterior_text,
    regret_text,
    score_text,
    since_text,
    state_text,
)
from loop.core.outcome_constraints import LIKELY
from loop.core.records import TrialRecord


def line(event: Event, units: Mapping[str, str], axes: Sequence[str] = (), failure: str = "") -> str:
    """Return an event as one line.

    Args:
        event: what happened.
        units: parameter to unit.
        axes: metrics that are printed in place of a score, where a front is looked for.
        failure: why the latest step of the event's trial failed, by a line before; it is not printed again.
    """
    if isinstance(event, events.TrialEnded) and _repeats(event.trial, failure):
        return f"trial {event.trial.number}: {state_text(event.trial)}"
    return one_line(_trial_line(event, units, axes) if isinstance(event, TrialEvent) else _session_line(event))


def _repeats(ended: TrialRecord, failure: str) -> bool:
    """Return whether a trial ended for a reason that the line of its failed step has just given, if any."""
    return bool(failure) and ended.score is None and ended.reason.endswith(failure)


def _session_line(event: SessionEvent) -> str:
    match event:
        case events.Started():
            total = event.campaign.budget.trials
            return f"{event.campaign.name}: {sum(t.counted for t in event.trials)} of {total} trials in {event.store}"
        case events.Loading() | events.PoolReady() | events.Preparing() | events.StationsReady():
            return _beginning_line(event)
        case events.SurrogateChanged(trial=number, metric=metric, text=text):
            return f"surrogate of {metric}, after trial {number}: {text}"
        case events.Amended():
            return _amended(event)
        case events.Stopping(reason=text) | events.Warned(text=text):
            return f"{'stopping' if isinstance(event, events.Stopping) else 'warning'}: {text}"
        case events.StandardMeasured(text=text):
            return text
        case events.SourceRead(text=text, role=role):
            return f"{role}: {text}"
        case events.Finished():
            return f"finished: {event.reason}; {_found(event)}"


def _beginning_line(event: events.Loading | events.PoolReady | events.Preparing | events.StationsReady) -> str:
    """Return the line of what comes before the first proposal."""
    match event:
        case events.Loading(what=what):
            return f"loading {what}, which takes seconds"
        case events.PoolReady(size=size):
            return f"pool: {size} materials"
        case events.Preparing(doing=doing, done=done, total=total):
            return f"{doing}: {done} of {total} structures"
        case events.StationsReady(describe=describe):
            return f"stations: {', '.join(describe)}"


def _found(event: events.Finished) -> str:
    if not event.measured:
        return NOTHING_MEASURED
    if event.front is not None:
        return front_text(event.front)
    return best_text(event.best)


def _amended(event: events.Amended) -> str:
    """Return what changed, from when on and why; or why it did not."""
    one = event.amendment
    return f"amendment {one.number} by {one.author}: {event.text}, {since_text(one)} ({one.reason})"


def _trial_line(event: TrialEvent, units: Mapping[str, str], axes: Sequence[str]) -> str:
    match event:
        case events.Proposed():
            return _proposed(event, units, axes)
        case events.StepStarted():
            again = f", attempt {event.attempt}" if event.attempt > 1 else ""
            if event.taken_up:
                return f"trial {event.trial}: {event.step} was begun{again}: {event.station} is asked what became of it"
            return f"trial {event.trial}: {event.step} begins at {event.station}{again}"
        case events.StepEnded():
            ending = "done" if event.ok else f"failed: {event.reason.removeprefix(f'{event.station}: ')}"
            return f"trial {event.trial}: {event.step} at {event.station} {ending}"
        case events.TrialEnded():
            return f"trial {event.trial.number}: {_verdict(event, axes)}"
        case events.OutlierFlagged(trial=number, reason=reason):
            return f"trial {number} {outlier_text(reason)}"
        case events.BestChanged() | events.PosteriorBestChanged():
            return _best_so_far(event)
        case events.FrontGrew(trial=number, front=front):
            return f"trial {number} stands on the front: {front_text(front)}"
        case events.RegretEstimated(trial=number, regret=regret):
            return f"regret estimate after trial {number}: {regret_text(regret)}"


def _best_so_far(event: events.BestChanged | events.PosteriorBestChanged) -> str:
    match event:
        case events.BestChanged(best=top):
            return "best so far: " + ("none is feasible" if top is None else f"{top.label}, score {score_text(top)}")
        case events.PosteriorBestChanged(found=found):
            text = "no measured candidate is likely feasible" if found is None else posterior_text(found)
            return f"best by the model: {text}"


def _proposed(event: events.Proposed, units: Mapping[str, str], axes: Sequence[str]) -> str:
    how = ": ".join(filter(None, [event.proposal.origin, event.proposal.reason]))
    text = f"trial {event.trial}: proposed ({how}): {candidate_text(event.candidate, units)}"
    if event.proposal.score is None:
        return text
    if axes:
        found = f"{text}; predicted {metrics_text(event.proposal.predictions, axes)}"
    else:
        found = f"{text}; predicted score {format_uncertain(*event.proposal.score)}"
    chance = event.proposal.feasibility
    if chance is None or chance >= LIKELY:
        return found
    which = f" ({event.doubtful})" if event.doubtful else ""
    return f"{found}; probability of being feasible only {chance:.2f}{which}"


def _verdict(event: events.TrialEnded, axes: Sequence[str]) -> str:
    """Return how a trial ended: its score and the constraints that it breaks, or why it has none."""
    trial = event.trial
    if trial.score is None:
        return f"{state_text(trial)}: {trial.reason or 'no reason given'}"
    value = metrics_text(trial.metrics, axes) if axes else f"score {score_text(trial)}"
    return f"{trial.state}: {value}" + (f", breaks {event.broken}" if event.broken else "")
