"""Which outcome constraints a candidate breaks, or probably breaks, with its values."""

from __future__ import annotations

import math

from campaigns.objective import Bound, Objective
from campaigns.values import MetricValue
from loop.core.candidate_results import CandidateResult
from loop.core.formatting import metric_text
from loop.core.proposals import Proposal
from loop.core.records import TrialRecord

LIKELY = 0.5
"""Probability of being feasible below which a candidate probably breaks a constraint: more likely so than not. Such a
candidate is not called the best by the models."""


def broken_text(objective: Objective, one: TrialRecord | CandidateResult) -> str:
    """Return the outcome constraints that a trial or a candidate breaks, each with the value; empty if none."""
    if one.feasible is not False:
        return ""
    broken = (bound for bound in objective.bounds if bound.slack(one.metrics[bound.metric].value) < 0)
    return ", ".join(f"{bound.text} (got {metric_text(one.metrics[bound.metric])})" for bound in broken)


def doubtful_text(objective: Objective, proposal: Proposal) -> str:
    """Return the outcome constraints that a proposed candidate probably breaks by the models; empty if none.

    They are those that are more likely broken than kept; where only all together are so, the least likely one.
    """
    if proposal.feasibility is None or proposal.feasibility >= LIKELY:
        return ""
    predicted = proposal.predictions
    chances = [
        (_probability(bound, predicted[bound.metric]), bound.text)
        for bound in objective.bounds
        if bound.metric in predicted
    ]
    least = min(chances, default=(0.0, ""))[0]
    return ", ".join(probability_text(text, p) for p, text in chances if p < LIKELY or p == least)


def probability_text(constraint: str, probability: float) -> str:
    """Return an outcome constraint with the probability that it is kept."""
    return f"{constraint} with probability {probability:.2g}"


def _probability(bound: Bound, predicted: MetricValue) -> float:
    """Return the probability that a normally distributed value keeps a bound."""
    slack = bound.slack(predicted.value)
    if not predicted.sd:
        return float(slack >= 0)
    return 0.5 * math.erfc(-slack / (math.sqrt(2.0) * predicted.sd))
