"""The stopping rules of a campaign: how far each of them is, and why it stops the campaign once it holds."""

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
from campaigns.objective import FindManyConfig, Objective
from loop.core.candidate_results import best, by_trial, results
from loop.core.pareto import front_of, volumes, wants_front
from loop.core.records import RegretEstimate, TrialRecord
from loop.core.trial_selection import completed

_TIMES = 3
"""Trials in succession after which next to no improvement must be expected, as a model that is too sure of itself is
soon proven wrong. docs/benchmarks.md, Stopping, has what it comes to: 2 of 40 campaigns end too early, as many as the
rule's probability of 0.05 says; the number itself is not tuned."""
_NO_CANDIDATE = "no feasible candidate"


@dataclass(frozen=True, slots=True)
class RuleProgress:
    """How far a stopping rule is.

    Attributes:
        rule: when it stops the campaign.
        so_far: how much of that there is.
        reason: why it stops the campaign; None while it does not.
    """

    rule: str
    so_far: str
    reason: str | None = None


def rule_progress(
    rule: StoppingRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int = 0
) -> RuleProgress:
    """Return how far a rule is.

    Args:
        rule: one of the campaign's.
        campaign: its objective.
        trials: all trials, by number.
        first: number of the first trial that the campaign holds for; those before could not improve what it wants, and
            the regret that was expected then was that of another campaign.
    """
    match rule:
        case TargetRuleConfig():
            return _target(rule, campaign, trials, first)
        case NoBetterRuleConfig():
            return _no_better(rule, campaign, trials, first)
        case HypervolumeRuleConfig():
            return _hypervolume(rule, campaign, trials)
        case StagnationRuleConfig():
            return _stagnation(rule, campaign, trials, first)
        case _:
            assert_never(rule)


def _target(
    rule: TargetRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int
) -> RuleProgress:
    """Return whether a trial is sure enough to have reached the target; before a model says so, by its measurement."""
    text = f"a trial has reached the target score {rule.score:g} with probability {rule.confidence:g}"
    done = completed(trials)
    regret = done[-1].regret if done and done[-1].number >= first else None
    estimated = [(number, p) for score, number, p in regret.reached if score == rule.score] if regret else []
    found = estimated[0] if estimated else _by_reading(rule.score, campaign, trials)
    if found is None:
        return RuleProgress(text, _NO_CANDIDATE)
    number, probability = found
    so_far = f"trial {number} with probability {probability:.3g}"
    if probability < rule.confidence:
        return RuleProgress(text, so_far)
    reason = f"trial {number} has reached the target score {rule.score:g} with probability {probability:.3g}"
    return RuleProgress(text, so_far, f"{reason}; {rule.confidence:g} is enough")


def _by_reading(target: float, campaign: Campaign, trials: Sequence[TrialRecord]) -> tuple[int, float] | None:
    """Return the first trial of the best candidate, and how probably it reaches a score by its readings alone."""
    found = best(results(campaign.build_objective(), trials))
    if found is None or found.score is None:
        return None
    if not found.score_sd:
        return found.number, float(found.score >= target)
    return found.number, 0.5 * math.erfc((target - found.score) / (math.sqrt(2.0) * found.score_sd))


def _no_better(
    rule: NoBetterRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int
) -> RuleProgress:
    """Return whether a better candidate was unlikely to exist after each of the latest trials."""
    least = rule.improvement
    text = (
        f"a candidate better than the best by more than {least:g} exists with a probability below "
        f"{rule.probability:g}, after each of {_TIMES} trials"
    )
    latest = [t.regret for t in completed(trials) if t.number >= first][-_TIMES:]
    known = [(one, dict(one.better)[least]) for one in latest if one is not None and least in dict(one.better)]
    if not known:
        return RuleProgress(text, "no estimate; the models make one once they choose candidates")
    shown = ", ".join(f"{chance:.2g}" for _, chance in known)
    gain = _gain_text(known[-1][0], campaign.build_objective())
    so_far = f"probability {shown} after the last {len(known)} trials, expected gain {gain}"
    if len(known) < _TIMES or max(chance for _, chance in known) >= rule.probability:
        return RuleProgress(text, so_far)
    reason = (
        f"a candidate better than trial {known[-1][0].incumbent} by more than {least:g} is unlikely to exist: "
        f"probability {shown} after the last {_TIMES} trials; expected gain {gain}"
    )
    return RuleProgress(text, so_far, reason)


def _gain_text(regret: RegretEstimate, objective: Objective) -> str:
    """Return the expected gain, also in the unit of the only metric, where the score is that metric over a scale."""
    assert regret.gain is not None  # noqa: S101 - known with the probabilities
    text = f"{regret.gain:.2g} points"
    if len(objective.terms) != 1 or objective.terms[0].goal not in ("maximise", "minimise"):
        return text
    (term,) = objective.terms
    unit = objective.units[term.metric]
    return f"{text}, {regret.gain * term.scale:.2g} of {term.metric}" + (f" [{unit}]" if unit != "1" else "")


def _hypervolume(rule: HypervolumeRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord]) -> RuleProgress:
    """Return whether the front dominates the volume."""
    text = f"the front dominates a volume of {rule.reaches:g}"
    front = front_of(campaign, trials)
    if front is None or not front.candidates:
        return RuleProgress(text, _NO_CANDIDATE)
    so_far = f"{front.volume:.4g}"
    if front.volume < rule.reaches:
        return RuleProgress(text, so_far)
    return RuleProgress(text, so_far, f"the front dominates {so_far} and has reached the volume {rule.reaches:g}")


def _stagnation(
    rule: StagnationRuleConfig, campaign: Campaign, trials: Sequence[TrialRecord], first: int
) -> RuleProgress:
    """Return for how many trials nothing has improved."""
    nothing = "no improvement" + (f" by more than {rule.improvement:g}" if rule.improvement else "")
    text = f"{nothing} in {rule.trials} trials"
    done = completed(trials)
    since, value = _since_improvement(
        _objective_values(campaign, trials), [t.imported for t in done], rule.improvement
    )
    if value is None:
        return RuleProgress(text, _NO_CANDIDATE)
    since = min(since, sum(t.number >= first and not t.imported for t in done))
    so_far = f"{since} of {rule.trials} trials, on {value:.4g}"
    if since < rule.trials:
        return RuleProgress(text, so_far)
    return RuleProgress(text, so_far, f"{nothing} on {value:.4g} in {since} trials")


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
) -> tuple[int, float | None]:
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
    return since, incumbent
