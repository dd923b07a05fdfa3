"""The front of a campaign: candidates that none beats in one term without losing in another, and the volume below it.

Pure functions of records, without torch, so that ``athanor status`` answers at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from campaigns.campaign import Campaign
from campaigns.objective import FindParetoConfig, Objective
from loop.core.candidate_results import CandidateResult, by_trial, results
from loop.core.records import TrialRecord

Point = tuple[float, ...]

_MARGIN = 0.1
"""Share of a metric's range by which the reference point lies beyond its worst value: the scale of BoTorch's
``infer_reference_point``, which Ishibuchi, Akedo and Nojima 2011 (Proc. GECCO) find robust."""
_ENOUGH = 10
"""Candidates from whose range the extent of a front is estimated. Not tuned: the more, the worse the reference point;
with fewer, the range of two axes rests on single measurements."""


@dataclass(frozen=True, slots=True)
class Front:
    """The best compromises of a campaign so far.

    Attributes:
        candidates: the feasible candidates that no other dominates by its pooled values, best in the first term first;
            no suspected outlier.
        metrics: metrics of the terms, in their order, each once.
        reference: points of each term from which the volume is measured; empty without a feasible candidate.
        volume: what the front dominates above the reference, a product of points.
    """

    candidates: tuple[CandidateResult, ...]
    metrics: tuple[str, ...]
    reference: tuple[float, ...]
    volume: float

    @property
    def numbers(self) -> frozenset[int]:
        """Numbers of the readings of the front's candidates."""
        return frozenset(number for one in self.candidates for number in one.numbers)


def some(found: Sequence[CandidateResult], count: int) -> list[CandidateResult]:
    """Return at most ``count`` candidates of a front, from end to end."""
    if len(found) <= count:
        return list(found)
    return [found[round(i * (len(found) - 1) / (count - 1))] for i in range(count)]


def wants_front(campaign: Campaign) -> bool:
    """Return whether a campaign looks for a front."""
    return isinstance(campaign.objective.find, FindParetoConfig)


def axes_of(campaign: Campaign) -> tuple[str, ...]:
    """Return the metrics between which a front is looked for, each once; none in other campaigns."""
    return tuple(dict.fromkeys(t.metric for t in campaign.objective.terms)) if wants_front(campaign) else ()


def front_of(campaign: Campaign, trials: Sequence[TrialRecord]) -> Front | None:
    """Return the front of a campaign's trials; None where the campaign does not look for one."""
    return front(campaign.build_objective(), trials) if wants_front(campaign) else None


def front(objective: Objective, trials: Sequence[TrialRecord]) -> Front:
    """Return the front of the candidates of some trials, whatever their states."""
    good = [one for one in results(objective, trials) if one.eligible]
    points = {one.number: axes(objective, one) for one in good}
    best = [one for one in good if not any(dominates(points[o.number], points[one.number]) for o in good)]
    best.sort(key=lambda one: (tuple(-x for x in points[one.number]), one.number))
    reference = reference_point(list(points.values()), objective)
    volume = hypervolume([points[one.number] for one in best], reference)
    metrics = tuple(dict.fromkeys(term.metric for term in objective.terms))
    return Front(tuple(best), metrics, reference, volume)


def volumes(objective: Objective, trials: Sequence[TrialRecord]) -> list[float]:
    """Return what the front dominated after each of the trials, from the reference of all of them.

    A candidate counts from its first reading on, with the values that all of its readings give by now: the last volume
    is that of the front.
    """
    reference, of = front(objective, trials).reference, by_trial(results(objective, trials))
    seen: set[int] = set()
    known: list[Point] = []
    found: list[float] = []
    for trial in trials:
        more = 0.0
        one = of.get(trial.number)
        if one is not None and one.eligible and trial.number in one.numbers and one.number not in seen:
            seen.add(one.number)
            point = axes(objective, one)
            more = _exclusive(point, known, reference)
            known = _undominated([*known, point])
        found.append((found[-1] if found else 0.0) + more)
    return found


def dominates(one: Point, other: Point) -> bool:
    """Return whether one candidate is at least as good as another in every term, and better in one; more is better.

    BoTorch's ``is_non_dominated`` says the same of tensors.
    """
    pairs = list(zip(one, other, strict=True))
    return all(a >= b for a, b in pairs) and any(a > b for a, b in pairs)


def axes(objective: Objective, one: CandidateResult) -> tuple[float, ...]:
    """Return a candidate's points of each term."""
    return tuple(float(x) for x in objective.points(one.values))


def reference_point(points: Sequence[Point], objective: Objective) -> Point:
    """Return the points from which the volume below a front is measured: those given, else found from what is known.

    What is found lies a tenth of the front's range below its worst (Ishibuchi et al. 2011, Proc. GECCO, 745), of one
    point where it has no range. A front of few points would hide its own ends by that: as many candidates behind it, by
    how many beat them, count as make ten.

    Args:
        points: of all feasible candidates.
        objective: tells which are given.
    """
    if not points:
        return ()
    depths = [sum(dominates(other, point) for other in points) for point in points]
    deepest = sorted(depths)[:_ENOUGH][-1]
    near = [point for point, depth in zip(points, depths, strict=True) if depth <= deepest]
    ranges = [(min(values), max(values)) for values in zip(*near, strict=True)]
    found = [low - _MARGIN * (high - low or 1.0) for low, high in ranges]
    return tuple(x if given is None else given for x, given in zip(found, objective.references, strict=True))


def hypervolume(points: Sequence[Point], reference: Point) -> float:
    """Return the volume between the reference and some points: two axes by a sweep, more point by point.

    While, Bradstreet & Barone 2012, IEEE Trans. Evol. Comput. 16, 86.
    """
    above = _undominated([p for p in points if all(x > r for x, r in zip(p, reference, strict=True))])
    if len(reference) == 2:
        return _area(above, reference)
    return sum(_exclusive(point, above[:i], reference) for i, point in enumerate(above))


def _area(points: Sequence[Point], reference: Point) -> float:
    total, floor = 0.0, reference[1]
    for x, y in sorted(points, reverse=True):
        total += (x - reference[0]) * max(y - floor, 0.0)
        floor = max(y, floor)
    return total


def _exclusive(point: Point, others: Sequence[Point], reference: Point) -> float:
    """Return the volume that only one point dominates."""
    sides = [max(x - r, 0.0) for x, r in zip(point, reference, strict=True)]
    if not all(sides):
        return 0.0
    within = [tuple(min(a, b) for a, b in zip(point, other, strict=True)) for other in others]
    return max(math.prod(sides) - hypervolume(within, reference), 0.0)


def _undominated(points: Sequence[Point]) -> list[Point]:
    kept: list[Point] = []
    for point in sorted({tuple(p) for p in points}, reverse=True):
        if not any(dominates(other, point) for other in kept):
            kept.append(point)
    return kept
