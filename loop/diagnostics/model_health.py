"""Whether a metric's model still predicts: a fold over the trials, so that a campaign taken up again knows the same.

Only predictions that were made before their measurement count. A model goes through these states:

- *healthy* until too few of the latest measurements lie inside their 95 % interval; then
- *recalibrated*: its standard deviations are multiplied by a factor, estimated anew after every measurement; back to
  healthy when the latest predictions would have been honest without it;
- *simple*, for good, when half a window of predictions made since the recalibration is still covered too rarely, or is
  ordered badly while being no better than the mean of what was measured before.

Rank correlation alone condemns no model, because an optimiser looks at the few candidates that look alike, the best
ones, and nothing orders these well; a useless model is one that also predicts no better than a constant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from campaigns.surrogate import HealthConfig
from loop.core.records import TrialRecord
from loop.core.trial_selection import learnable
from loop.diagnostics.calibration import LEVELS, Pair, coverage, rank_correlation
from loop.diagnostics.prediction_history import ROBUST, PredictionHistory


class HealthState(StrEnum):
    """The states, from the best to the worst."""

    HEALTHY = "healthy"
    RECALIBRATED = "recalibrated"
    FALLBACK = "simple"


@dataclass(frozen=True, slots=True)
class Figures:
    """How good some predictions were.

    Attributes:
        predictions: how many.
        coverage: shares inside the 50, 80 and 95 % interval, with the standard deviations as they were used.
        rank: Spearman's rank correlation of predicted and measured values; None where there is none.
        rmsd: root-mean-square deviation, in the metric's unit.
    """

    predictions: int
    coverage: tuple[float, ...]
    rank: float | None
    rmsd: float


@dataclass(frozen=True, slots=True)
class HealthChange:
    """A change of state.

    Attributes:
        trial: number of the trial whose measurement caused it.
        state: the state from then on.
        reason: why, in words.
        figures: of the predictions that were tested.
    """

    trial: int
    state: HealthState
    reason: str
    figures: Figures

    @property
    def text(self) -> str:
        """What happened and why, in one line."""
        match self.state:
            case HealthState.HEALTHY:
                return f"the intervals of the model hold again: {self.reason}"
            case HealthState.RECALIBRATED:
                return f"the model is recalibrated: {self.reason}"
            case HealthState.FALLBACK:
                return f"the model is dropped for one on simple features: {self.reason}"


@dataclass(frozen=True, slots=True)
class MetricHealth:
    """The health of one metric's model.

    Attributes:
        state: as of now.
        sd_factor: what the standard deviations of its predictions have to be multiplied by, at least 1.
        figures: of the latest predictions; None before the first one is measured.
        transitions: every change of the state, oldest first.
    """

    state: HealthState = HealthState.HEALTHY
    sd_factor: float = 1.0
    figures: Figures | None = None
    transitions: tuple[HealthChange, ...] = ()

    def describe(self) -> dict[str, Any]:
        """Return it as JSON values, to be kept with a proposal as ``models[metric]["health"]``."""
        return {
            "state": str(self.state),
            "sd_factor": self.sd_factor,
            "figures": None if self.figures is None else _plain(self.figures),
            "transitions": [
                {"trial": c.trial, "state": str(c.state), "reason": c.reason, "figures": _plain(c.figures)}
                for c in self.transitions
            ],
        }

    @classmethod
    def read(cls, described: Mapping[str, Any]) -> Self:
        """Return what ``describe`` was called on."""
        figures = described["figures"]
        changes = (
            HealthChange(c["trial"], HealthState(c["state"]), c["reason"], _figures(c["figures"]))
            for c in described["transitions"]
        )
        known = None if figures is None else _figures(figures)
        return cls(HealthState(described["state"]), described["sd_factor"], known, tuple(changes))


def health(
    config: HealthConfig, trials: Sequence[TrialRecord], outliers: Mapping[str, frozenset[int]], droppable: bool = True
) -> dict[str, MetricHealth]:
    """Return the health of each metric's model after the trials; earlier trials' changes never depend on later ones.

    Args:
        config: window and thresholds.
        trials: in any order; those without measurement or prediction change nothing.
        outliers: measured metric to the numbers of its suspected outliers, which count for nothing.
        droppable: whether there is a model on simple features to fall back to; else recalibrated is the last state.
    """
    done = learnable(trials)
    return {
        name: _fold(config, PredictionHistory.of(done, name, without), droppable) for name, without in outliers.items()
    }


def changes(before: Mapping[str, MetricHealth], after: Mapping[str, MetricHealth]) -> list[tuple[str, HealthChange]]:
    """Return what changed between two calls of ``health``, with the metric: earlier changes are never revised."""
    known = {name: len(before[name].transitions) if name in before else 0 for name in after}
    return [(name, change) for name, found in after.items() for change in found.transitions[known[name] :]]


def figures_of(pairs: Sequence[Pair]) -> Figures:
    """Return how good predictions were; at least one."""
    shares = tuple(found.value for level in LEVELS if (found := coverage(pairs, level)))
    rank = rank_correlation(pairs)
    gaps = [p.measured.value - p.predicted.value for p in pairs]
    return Figures(len(pairs), shares, None if rank is None else rank.value, float(np.sqrt(np.mean(np.square(gaps)))))


def _fold(config: HealthConfig, track: PredictionHistory, droppable: bool) -> MetricHealth:
    found = MetricHealth()
    for now in range(len(track.pairs)):
        found = _step(_WindowTest(config, track, now, droppable), found)
    latest = track.pairs[-config.window :]
    return replace(found, figures=figures_of(latest)) if latest else found


@dataclass(frozen=True, slots=True)
class _WindowTest:
    """What is known once prediction ``now`` is measured."""

    config: HealthConfig
    track: PredictionHistory
    now: int
    droppable: bool

    @property
    def half(self) -> int:
        """Half a window."""
        return (self.config.window + 1) // 2

    def window(self, first: int = 0) -> NDArray[np.int64]:
        """Return the places of the latest predictions, from ``first`` on."""
        return np.arange(max(first, self.now + 1 - self.config.window), self.now + 1)

    def since(self, change: HealthChange) -> NDArray[np.int64]:
        """Return the places of the latest predictions that were made in knowledge of a change."""
        made = self.track.known[: self.now + 1] > self.track.place[change.trial]
        return np.flatnonzero(made)[-self.config.window :]

    def dishonest(self, places: NDArray[np.int64]) -> bool:
        """Return whether the model claims too much; predictions that the window still lacks count as good."""
        return self.too_many(int(self.track.raw_missed[places].sum()), self.config.window)

    def too_many(self, missed: int, count: int) -> bool:
        """Return whether so many of ``count`` intervals may not miss."""
        return missed > (1 - self.config.coverage) * count + 1e-9

    def factor(self, places: NDArray[np.int64]) -> float:
        """Return the factor for the model's standard deviations that makes the 80 % interval hold 80 %, at least 1.

        It is the larger of those for all places and for their latest half window, so that it catches up at once with a
        model that has just gone bad. A quantile of the factors that each prediction would have needed: a fifth of them
        may be wild without any effect (split conformal prediction: Lei et al. 2018, J. Am. Stat. Assoc. 113, 1094).
        """
        needed = self.track.needed[places].tolist()
        return max([1.0, *(_quantile(part) for part in (needed, needed[-self.half :]) if part)])

    def change(self, state: HealthState, reason: str, places: NDArray[np.int64]) -> HealthChange:
        """Return a change of the state, now."""
        pairs = [self.track.pairs[i] for i in places]
        return HealthChange(self.track.pairs[self.now].trial.number, state, reason, figures_of(pairs))


def _step(test: _WindowTest, found: MetricHealth) -> MetricHealth:
    """Return the health after one more measurement."""
    match found.state:
        case HealthState.HEALTHY:
            return _while_healthy(test, found)
        case HealthState.RECALIBRATED:
            return _while_recalibrated(test, found)
        case HealthState.FALLBACK:
            places = test.since(found.transitions[-1])
            stretch = found.sd_factor > 1 or test.dishonest(places)
            return replace(found, sd_factor=test.factor(places) if stretch else 1.0)


def _while_healthy(test: _WindowTest, found: MetricHealth) -> MetricHealth:
    places = test.window()
    if not test.dishonest(places):
        return found
    missed, factor = int(test.track.raw_missed[places].sum()), test.factor(places)
    reason = (
        f"{missed} of the latest {len(places)} measurements lie outside their 95 % interval; "
        f"standard deviations are multiplied by {factor:.2g} for now"
    )
    change = test.change(HealthState.RECALIBRATED, reason, places)
    return replace(found, state=change.state, sd_factor=factor, transitions=(*found.transitions, change))


def _while_recalibrated(test: _WindowTest, found: MetricHealth) -> MetricHealth:
    since = test.since(found.transitions[-1])
    if test.droppable and len(since) >= test.half and (reason := _still_bad(test, since)):
        change = test.change(HealthState.FALLBACK, reason, since)
        return replace(found, state=change.state, sd_factor=1.0, transitions=(*found.transitions, change))
    places = test.window()
    factor = test.factor(places)
    if factor > 1 or test.dishonest(places):
        return replace(found, sd_factor=factor)
    reason = f"the latest {len(places)} predictions needed no wider intervals"
    change = test.change(HealthState.HEALTHY, reason, places)
    return replace(found, state=change.state, sd_factor=1.0, transitions=(*found.transitions, change))


def _still_bad(test: _WindowTest, since: NDArray[np.int64]) -> str:
    """Return why recalibration did not help; nothing if it did."""
    missed = int(test.track.missed[since].sum())
    if test.too_many(missed, len(since)):
        return f"{missed} of {len(since)} measurements lie outside their 95 % interval even after recalibration"
    rank = rank_correlation([test.track.pairs[i] for i in since])
    order = 0.0 if rank is None else rank.value
    if order >= test.config.rank or not test.track.no_better_than_mean(since):
        return ""
    return (
        f"the rank correlation of {len(since)} predictions since its recalibration is {order:.2f}, and they are no "
        "better than the mean of what was measured before"
    )


def _quantile(values: Sequence[float]) -> float:
    """Return the 80 % quantile, interpolated; numpy's takes a hundred times as long for so few."""
    ordered = sorted(values)
    whole, part = divmod(ROBUST * (len(ordered) - 1), 1)
    low = ordered[int(whole)]
    return low + part * (ordered[min(int(whole) + 1, len(ordered) - 1)] - low)


def _plain(figures: Figures) -> dict[str, Any]:
    return {
        "predictions": figures.predictions,
        "coverage": list(figures.coverage),
        "rank": figures.rank,
        "rmsd": figures.rmsd,
    }


def _figures(stored: Mapping[str, Any]) -> Figures:
    return Figures(stored["predictions"], tuple(stored["coverage"]), stored["rank"], stored["rmsd"])
