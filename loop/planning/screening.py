"""What candidates promise, each for itself: by it, the most promising of a whole pool are found."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from campaigns.objective import FindBestConfig, FindManyConfig, FindParetoConfig
from loop.planning.hypervolume_improvement import screened_improvement
from loop.planning.mc_objective import ObjectiveOnSamples
from loop.planning.posterior import CampaignPosterior
from loop.sampling.candidates import sobol
from loop.sampling.rounding import Setting

_SAMPLES = 32
_TOGETHER = 2048  # rows whose samples stay in a core's cache
_CURIOSITY = 0.6  # standard deviations of the score that are worth as much as one of its mean, where many are wanted
_AT_FIRST = 1.2  # the same for settings, of which few measurements tell less; it fades with the budget
_LIKELY = 0.1  # probability to be good from which a candidate is one of those that are wanted for their score
_HELD = 16  # candidates of the best share among those that tell from which score on it begins
_SURVEYED = 4096  # how many those are at most
_SETTINGS = 4  # of each material among them, where settings are chosen, too
_GOOD = "good"
_LEAST = 1e-12  # standard deviation of a score that is known


@dataclass(frozen=True)
class ScreeningScore:
    """What candidates promise, each for itself, by samples of the metrics' marginal posteriors."""

    belief: CampaignPosterior
    seed: int

    def of(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the merits, n each, by which rows, n x d, are shortlisted."""
        match self.belief.scorer.objective.find:
            case FindBestConfig():
                return self._improvement(rows)
            case FindManyConfig():
                return (self.wanted(rows),)
            case FindParetoConfig():
                sure, hoped = screened_improvement(
                    self.belief, self.belief.marginals(rows, _SAMPLES, self.seed, _TOGETHER)
                )
                possible = self.belief.scorer.possible(rows)
                return sure * possible, hoped * possible
            case _:
                assert_never(self.belief.scorer.objective.find)

    def wanted(self, rows: Tensor) -> Tensor:
        """Return the expected merit of rows, n x d, with a little optimism, where many good candidates are wanted.

        Infeasible candidates have the merit of the worst measured one. Those that are hardly ever good come after all
        others, by the probability that they are: what is surely next to good would else be wanted before what nothing
        is known of.
        """
        mean, sd = self._expected(rows)
        chance, good, worst = self.belief.hope(rows), self.good, self.belief.worst
        merit = chance * (mean + self._curiosity * sd) + (1.0 - chance) * worst
        if good is None:
            return merit
        surely = torch.special.log_ndtr((mean - good) / sd) + chance.log()
        return torch.where(surely >= math.log(_LIKELY), merit.clamp_min(worst), worst + surely)

    @property
    def good(self) -> float | None:
        """The score from which a candidate counts as good, where many are wanted; None if better is always better.

        That of the best share of all candidates is what they are expected to have. What they truly have varies more, so
        that this is a low estimate as long as little is known.
        """
        match self.belief.scorer.objective.find:
            case FindManyConfig(above=float(above)):
                return above
            case FindManyConfig(share=float(share)):
                if _GOOD not in self.belief.memory:
                    alone = ScreeningScore(replace(self.belief, pending=None), seed=0)
                    count = min(math.ceil(_HELD / share), _SURVEYED)
                    mean, _ = alone._expected(_survey(self.belief.scorer, count))
                    self.belief.memory[_GOOD] = mean.topk(math.ceil(share * len(mean))).values[-1]
                return float(self.belief.memory[_GOOD])
            case _:
                return None

    def _expected(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the merit, n and n, which is the worst score where infeasible."""
        merits = (torch.where(feasible, score, self.belief.worst) for score, feasible in self._scores(rows))
        means, variances = zip(*map(_moments, merits), strict=True)
        return torch.cat(means), torch.cat(variances).sqrt().clamp_min(_LEAST)

    @property
    def _curiosity(self) -> float:
        """How many standard deviations are worth as much as one of the mean."""
        scorer = self.belief.scorer
        if scorer.encoder.materials is not None:
            return _CURIOSITY
        own = len(self.belief.rows) - self.belief.imported
        return _AT_FIRST * max(1.0 - own / scorer.campaign.budget.trials, 0.0)

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


def _survey(scorer: ObjectiveOnSamples, whole: int) -> Tensor:
    """Return rows, n x d, that stand for the whole space: all of them, or about ``whole``."""
    space, materials, generator = scorer.campaign.space, scorer.encoder.materials, np.random.default_rng(0)
    count, most = (0, whole) if materials is None else (len(materials.ids), _SETTINGS)
    settings: Sequence[Setting] = [{}]
    if space.table is not None:
        settings = space.table.take(_some(len(space.table), most, generator))
    elif space.all_parameters:
        settings = sobol(space, most, 0)
    return scorer.encoder.encode_product(settings, _some(count, max(whole // len(settings), 1), generator))


def _some(count: int, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return places of ``count``: all, or some at random."""
    return np.arange(count) if count <= most else generator.choice(count, most, replace=False)


def _moments(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, n and n, of samples, count x n; torch's own is ten times slower this way around."""
    mean = samples.mean(dim=0)
    return mean, (samples - mean).square_().sum(dim=0).div_(len(samples) - 1)
