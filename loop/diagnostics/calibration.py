"""How good the predictions were: what was predicted before a measurement against what was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from campaigns.values import MetricValue
from loop.core.formatting import format_uncertain
from loop.core.records import TrialRecord
from loop.core.trial_selection import learnable

LEVELS = (0.5, 0.8, 0.95)
"""The central intervals that are counted."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A metric of one trial, predicted and then measured, both in the same unit."""

    trial: TrialRecord
    predicted: MetricValue
    measured: MetricValue

    @property
    def deviation(self) -> float:
        """Measured minus predicted in units of the standard deviation of that difference."""
        sd = math.hypot(self.predicted.sd, self.measured.sd)
        gap = self.measured.value - self.predicted.value
        return gap / sd if sd > 0 else math.copysign(math.inf, gap) if gap else 0.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its standard error."""

    value: float
    se: float


def metric_pairs(trials: Sequence[TrialRecord], metric: str) -> list[Pair]:
    """Return the trials whose metric was predicted and measured, in the order in which they ended."""
    found = [
        Pair(t, t.proposal.predictions[metric], t.metrics[metric])
        for t in learnable(trials)
        if metric in t.metrics and metric in t.proposal.predictions
    ]
    return [pair for pair in found if pair.predicted.finite and pair.measured.finite]


def score_pairs(trials: Sequence[TrialRecord]) -> list[Pair]:
    """Return the completed trials whose score was predicted."""
    found = [
        Pair(t, MetricValue(*t.proposal.score, "points"), MetricValue(t.score, t.score_sd or 0.0, "points"))
        for t in trials
        if t.proposal.score is not None and t.score is not None
    ]
    return [pair for pair in found if pair.predicted.finite and pair.measured.finite]


def coverage(pairs: Sequence[Pair], level: float) -> Estimate | None:
    """Return the share of measurements inside the central ``level`` interval of their prediction; None without pairs.

    The interval is that of a normal distribution with the variances of prediction and measurement added; the standard
    error is the binomial one that perfect predictions would have.
    """
    if not pairs:
        return None
    reach = NormalDist().inv_cdf(0.5 + level / 2)
    inside = sum(abs(pair.deviation) <= reach for pair in pairs)
    return Estimate(inside / len(pairs), math.sqrt(level * (1 - level) / len(pairs)))


def rank_correlation(pairs: Sequence[Pair]) -> Estimate | None:
    """Return Spearman's rank correlation of predicted and measured; None below four pairs or when one is constant.

    Its standard error is that of Bonett & Wright 2000, Psychometrika 65, 23, brought back from Fisher's z.
    """
    predicted, measured = (ranks([getattr(pair, side).value for pair in pairs]) for side in ("predicted", "measured"))
    if len(pairs) < 4 or np.ptp(predicted) == 0 or np.ptp(measured) == 0:
        return None
    r = float(np.corrcoef(predicted, measured)[0, 1])
    return Estimate(r, (1 - r * r) * math.sqrt((1 + r * r / 2) / (len(pairs) - 3)))


def calibration_summary(pairs: Sequence[Pair]) -> str:
    """Return in words how often the intervals held and how well the order was predicted."""
    held = [f"{100 * found.value:.0f}" for level in LEVELS if (found := coverage(pairs, level))]
    levels = " / ".join(f"{100 * level:.0f}" for level in LEVELS)
    r = rank_correlation(pairs)
    order = "too few to rank" if r is None else f"rank correlation {format_uncertain(r.value, r.se)}"
    return f"{levels} % intervals contain {' / '.join(held)} % of {len(pairs)}; {order}"


def ranks(values: ArrayLike) -> NDArray[np.float64]:
    """Return the rank of each number, from 1; equal numbers share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(np.cumsum(counts) - 0.5 * (counts - 1))[place]
