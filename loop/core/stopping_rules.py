"""The stopping rules of a campaign: how far each of them is, and why it stops the campaign once it holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import assert_never

from campaigns.campaign import (
    HypervolumeRuleConfig,
    NoBetterRuleConfig,
    StagnationRuleConfig,
    StoppingRuleConfig,
    TargetRuleConfig,
)
from campaigns.objective import FindConfig, FindManyConfig, FindParetoConfig, Objective
from loop.core.candidate_results import CandidateResult, best, by_trial, replicated, results
from loop.core.formatting import counted, number_text
from loop.core.pareto import front, volumes
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


@dataclass(frozen=True)
class RuleInputs:
    """What stopping rules are applied to.

    Attributes:
        find: what the campaign is for.
        build_objective: called only where a score, a front or a unit is worked out: it takes units to do so.
        trials: all trials, by number.
        first: number of the first trial that the campaign holds for; those before could not improve what it wants, and
            the regret that was expected then was that of another campaign.
    """

    find: FindConfig
    build_objective: Callable[[], Objective]
    trials: Sequence[TrialRecord]
    first: int = 0

    @cached_property
    def completed(self) -> list[TrialRecord]:
        """The completed trials, in the order in which they were."""
        return completed(self.trials)

    @cached_property
    def results(self) -> list[CandidateResult]:
        """The candidates that were measured."""
        return results(self.build_objective() if replicated(self.trials) else None, self.trials)

    @property
    def regrets(self) -> list[RegretEstimate | None]:
        """The regret estimates after the completed trials that the campaign holds for."""
        return [trial.regret for trial in self.completed if trial.number >= self.first]


def rule_progress(rule: StoppingRuleConfig, given: RuleInputs) -> RuleProgress:
    """Return how far a rule is."""
    match rule:
        case TargetRuleConfig():
            return _target(rule, given)
        case NoBetterRuleConfig():
            return _no_better(rule, given)
        case HypervolumeRuleConfig():
            return _hypervolume(rule, given)
        case StagnationRuleConfig():
            return _stagnation(rule, given)
        case _:
            assert_never(rule)


def _target(rule: TargetRuleConfig, given: RuleInputs) -> RuleProgress:
    """Return whether a trial is sure enough to have reached the target; before a model says so, by its measurement."""
    text = f"a trial has reached the target score {rule.score:g} with probability {rule.confidence:g}"
    done = given.completed
    regret = done[-1].regret if done and done[-1].number >= given.first else None
    estimated = [(number, p) for score, number, p in regret.reached if score == rule.score] if regret else []
    found = estimated[0] if estimated else _by_reading(rule.score, best(given.results))
    if found is None:
        return RuleProgress(text, _NO_CANDIDATE)
    number, probability = found
    so_far = f"trial {number} with probability {probability:.3g}"
    if probability < rule.confidence:
        return RuleProgress(text, so_far)
    reason = f"trial {number} has reached the target score {rule.score:g} with probability {probability:.3g}"
    return RuleProgress(text, so_far, f"{reason}; {rule.confidence:g} is enough")


def _by_reading(target: float, found: CandidateResult | None) -> tuple[int, float] | None:
    """Return the first trial of the best candidate, and how probably it reaches a score by its readings alone."""
    if found is None or found.score is None:
        return None
    if not found.score_sd:
        return found.number, float(found.score >= target)
    return found.number, 0.5 * math.erfc((target - found.score) / (math.sqrt(2.0) * found.score_sd))


def _no_better(rule: NoBetterRuleConfig, given: RuleInputs) -> RuleProgress:
    """Return whether a better candidate was unlikely to exist after each of the latest trials."""
    least = rule.improvement
    text = (
        f"a candidate better than the best by more than {least:g} exists with a probability below "
        f"{rule.probability:g}, after each of {_TIMES} trials"
    )
    latest = given.regrets[-_TIMES:]
    known = [(one, dict(one.better)[least]) for one in latest if one is not None and least in dict(one.better)]
    if not known:
        return RuleProgress(text, "no estimate, as no model has chosen a candidate yet")
    shown = ", ".join(f"{chance:.2g}" for _, chance in known)
    so_far = f"probability {shown} after the last {counted(len(known), 'trial')}"
    if len(known) < _TIMES or max(chance for _, chance in known) >= rule.probability:
        return RuleProgress(text, so_far)
    regret = known[-1][0]
    reason = (
        f"a candidate better than trial {regret.incumbent} by more than {least:g} is unlikely to exist: probability "
        f"{shown} after the last {_TIMES} trials; expected gain {_gain_text(regret, given.build_objective())}"
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


def _hypervolume(rule: HypervolumeRuleConfig, given: RuleInputs) -> RuleProgress:
    """Return whether the front dominates the volume."""
    text = f"the front dominates a volume of {number_text(rule.reaches, 6)}"
    found = front(given.build_objective(), given.trials)
    if not found.candidates:
        return RuleProgress(text, _NO_CANDIDATE)
    so_far = number_text(found.volume)
    if found.volume < rule.reaches:
        return RuleProgress(text, so_far)
    reason = f"the front dominates {so_far} and has reached the volume {number_text(rule.reaches, 6)}"
    return RuleProgress(text, so_far, reason)


def _stagnation(rule: StagnationRuleConfig, given: RuleInputs) -> RuleProgress:
    """Return for how many trials nothing has improved."""
    nothing = "no improvement" + (f" by more than {rule.improvement:g}" if rule.improvement else "")
    text = f"{nothing} in {rule.trials} trials"
    done = given.completed
    since, value = _since_improvement(_objective_values(given), [t.imported for t in done], rule.improvement)
    if value is None:
        return RuleProgress(text, _NO_CANDIDATE)
    since = min(since, sum(t.number >= given.first and not t.imported for t in done))
    so_far = f"{since} of {rule.trials} trials, on {number_text(value)}"
    if since < rule.trials:
        return RuleProgress(text, so_far)
    return RuleProgress(text, so_far, f"{nothing} on {number_text(value)} in {since} trials")


def _objective_values(given: RuleInputs) -> list[float | None]:
    """Return what may improve, after each completed trial.

    It is the pooled score of the trial's candidate if feasible, the volume below the front, or how many candidates
    above the threshold were found, where many are wanted. Another reading of a candidate is no improvement by itself.
    """
    done, find = given.completed, given.find
    if isinstance(find, FindParetoConfig):
        return [volume or None for volume in volumes(given.build_objective(), done)]
    of = by_trial(given.results)
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
