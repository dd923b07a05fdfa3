"""When a campaign stops: the budget is spent, or a stopping rule holds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from campaigns.campaign import (
    Campaign,
    HypervolumeRuleConfig,
    NoBetterRuleConfig,
    StagnationRuleConfig,
    StoppingRuleConfig,
    TargetRuleConfig,
)
from campaigns.costs import most_expensive_trial
from campaigns.objective import FindManyConfig, Objective
from campaigns.values import TrialState
from loop.core.candidate_results import best, by_trial, results
from loop.core.pareto import front_of, volumes, wants_front
from loop.core.records import TrialRecord
from loop.core.trial_selection import completed

_TIMES = 3
"""Trials in succession after which next to no improvement must be expected, as a model that is too sure of itself is
soon proven wrong. docs/benchmarks.md, Stopping, has what it comes to: 2 of 40 campaigns end too early, as many as the
rule's probability of 0.05 says; the number itself is not tuned."""
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
        first: number of the first trial that the campaign holds for; those before could not improve what it
            wants, and the regret that was expected then was that of another campaign.
    """
    budget = campaign.budget
    if used.trials >= budget.trials:
        return f"all {budget.trials} trials of the budget are spent"
    if budget.wall_time is not None and used.wall_time >= budget.wall_time:
        return f"the budget's wall time of {budget.wall_time:g} s is spent"
    trial_cost = most_expensive_trial(campaign)
    up_to = "up to " if any("cost" in step.sums for step in campaign.workflow) else ""
    if budget.cost is not None and used.cost + trial_cost > budget.cost:
        return f"{used.cost:g} of {budget.cost:g} USD are spent, and a further trial costs {up_to}{trial_cost:g} USD"
    reasons = (_held(rule, campaign, trials, first) for rule in campaign.stopping)
    return next((reason for reason in reasons if reason is not None), None)


def _held(rule: StoppingRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int) -> str | None:
    match rule:
        case TargetRuleConfig():
            return _reached(rule, campaign, trials, first)
        case NoBetterRuleConfig():
            return _no_improvement_expected(rule, campaign, trials, first)
        case HypervolumeRuleConfig(reaches=volume):
            front = front_of(campaign, trials)
            if front is not None and front.candidates and front.volume >= volume:
                return f"the front dominates {front.volume:.4g} and has reached the volume {volume:g}"
            return None
        case StagnationRuleConfig(trials=patience, improvement=improvement):
            done = completed(trials)
            since, value = _since_improvement(
                _objective_values(campaign, trials), [t.imported for t in done], improvement
            )
            since = min(since, sum(t.number >= first and not t.imported for t in done))
            if since >= patience:
                return f"no improvement by more than {improvement:g} on {value:.4g} in {since} trials"
            return None
        case _:
            assert_never(rule)


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


def _reached(rule: TargetRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int) -> str | None:
    """Return that a trial is sure enough to have reached the target; before a model can say so, by its measurement."""
    done = completed(trials)
    regret = done[-1].regret if done and done[-1].number >= first else None
    estimated = [(number, p) for score, number, p in regret.reached if score == rule.score] if regret else []
    number, probability = estimated[0] if estimated else _by_reading(rule.score, campaign, trials)
    if probability < rule.confidence:
        return None
    text = f"trial {number} has reached the target score {rule.score:g} with probability {probability:.3g}"
    return f"{text}; {rule.confidence:g} is enough"


def _by_reading(target: float, campaign: Campaign, trials: Sequence[TrialRecord]) -> tuple[int, float]:
    """Return the first trial of the best candidate, and how probably it reaches a score by its readings alone."""
    found = best(results(campaign.build_objective(), trials))
    if found is None or found.score is None:
        return -1, 0.0
    if not found.score_sd:
        return found.number, float(found.score >= target)
    return found.number, 0.5 * math.erfc((target - found.score) / (math.sqrt(2.0) * found.score_sd))


def _no_improvement_expected(
    rule: NoBetterRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int
) -> str | None:
    """Return that a better candidate was unlikely to exist after each of the latest trials."""
    latest = [t.regret for t in completed(trials) if t.number >= first][-_TIMES:]
    chances = [dict(regret.better).get(rule.improvement, 1.0) for regret in latest if regret is not None]
    if len(chances) < _TIMES or max(chances) >= rule.probability:
        return None
    found = latest[-1]
    assert found is not None  # noqa: S101 - none is missing
    assert found.gain is not None  # noqa: S101 - known with the chances
    shown = ", ".join(f"{chance:.2g}" for chance in chances)
    gain = f"{found.gain:.2g} points{_in_unit(campaign.build_objective(), found.gain)}"
    text = f"a candidate better than trial {found.incumbent} by more than {rule.improvement:g} is unlikely to exist"
    return f"{text}: probability {shown} after the last {_TIMES} trials; expected gain {gain}"


def _in_unit(objective: Objective, gain: float) -> str:
    """Return a gain in the unit of the only metric, where the score is that metric over a scale."""
    if len(objective.terms) != 1 or objective.terms[0].goal not in ("maximise", "minimise"):
        return ""
    (term,) = objective.terms
    unit = objective.units[term.metric]
    return f", {gain * term.scale:.2g} of {term.metric}" + (f" [{unit}]" if unit != "1" else "")


def _chosen(done: Sequence[TrialRecord]) -> bool:
    """Return whether a model chose any of the completed trials: in the start, it is not asked what exists."""
    return any(trial.proposal.modelled for trial in done)


def _objective_values(campaign: Campaign, trials: Sequence[TrialRecord]) -> list[float | None]:
    """Return what may improve, after each completed trial.

    It is the pooled score of the trial's candidate if feasible, the volume below the front, or how many candidates
    above the threshold were found, where many are wanted. Another reading of a candidate is no improvement by itself.
    """
    done, find = completed(trials), campaign.objective.find
    if wants_front(campaign):
        return [volume or None for volume in volumes(campaign.build_objective(), done)]
    of = by_trial(results(campaign.build_objective(), done))
    scores = [one.score if (one := of[t.number]).eligible and t.number in one.numbers else None for t in done]
    if not isinstance(find, FindManyConfig) or find.above is None:
        return scores
    good = [score is not None and score >= find.above for score in scores]
    names = [t.candidate.material or t.candidate.key() for t in done]
    return [float(len({n for n, g in zip(names[:i], good[:i], strict=True) if g})) for i in range(1, len(done) + 1)]


def _since_improvement(
    values: Sequence[float | None], imported: Sequence[bool], improvement: float
) -> tuple[int, float]:
    """Return for how many trials the best value has not risen by more than ``improvement``, and that value.

    Trials before the first feasible one do not count: there is nothing yet to improve on. A suspected outlier
    improves nothing, and one that was measured elsewhere is no attempt.
    """
    incumbent: float | None = None
    since = 0
    for value, elsewhere in zip(values, imported, strict=True):
        since += incumbent is not None and not elsewhere
        if value is not None and (incumbent is None or value > incumbent + improvement):
            incumbent, since = value, 0
    return since, incumbent or 0.0
