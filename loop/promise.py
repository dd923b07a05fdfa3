"""What candidates promise, each for itself: by it, the most promising of a whole pool are found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import assert_never

import torch
from torch import Tensor

from campaigns.objective import FindBestConfig, FindManyConfig, FindParetoConfig
from loop.belief import Belief
from loop.pareto import promised

_SAMPLES = 32
_TOGETHER = 2048  # rows whose samples stay in a core's cache
_CURIOSITY = 0.6  # standard deviations of the score that are worth as much as one of its mean, where many are wanted
_AT_FIRST = 1.2  # the same for settings, of which few measurements tell less; it fades with the budget


@dataclass(frozen=True)
class Promise:
    """What candidates promise, each for itself, by samples of the metrics' marginal posteriors."""

    belief: Belief
    seed: int

    def of(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the merits, n each, by which rows, n x d, are shortlisted."""
        match self.belief.scorer.objective.find:
            case FindBestConfig():
                return self._improvement(rows)
            case FindManyConfig():
                return (self.wanted(rows),)
            case FindParetoConfig():
                sure, hoped = promised(self.belief, self.belief.marginals(rows, _SAMPLES, self.seed, _TOGETHER))
                possible = self.belief.scorer.possible(rows)
                return sure * possible, hoped * possible
            case _:
                assert_never(self.belief.scorer.objective.find)

    def wanted(self, rows: Tensor) -> Tensor:
        """Return the expected merit of rows, n x d, with a little optimism, where many good candidates are wanted.

        Infeasible candidates have the merit of the worst measured one. With a threshold, what counts is to be above it.
        """
        find = self.belief.scorer.objective.find
        above = find.above if isinstance(find, FindManyConfig) else None
        means, variances, shares = [], [], []
        for score, feasible in self._scores(rows):
            merit = torch.where(feasible, score, self.belief.worst)
            mean, variance = _moments(merit)
            means.append(mean)
            variances.append(variance)
            shares.append(mean if above is None else (merit >= above).double().mean(dim=0))
        mean, variance = torch.cat(means), torch.cat(variances)
        found = mean + self._curiosity * variance.sqrt()
        chance = self.belief.hope(rows)
        if above is None:
            return chance * found + (1.0 - chance) * self.belief.worst
        spread = float((variance.mean() + mean.var(correction=0)).sqrt()) or 1.0
        return chance * torch.cat(shares) + 1e-3 * (found - above) / spread

    @property
    def _curiosity(self) -> float:
        """How many standard deviations are worth as much as one of the mean."""
        scorer = self.belief.scorer
        if scorer.encoder.materials is not None:
            return _CURIOSITY
        return _AT_FIRST * max(1.0 - len(self.belief.rows) / scorer.campaign.budget.trials, 0.0)

    def _improvement(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected feasible improvement and the optimistic score by chance of feasibility, n and n."""
        measured, held = self.belief.outcomes
        threshold = float(measured[held].max()) if held.any() else float(measured.min())
        gains, hopes, chances, least = [], [], [], math.inf
        for score, feasible in self._scores(rows):
            mean, variance = _moments(score)
            gains.append(((score - threshold).clamp_min_(0.0) * feasible).mean(dim=0))
            hopes.append(mean + 2.0 * variance.sqrt())
            chances.append(feasible.double().mean(dim=0) + 1e-3)
            least = min(least, float(score.min()))
        possible = self.belief.scorer.possible(rows) * self.belief.hope(rows)
        return torch.cat(gains) * possible, (torch.cat(hopes) - least) * torch.cat(chances) * possible

    def _scores(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield samples of the score, and where they are feasible, samples x m, of some rows at a time."""
        scorer = self.belief.scorer
        for values in self.belief.marginals(rows, _SAMPLES, self.seed, _TOGETHER):
            score, feasible = torch.broadcast_tensors(scorer.score(values), scorer.feasible(values))
            yield score, feasible


def _moments(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, n and n, of samples, count x n; torch's own is ten times slower this way around."""
    mean = samples.mean(dim=0)
    return mean, (samples - mean).square_().sum(dim=0).div_(len(samples) - 1)
