"""What a metric's model predicted and what was then measured, in the order in which it was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from loop.core.records import TrialRecord
from loop.diagnostics.calibration import Pair, metric_pairs

REACH = NormalDist().inv_cdf(0.975)
"""Standard deviations within which 95 % of all measurements are expected."""
ROBUST = 0.8
"""Level at which it is told by what standard deviations had to be multiplied: a fifth of predictions may be wild.

Not tuned: one of the three levels that reports show, low enough for half a window of five to determine it."""
_ROBUST_REACH = NormalDist().inv_cdf(0.5 + ROBUST / 2)
_MOST = 10.0
"""Largest factor of standard deviations. Not tuned: beyond it a model says nothing that the spread of the measurements
does not say, and one wild reading may not make all predictions as wide."""


@dataclass(frozen=True, eq=False)
class PredictionHistory:
    """The n predictions of one metric in the order in which they were measured.

    Attributes:
        order: n, the place of each among the completed trials.
        known: n, how many trials were completed when it was made; the models learn in that order.
        means: mean of the metric's prediction over the first k completed trials, for k from 0.
    """

    pairs: Sequence[Pair]
    order: NDArray[np.int64]
    known: NDArray[np.int64]
    means: NDArray[np.float64]
    metric: str

    @classmethod
    def of(cls, done: Sequence[TrialRecord], metric: str, outliers: frozenset[int]) -> PredictionHistory:
        pairs = [p for p in metric_pairs(done, metric) if p.trial.number not in outliers]
        known = [metric in t.metrics and t.number not in outliers for t in done]
        values = np.array([t.metrics[metric].value if k else np.nan for t, k in zip(done, known, strict=True)])
        there = np.isfinite(values)
        means = np.cumsum(np.where(there, values, 0.0)) / np.maximum(np.cumsum(there), 1)
        return cls(
            pairs,
            np.array([p.trial.completed_order for p in pairs], dtype=np.int64),
            np.array([len(p.trial.proposal.learnt_from) for p in pairs], dtype=np.int64),
            np.concatenate([[np.nan], means]),
            metric,
        )

    @cached_property
    def gap(self) -> NDArray[np.float64]:
        return np.array([abs(p.measured.value - p.predicted.value) for p in self.pairs])

    @cached_property
    def noise(self) -> NDArray[np.float64]:
        return np.array([p.measured.sd for p in self.pairs])

    @cached_property
    def raw_sd(self) -> NDArray[np.float64]:
        """What the model itself claimed."""
        return np.array([p.predicted.sd / stored_factor(p.trial, self.metric) for p in self.pairs])

    @cached_property
    def raw_missed(self) -> NDArray[np.bool_]:
        """Whether each measurement lies outside the interval that the model itself claimed."""
        return self.gap > REACH * np.hypot(self.raw_sd, self.noise)

    @cached_property
    def needed(self) -> NDArray[np.float64]:
        """By what each standard deviation would have had to be multiplied for its 80 % interval to hold."""
        excess = np.sqrt(np.maximum(np.square(self.gap / _ROBUST_REACH) - np.square(self.noise), 0.0))
        return np.minimum(excess / np.maximum(self.raw_sd, 1e-300), _MOST)

    @cached_property
    def place(self) -> dict[int, int]:
        """Trial to its place among the completed trials."""
        return {p.trial.number: int(at) for p, at in zip(self.pairs, self.order, strict=True)}

    @cached_property
    def missed(self) -> NDArray[np.bool_]:
        """Whether each measurement lies outside the interval that was used."""
        return np.array([abs(p.deviation) > REACH for p in self.pairs])

    def no_better_than_mean(self, places: NDArray[np.int64]) -> bool:
        """Return whether these predictions deviate as much as the mean of what was measured before they were made."""
        known = np.minimum(self.known[places], len(self.means) - 1)
        guessed = np.array([self.pairs[i].measured.value for i in places]) - self.means[known]
        return bool(np.square(self.gap[places]).sum() >= np.square(guessed).sum())


def stored_factor(trial: TrialRecord, metric: str) -> float:
    """Return what the standard deviation of a trial's prediction had been multiplied by; 1 where nothing is stored."""
    return float(trial.proposal.models.get(metric, {}).get("health", {}).get("sd_factor", 1.0))
