"""When a campaign stops: the budget is spent, or a stopping rule holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.campaign import Campaign, NoBetterRuleConfig, TargetRuleConfig
from campaigns.costs import most_expensive_trial
from campaigns.values import TrialState
from loop.core.formatting import duration
from loop.core.records import TrialRecord
from loop.core.stopping_rules import RuleInputs, rule_progress
from loop.core.trial_selection import completed

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
        first: number of the first trial that the campaign holds for; see ``RuleInputs``.
    """
    budget = campaign.budget
    if used.trials >= budget.trials:
        return f"all {budget.trials} trials of the budget are spent"
    if budget.wall_time is not None and used.wall_time >= budget.wall_time:
        return f"the budget's wall time of {duration(budget.wall_time)} is spent"
    trial_cost = most_expensive_trial(campaign)
    up_to = "up to " if any("cost" in step.sums for step in campaign.workflow) else ""
    if budget.cost is not None and used.cost + trial_cost > budget.cost:
        return f"{used.cost:g} of {budget.cost:g} USD are spent, and a further trial costs {up_to}{trial_cost:g} USD"
    given = RuleInputs(campaign.objective.find, campaign.build_objective, trials, first)
    reasons = (rule_progress(rule, given).reason for rule in campaign.stopping)
    return next((reason for reason in reasons if reason is not None), None)


def asked(campaign: Campaign) -> tuple[list[float], list[float]]:
    """Return the target scores and the improvements that the rules ask the models about."""
    targets = [rule.score for rule in campaign.stopping if isinstance(rule, TargetRuleConfig)]
    improvements = [rule.improvement for rule in campaign.stopping if isinstance(rule, NoBetterRuleConfig)]
    return targets, improvements


def trial_needing_regret_estimate(campaign: Campaign, trials: Sequence[TrialRecord]) -> TrialRecord | None:
    """Return the latest completed trial, if its expected regret is not known as the rules ask for it."""
    targets, improvements = asked(campaign)
    done = completed(trials)
    if not done or not (targets or improvements):
        return None
    found = done[-1].regret
    if found is None or set(targets) - {target for target, *_ in found.reached}:
        return done[-1]
    return done[-1] if set(improvements) - {least for least, _ in found.better} and _chosen(done) else None


def _chosen(done: Sequence[TrialRecord]) -> bool:
    """Return whether a model chose any of the completed trials: in the start, it is not asked what exists."""
    return any(trial.proposal.modelled for trial in done)
