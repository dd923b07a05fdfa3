"""What makes a candidate good, term by term: its points, their share of the score, and the trade-offs between terms."""

from __future__ import annotations

from dataclasses import dataclass

from campaigns.objective import Objective, Term, TermConfig
from campaigns.values import MetricValue
from loop.core.candidate_results import CandidateResult
from loop.core.records import TrialRecord


@dataclass(frozen=True, slots=True)
class TermContribution:
    """What one term gives to the score of one trial or candidate.

    Attributes:
        metric: the term's metric; of a candidate, pooled.
        weight: weight of the term over the sum of all weights.
        points: points of the term; their uncertainty is that of the metric, propagated.
        contribution: points times weight; the contributions of all terms add up to the score.
    """

    term: Term
    metric: MetricValue
    weight: float
    points: MetricValue
    contribution: MetricValue


def term_contributions(objective: Objective, one: TrialRecord | CandidateResult) -> list[TermContribution]:
    """Return the share of every term in the score of a trial, or in the pooled score of a candidate."""
    total = sum(term.weight for term in objective.terms)
    return [_share(term, one.metrics[term.metric], term.weight / total) for term in objective.terms]


def term_label(term: Term | TermConfig) -> str:
    """Return the name of a term, such as ``maximise capacity`` or ``desirable density``."""
    return f"{term.goal} {term.metric}"


def _share(term: Term, metric: MetricValue, weight: float) -> TermContribution:
    centre = float(term.points(metric.value)) + 0.0  # inside its window a target gives -0.0
    # Both sides: at the edge of a target window only one of them moves.
    sd = max(abs(float(term.points(metric.value + step)) - centre) for step in (-metric.sd, metric.sd))
    return TermContribution(
        term, metric, weight, MetricValue(centre, sd, "points"), MetricValue(centre * weight, sd * weight, "points")
    )
