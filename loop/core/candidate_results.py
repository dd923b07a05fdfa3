"""What is known of a candidate, however often it was measured: replicates are one candidate.

Pure functions of records, without torch, so that ``athanor status`` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

from campaigns.objective import Objective
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.records import TrialRecord
from loop.core.trial_selection import completed

_NAMED = 4  # trials of a candidate that are named before the rest is counted


@dataclass(frozen=True, slots=True)
class CandidateResult:
    """A candidate that was measured, with its pooled values.

    Attributes:
        trials: its completed trials, in the order in which they were completed, suspected outliers among them.
        readings: those whose measurements are pooled: all but suspected outliers, unless there is nothing else.
        metrics: metric to the mean of the readings and its standard error, computed and derived metrics included;
            empty of several suspected outliers, whose mean would say nothing.
        score, score_sd: the objective's value of the pooled metrics, and its standard error; None where a metric lacks.
        feasible: whether the pooled metrics keep all outcome constraints; None where a metric lacks.
        outlier: why it is a suspected outlier, if all of its readings are; empty otherwise.
    """

    candidate: Candidate
    trials: tuple[TrialRecord, ...]
    readings: tuple[TrialRecord, ...]
    metrics: Mapping[str, MetricValue]
    score: float | None
    score_sd: float | None
    feasible: bool | None
    outlier: str = ""

    @property
    def number(self) -> int:
        """Number of its first reading, by which it can be asked for."""
        return self.readings[0].number

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of its readings."""
        return tuple(trial.number for trial in self.readings)

    @property
    def values(self) -> dict[str, float]:
        """Metric to pooled value, without standard errors."""
        return {name: metric.value for name, metric in self.metrics.items()}

    @property
    def disputed(self) -> bool:
        """Whether it has several readings, all of them suspected outliers, which are not pooled."""
        return bool(self.outlier) and len(self.readings) > 1

    @property
    def state(self) -> TrialState:
        """Completed, as a candidate without a completed trial has no result."""
        return TrialState.COMPLETED

    @property
    def eligible(self) -> bool:
        """Whether it may be the best: feasible, with a score, and no suspected outlier."""
        return self.score is not None and bool(self.feasible) and not self.outlier

    @property
    def named(self) -> str:
        """Return the numbers of its readings, such as ``3, 7``; of many, the first ones."""
        rest = len(self.readings) - _NAMED
        return ", ".join(map(str, self.numbers[:_NAMED])) + (f" and {rest} more" if rest > 0 else "")

    @property
    def label(self) -> str:
        """Return ``trial 3``, or ``trials 3, 7 (n = 2)`` of a candidate that was measured several times."""
        n = len(self.readings)
        return f"trial {self.number}" if n == 1 else f"trials {self.named} (n = {n})"


def results(objective: Objective | None, trials: Iterable[TrialRecord]) -> list[CandidateResult]:
    """Return every candidate with a completed trial, in the order in which they were first completed.

    Args:
        objective: the current one, by which the trials are scored, too; None where no candidate was measured several
            times.
        trials: whatever their states.
    """
    groups: dict[tuple[object, ...], list[TrialRecord]] = {}
    for trial in completed(trials):
        groups.setdefault(trial.candidate.key(), []).append(trial)
    return [_result(objective, group) for group in groups.values()]


def replicated(trials: Iterable[TrialRecord]) -> bool:
    """Return whether any candidate was measured several times, so that its score is worked out anew."""
    keys = [trial.candidate.key() for trial in completed(trials)]
    return len(set(keys)) < len(keys)


def best(found: Iterable[CandidateResult]) -> CandidateResult | None:
    """Return the feasible candidate with the highest pooled score that is no suspected outlier, or None."""
    good = [one for one in found if one.eligible]
    return max(good, key=lambda one: (one.score, -one.number), default=None)


def ranking(found: Iterable[CandidateResult]) -> list[CandidateResult]:
    """Return the candidates with a score by falling pooled score: feasible ones first, suspected outliers last."""
    scored = [one for one in found if one.score is not None]
    return sorted(scored, key=lambda one: (bool(one.outlier), not one.feasible, -(one.score or 0.0), one.number))


def listing(found: Iterable[CandidateResult]) -> list[CandidateResult]:
    """Return the ranking, and behind it the candidates whose readings are not pooled, as all are suspected outliers."""
    known = list(found)
    return [*ranking(known), *(one for one in known if one.disputed)]


def by_trial(found: Iterable[CandidateResult]) -> dict[int, CandidateResult]:
    """Return the number of each completed trial to the result of its candidate."""
    return {trial.number: one for one in found for trial in one.trials}


def pooled(readings: Sequence[MetricValue]) -> MetricValue:
    """Return the mean of some readings of a metric, with its standard error.

    It is the larger of what the scatter of the readings and what their own uncertainties say (the external and the
    internal consistency of Birge 1932, Phys. Rev. 40, 207): s / sqrt(n) (GUM, JCGM 100:2008, 4.2.3), and the propagated
    uncertainty of the mean, sqrt(sum of sd squared) / n (GUM 5.1.2).
    """
    count = len(readings)
    scatter = stdev(reading.value for reading in readings) / math.sqrt(count) if count > 1 else 0.0
    propagated = math.hypot(*(reading.sd for reading in readings)) / count
    return MetricValue(fmean(reading.value for reading in readings), max(scatter, propagated), readings[0].unit)


def _result(objective: Objective | None, trials: Sequence[TrialRecord]) -> CandidateResult:
    """Return the result of the completed trials of one candidate."""
    readings = [trial for trial in trials if not trial.outlier] or trials
    outlier = "; ".join(dict.fromkeys(t.outlier for t in readings if t.outlier))
    if outlier and len(readings) > 1:
        return CandidateResult(readings[0].candidate, tuple(trials), tuple(readings), {}, None, None, None, outlier)
    first = readings[0]
    alone = (first.metrics, first.score, first.score_sd, first.feasible)
    known = alone if objective is None or len(readings) == 1 else _pooled(objective, readings)
    return CandidateResult(first.candidate, tuple(trials), tuple(readings), *known, outlier)


def _pooled(
    objective: Objective, readings: Sequence[TrialRecord]
) -> tuple[Mapping[str, MetricValue], float | None, float | None, bool | None]:
    """Return the metrics of several readings, the score with its standard error, and whether the constraints hold."""
    names = dict.fromkeys(name for t in readings for name in t.metrics if name not in objective.derived)
    basic = {name: pooled([t.metrics[name] for t in readings if name in t.metrics]) for name in names}
    values = objective.complete({name: metric.value for name, metric in basic.items()})
    sds = objective.sds(values, {name: metric.sd for name, metric in basic.items()})
    metrics = {name: basic.get(name) or MetricValue(v, sds[name], objective.units[name]) for name, v in values.items()}
    if not objective.needed <= values.keys():
        return metrics, None, None, None
    return metrics, float(objective.score(values)), objective.score_sd(values, sds), objective.feasible(values)
