"""Where to look in a space of many dimensions: a box around the best candidate, which grows and shrinks by its luck.

TuRBO (Eriksson, Pearce, Gardner, Turner & Poloczek 2019, NeurIPS 32): a region that lies around the best measured
candidate doubles after some successes in succession and halves after some failures. Far from all measurements, a model
of many dimensions knows next to nothing, and a search of the whole space would only ever visit its corners.

The region is a pure function of the measured trials.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from campaigns.objective import FindBestConfig
from campaigns.parameters import CategoricalConfig, FloatConfig, IntegerConfig, OrdinalConfig, ParameterConfig
from campaigns.space import SpaceConfig
from campaigns.values import Candidate, Scalar
from loop.core.records import MODEL, TrialRecord
from loop.planning.mc_objective import ObjectiveOnSamples
from loop.sampling.rounding import Setting
from loop.sampling.unit_cube import UnitCube

_MANY = 15  # numeric parameters up to which the whole space is looked at
_FIRST, _LEAST, _MOST = 0.8, 0.5**7, 1.6  # lengths of a side, as shares of each range
_SUCCESSES = 3  # in succession, after which it doubles
_FAILURES = 0.25  # of the number of parameters, in succession, after which it halves: TuRBO has thousands of trials
_WORTHWHILE = 1e-3  # of the spread of the measured scores, above which an improvement is a success
_ROUNDING = 1e-3  # of a range, to which settings are rounded
_SAME_LEVEL = 0.8  # how often a category stays as it is


@dataclass(frozen=True)
class TrustRegion:
    """A box around a candidate.

    Attributes:
        centre: the best measured candidate.
        trial: its number.
        length: of each side, as a share of the parameter's range.
        luck: how many successes, or failures (negative), it has had in succession.
    """

    centre: Candidate
    trial: int
    length: float
    luck: int

    @property
    def text(self) -> str:
        """What there is to tell of it."""
        luck = f"successes in succession: {self.luck}" if self.luck > 0 else f"failures in succession: {-self.luck}"
        return f"in a box of {min(self.length, 1.0):.3g} of each range around trial {self.trial}, {luck}"

    def holds(self, space: SpaceConfig, candidate: Candidate) -> bool:
        """Return whether a candidate lies in the box."""
        old, new = self.centre.parameters, candidate.parameters
        return all(
            abs(_place(parameter, new[name]) - _place(parameter, old[name])) <= self._reach(parameter) + _ROUNDING
            for name, parameter in space.parameters.items()
            if not isinstance(parameter, CategoricalConfig) and name in new and name in old
        )

    def settings(self, space: SpaceConfig, count: int, seed: int) -> list[Setting]:
        """Return up to ``count`` quasi-random settings of the box that keep all constraints."""
        from scipy.stats import qmc  # half a second to load, and few spaces have a region

        points = qmc.Sobol(len(space.parameters), seed=seed).random(2 ** math.ceil(math.log2(count)))
        stays = np.random.default_rng(seed).random(points.shape) < _SAME_LEVEL
        for column, (name, parameter) in enumerate(space.parameters.items()):
            if name not in self.centre.parameters:
                continue  # it does not apply to the centre, and may anywhere
            at = _place(parameter, self.centre.parameters[name])
            if isinstance(parameter, CategoricalConfig):
                points[stays[:, column], column] = at
            else:
                moved = at + self._reach(parameter) * (2.0 * points[:, column] - 1.0)
                points[:, column] = np.clip(moved, 0.0, 1.0)
        return UnitCube(space).settings(points)[:count]

    def _reach(self, parameter: ParameterConfig) -> float:
        """Return how far from the centre a parameter may be set, in the unit cube: to the next value at least."""
        return max(0.5 * self.length, _step(parameter))


def trust_region(
    scorer: ObjectiveOnSamples, outcomes: tuple[Tensor, Tensor], trials: Sequence[TrialRecord]
) -> TrustRegion | None:
    """Return where to look after some trials, or None for everywhere.

    Args:
        scorer: objective and layout of rows.
        outcomes: pooled score of each trial's candidate, and whether it kept the constraints.
        trials: all that were measured, in the order in which they were completed.
    """
    score, feasible = outcomes
    if not _applies(scorer) or not bool(feasible.any()):
        return None
    scores = [float(s) if ok else -math.inf for s, ok in zip(score, feasible.tolist(), strict=True)]
    best = int(np.argmax(scores))
    worthwhile = _WORTHWHILE * float(score.std(correction=0))
    failures = math.ceil(_FAILURES * len(scorer.campaign.space.parameters))
    length, luck = _history(scores, trials, worthwhile, failures)
    return TrustRegion(trials[best].candidate, trials[best].number, length, luck)


def _place(parameter: ParameterConfig, value: Scalar) -> float:
    """Return where a value lies in the unit cube, the middle of where it comes from."""
    match parameter:
        case FloatConfig():
            return parameter.fraction(value)
        case IntegerConfig(low=low):
            return (float(value) - low + 0.5) * _step(parameter)
        case OrdinalConfig(levels=levels):  # a value between two levels may have been measured elsewhere
            return (float(np.interp(float(value), levels, range(len(levels)))) + 0.5) * _step(parameter)
        case CategoricalConfig(levels=names):
            return (names.index(str(value)) + 0.5) * _step(parameter)


def _step(parameter: ParameterConfig) -> float:
    """Return how much of the unit cube a value takes; nothing where there are any number of them."""
    match parameter:
        case FloatConfig():
            return 0.0
        case IntegerConfig(low=low, high=high):
            return 1.0 / (high - low + 1)
        case OrdinalConfig() | CategoricalConfig():
            return 1.0 / len(parameter.levels)


def _applies(scorer: ObjectiveOnSamples) -> bool:
    """Return whether there are many numbers to choose, that may be chosen freely, and one best is looked for."""
    space = scorer.campaign.space
    free = scorer.encoder.materials is None and space.table is None and not len(space.system.equal)
    numbers = sum(not isinstance(parameter, CategoricalConfig) for parameter in space.parameters.values())
    return free and numbers > _MANY and isinstance(scorer.objective.find, FindBestConfig)


def _history(
    scores: Sequence[float], trials: Sequence[TrialRecord], worthwhile: float, failures: int
) -> tuple[float, int]:
    """Return the length of the region, and its successes or failures in succession, after trials with some scores."""
    length, luck, best = _FIRST, 0, -math.inf
    for score, trial in zip(scores, trials, strict=True):
        better, best = score > best + worthwhile, max(best, score)
        if trial.proposal.generator != MODEL:
            continue
        luck = max(luck, 0) + 1 if better else min(luck, 0) - 1
        if luck >= _SUCCESSES:
            length, luck = min(2.0 * length, _MOST), 0
        elif luck <= -failures:
            length, luck = 0.5 * length, 0
        if length < _LEAST:
            length = _FIRST  # it has found what there is to find here
    return length, luck
