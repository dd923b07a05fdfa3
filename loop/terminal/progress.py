"""What a display knows of a run: a frozen state that each event turns into the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from campaigns.campaign import Campaign
from campaigns.values import Candidate
from loop.core import events
from loop.core.candidate_results import CandidateResult, best, results
from loop.core.events import Event, SessionEvent, TrialEvent
from loop.core.formatting import outlier_text, regret_text
from loop.core.pareto import Front, front_of
from loop.core.records import PosteriorBest, TrialRecord


@dataclass(frozen=True, slots=True)
class OpenTrial:
    """A trial under way: its candidate, and what happens to it."""

    candidate: Candidate
    doing: str = "waiting"


@dataclass(frozen=True, slots=True)
class Progress:
    """A run so far.

    Attributes:
        ended: trial number to its record.
        under_way: trial number to what happens to it.
        best: the best measured candidate so far.
        posterior: the best measured candidate by the models' posterior; None before there is a model.
        front: the best compromises so far, where a front is looked for.
        wall_time: seconds that were spent over all sessions when this one had begun.
        cost: USD spent.
        describe: station to a function that says what it does now.
        note: the last thing said.
    """

    campaign: Campaign
    ended: Mapping[int, TrialRecord] = field(default_factory=dict)
    under_way: Mapping[int, OpenTrial] = field(default_factory=dict)
    best: CandidateResult | None = None
    posterior: PosteriorBest | None = None
    front: Front | None = None
    wall_time: float = 0.0
    cost: float = 0.0
    describe: Mapping[str, Callable[[], str]] = field(default_factory=dict)
    note: str = ""

    @property
    def units(self) -> dict[str, str]:
        """Parameter to unit."""
        return {name: parameter.unit for name, parameter in self.campaign.space.all_parameters.items()}


def advance(progress: Progress, event: Event) -> Progress:
    """Return the state after an event."""
    return _after_trial(progress, event) if isinstance(event, TrialEvent) else _after_session(progress, event)


def _after_session(progress: Progress, event: SessionEvent) -> Progress:
    match event:
        case events.Started():
            return _started(progress, event)
        case events.Loading(what=what):
            return replace(progress, note=f"loading {what}")
        case events.PoolReady(size=size):
            return replace(progress, note=f"{size} materials in the pool")
        case events.Preparing(doing=doing):
            return replace(progress, note=doing)
        case events.StationsReady(describe=describe):
            return replace(progress, describe=dict(describe), note="")
        case events.Amended():
            return _amended(progress, event)
        case events.SurrogateChanged(metric=metric, text=text):
            return replace(progress, note=f"{metric}: {text}")
        case (
            events.Stopping(reason=text)
            | events.SourceRead(text=text)
            | events.Warned(text=text)
            | events.StandardMeasured(text=text)
            | events.Finished(reason=text)
        ):
            return replace(progress, note=text)


def _after_trial(progress: Progress, event: TrialEvent) -> Progress:
    match event:
        case events.Proposed(trial=number, candidate=candidate):
            return replace(progress, under_way={**progress.under_way, number: OpenTrial(candidate)})
        case events.StepStarted(trial=number, step=step, station=station):
            return _doing(progress, number, f"{step} at {station}")
        case events.StepEnded():
            text = f"{event.step} done" if event.ok else f"{event.step} failed: {event.reason}"
            return replace(_doing(progress, event.trial, text), cost=progress.cost + event.cost)
        case events.TrialEnded(trial=trial):
            return _ended(progress, trial)
        case events.OutlierFlagged():
            return _outlying(progress, event)
        case events.BestChanged(best=top):
            return replace(progress, best=top)
        case events.PosteriorBestChanged(found=found):
            return replace(progress, posterior=found)
        case events.FrontGrew(front=front):
            return replace(progress, front=front)
        case events.RegretEstimated(regret=regret):
            return replace(progress, note=f"regret estimate: {regret_text(regret)}")


def _started(progress: Progress, event: events.Started) -> Progress:
    return replace(
        progress,
        ended={t.number: t for t in event.trials if t.state.ended},
        under_way={t.number: OpenTrial(t.candidate) for t in event.trials if not t.state.ended},
        best=best(results(event.campaign.build_objective(), event.trials)),
        front=front_of(event.campaign, event.trials),
        wall_time=event.wall_time,
        cost=sum(step.cost for t in event.trials for step in t.steps),
    )


def _amended(progress: Progress, event: events.Amended) -> Progress:
    open_ = {t.number: t.candidate for t in event.trials if not t.state.ended}
    return replace(
        progress,
        campaign=event.campaign,
        ended={t.number: t for t in event.trials if t.state.ended},
        under_way={n: progress.under_way.get(n, OpenTrial(c)) for n, c in open_.items()},
        best=best(results(event.campaign.build_objective(), event.trials)),
        front=front_of(event.campaign, event.trials),
        note=event.text,
    )


def _doing(progress: Progress, number: int, text: str) -> Progress:
    if number not in progress.under_way:
        return progress
    trial = replace(progress.under_way[number], doing=text)
    return replace(progress, under_way={**progress.under_way, number: trial})


def _ended(progress: Progress, trial: TrialRecord) -> Progress:
    rest = {n: t for n, t in progress.under_way.items() if n != trial.number}
    return replace(progress, under_way=rest, ended={**progress.ended, trial.number: trial})


def _outlying(progress: Progress, event: events.OutlierFlagged) -> Progress:
    trial = replace(progress.ended[event.trial], outlier=event.reason)
    ended = {**progress.ended, event.trial: trial}
    note = f"trial {event.trial} {outlier_text(event.reason)}"
    found = best(results(progress.campaign.build_objective(), ended.values()))
    return replace(progress, ended=ended, best=found, note=note)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast something counted goes on.

    Attributes:
        doing: what goes on.
        done, total: how much is done, and how much there is.
        first: how much was done when it was first looked at.
        begun, latest: seconds of a clock, when it was first and last looked at.
    """

    doing: str
    done: int
    total: int
    first: int
    begun: float
    latest: float

    def left(self, now: float) -> float | None:
        """Return the seconds that are left at the mean pace so far; None before there is a pace."""
        if self.done <= self.first or self.latest <= self.begun:
            return None
        each = (self.latest - self.begun) / (self.done - self.first)
        return max((self.total - self.done) * each - (now - self.latest), 0.0)


def keep_pace(before: Pace | None, event: Event, now: float) -> Pace | None:
    """Return the pace of what prepares the materials after an event at ``now``; None while nothing does."""
    match event:
        case events.Preparing(doing=doing, done=done, total=total) if done < total:
            if before is None or (before.doing, before.total) != (doing, total) or done < before.done:
                return Pace(doing, done, total, done, now, now)
            return replace(before, done=done, latest=now)
        case _:
            return None
