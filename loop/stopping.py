"""When a campaign stops: the budget is spent, or a stopping rule holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from campaigns.campaign import (
    Campaign,
    HypervolumeRuleConfig,
    StagnationRuleConfig,
    StoppingRuleConfig,
    TargetRuleConfig,
)
from campaigns.costs import dearest
from campaigns.fidelity import FULL
from campaigns.values import TrialState
from loop.front import front_of, volumes, wants_front
from loop.records import TrialRecord, best

_NOTHING_MOVED = (TrialState.CLAIMED, TrialState.RUNNING)


@dataclass(frozen=True, slots=True)
class Spent:
    """What a campaign has used up.

    Attributes:
        trials: at full fidelity.
        wall_time: seconds over all sessions.
        cost: USD of all steps that were begun.
    """

    trials: int
    wall_time: float
    cost: float


def spent(trials: Sequence[TrialRecord], wall_time: float) -> Spent:
    """Return what the trials have used up."""
    begun = [step for trial in trials for step in trial.steps if step.state not in _NOTHING_MOVED]
    full = sum(trial.counted for trial in trials)
    return Spent(full, wall_time, sum(step.cost for step in begun))


def stop_reason(campaign: Campaign, trials: Sequence[TrialRecord], used: Spent, first: int = 0) -> str | None:
    """Return why no further trial is begun, or None.

    Args:
        campaign: its budget and stopping rules.
        trials: all trials, by number.
        used: what they have used up.
        first: number of the first trial that the campaign holds for; those before could not improve what it wants.
    """
    budget = campaign.budget
    if used.trials >= budget.trials:
        return f"all {budget.trials} trials of the budget are spent"
    if budget.wall_time is not None and used.wall_time >= budget.wall_time:
        return f"the budget's wall time of {budget.wall_time:g} s is spent"
    trial_cost = dearest(campaign)
    up_to = "up to " if any("cost" in step.sums for step in campaign.workflow) else ""
    if budget.cost is not None and used.cost + trial_cost > budget.cost:
        return f"{used.cost:g} of {budget.cost:g} USD are spent, and a further trial costs {up_to}{trial_cost:g} USD"
    reasons = (_held(rule, campaign, trials, first) for rule in campaign.stopping)
    return next((reason for reason in reasons if reason is not None), None)


def _held(rule: StoppingRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int) -> str | None:
    match rule:
        case TargetRuleConfig(score=score):
            incumbent = best(list(trials))
            if incumbent is not None and incumbent.score is not None and incumbent.score >= score:
                return f"trial {incumbent.number} has reached the target score {score:g} with {incumbent.score:.4g}"
            return None
        case HypervolumeRuleConfig(reaches=volume):
            front = front_of(campaign, trials)
            if front is not None and front.trials and front.volume >= volume:
                return f"the front dominates {front.volume:.4g} and has reached the volume {volume:g}"
            return None
        case StagnationRuleConfig(trials=patience, improvement=improvement):
            since = _since_improvement(_merits(campaign, trials), improvement)
            since = min(since, sum(t.number >= first for t in _completed(trials)))
            if since >= patience:
                return f"no improvement by more than {improvement:g} in {since} trials"
            return None
        case _:
            assert_never(rule)


def _merits(campaign: Campaign, trials: Sequence[TrialRecord]) -> list[float | None]:
    """Return what may improve, after each completed trial: its score if feasible, or the volume below the front."""
    done = _completed(trials)
    if wants_front(campaign):
        return [volume or None for volume in volumes(campaign.build_objective(), done)]
    return [t.score if t.feasible and not t.doubt else None for t in done]


def _completed(trials: Sequence[TrialRecord]) -> list[TrialRecord]:
    """Return the completed trials at full fidelity, in the order in which they were completed."""
    full = [t for t in trials if t.completed_order is not None and t.fidelity == FULL]
    return sorted(full, key=lambda t: t.completed_order or 0)


def _since_improvement(merits: Sequence[float | None], improvement: float) -> int:
    """Return for how many trials the best merit has not risen by more than ``improvement``.

    Trials before the first feasible one do not count: there is nothing yet to improve on. One that is not believed
    improves nothing.
    """
    incumbent, since = None, 0
    for merit in merits:
        since += incumbent is not None
        if merit is not None and (incumbent is None or merit > incumbent + improvement):
            incumbent, since = merit, 0
    return since
