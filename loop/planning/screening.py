"""Acquisition functions of many candidates, each for itself: by them, the most promising of a whole pool are found.

They need nothing but means and variances, and so take milliseconds where BoTorch's noisy expected improvement, which
draws each candidate together with the measured ones, takes ten times as long (docs/benchmarks.md, "Acquisition
functions").
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import assert_never

import numpy as np
import torch
from botorch.acquisition import AcquisitionFunction
from botorch.utils.transforms import t_batch_mode_transform
from numpy.typing import NDArray
from torch import Tensor

from campaigns.objective import FindBestConfig, FindManyConfig, FindParetoConfig
from loop.planning.box_decomposition import NondominatedBoxes
from loop.planning.campaign_model import CampaignModel
from loop.planning.hypervolume_improvement import front_places, reference_of
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, pointwise_samples
from loop.sampling.candidates import sobol
from loop.sampling.rounding import Setting

_SAMPLES = 32  # not tuned, bounds the time: docs/benchmarks.md, "One iteration of the planner"
_TOGETHER = 2048  # not tuned: rows whose samples stay in a core's cache
_OPTIMISM = 2.0  # not tuned: standard deviations, the usual upper confidence bound of about 95 %
_POSSIBLE = 1e-3  # not tuned: probability of being feasible that is added, so that some order is left where nothing is
_EXPLORATION = 0.6  # not tuned: standard deviations, of materials; the campaigns of "Pools of crystals" went by it
# Both are compared with others, or chosen, in docs/benchmarks.md, "On tables of real experiments":
_AT_FIRST = 1.2  # standard deviations, of settings; they fade with the budget
_LIKELY = 0.1  # probability of a hit from which on a candidate is ranked by its score
_AMONG_BEST = 16  # not tuned: candidates of the best share among those that tell where it begins
_SURVEYED = 4096  # not tuned: how many those are at most
_SETTINGS = 4  # not tuned: of each material among them, where settings are chosen, too
_LEAST = 1e-12  # not tuned: standard deviation of a score without uncertainty


class PointwiseAcquisition(AcquisitionFunction):
    """An acquisition function of rows one by one, by samples of the metrics' marginal posteriors.

    Args:
        posterior: of all metrics.
        pending: q x d, what is under way.
        seed: determines the samples.
    """

    def __init__(self, posterior: CampaignPosterior, pending: Tensor, seed: int) -> None:
        super().__init__(posterior.model_with(pending))
        self.posterior, self.seed = posterior, seed

    @t_batch_mode_transform(expected_q=1)
    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch's name
        """Return the acquisition value, b, of rows, b x 1 x d."""
        return self.merits(X.squeeze(-2))[0]

    @abstractmethod
    def merits(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the merits, n each, by which rows, n x d, are shortlisted; the first one is the acquisition value."""

    def _scores(self, rows: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield samples of the score, and where they are feasible, samples x m, of some rows at a time."""
        problem = self.posterior.problem
        for values in self._metrics(rows):
            score, feasible = torch.broadcast_tensors(problem.score(values), problem.feasible(values))
            yield score, feasible

    def _metrics(self, rows: Tensor) -> Iterator[dict[str, Tensor]]:
        """Yield samples of all metrics, samples x m, of some rows at a time."""
        assert isinstance(self.model, CampaignModel)  # noqa: S101 - as it was made
        with torch.no_grad():
            for outputs in pointwise_samples(self.model, rows, _SAMPLES, self.seed, _TOGETHER):
                yield self.model.layout.metrics(outputs)


class ScreenedImprovement(PointwiseAcquisition):
    """The expected feasible improvement, and an optimistic score by chance of feasibility."""

    def merits(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return both merits, n and n, of rows, n x d."""
        measured, kept = self.posterior.outcomes
        best = float(measured[kept].max()) if kept.any() else float(measured.min())
        gains, bounds, chances, least = [], [], [], math.inf
        for score, feasible in self._scores(rows):
            mean, variance = _moments(score)
            gains.append(((score - best).clamp_min_(0.0) * feasible).mean(dim=0))
            bounds.append(mean + _OPTIMISM * variance.sqrt())
            chances.append(feasible.double().mean(dim=0) + _POSSIBLE)
            least = min(least, float(score.min()))
        possible = self.posterior.problem.possible(rows) * self.posterior.success_weight(rows)
        return torch.cat(gains) * possible, (torch.cat(bounds) - least) * torch.cat(chances) * possible


class ScreenedHypervolumeImprovement(PointwiseAcquisition):
    """The expected improvement of the volume that the measured front dominates, and that of optimistic points."""

    def merits(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return both merits, n and n, of rows, n x d."""
        posterior, reference = self.posterior, reference_of(self.posterior)
        free = NondominatedBoxes.above(reference, posterior.points[front_places(posterior)].unsqueeze(0))
        expected, optimistic = [], []
        for values in self._metrics(rows):
            points = posterior.problem.points(values)
            feasible = posterior.problem.feasible(values).expand(points.shape[:2])
            gain = free.volume(points.reshape(1, -1, len(reference))).reshape(points.shape[:2])
            expected.append((gain * feasible).mean(dim=0))
            high = points.mean(dim=0) + _OPTIMISM * points.std(dim=0)
            optimistic.append(free.volume(high.unsqueeze(0))[0] * (feasible.double().mean(dim=0) + _POSSIBLE))
        possible = posterior.problem.possible(rows)
        return torch.cat(expected) * possible, torch.cat(optimistic) * possible


class ScoreUpperConfidenceBound(PointwiseAcquisition):
    """The expected score with a little optimism, where many good candidates are wanted.

    Infeasible candidates have the score of the worst measured one. Those that are hardly ever good come after all
    others, by the probability that they are: what is surely next to good would else be wanted before what nothing is
    known of. What was tried instead: docs/benchmarks.md, "On tables of real experiments".
    """

    def merits(self, rows: Tensor) -> tuple[Tensor, ...]:
        """Return the upper confidence bound of rows, n x d."""
        mean, sd = self.expected(rows)
        chance, good, worst = self.posterior.success_weight(rows), hit_threshold(self.posterior), self.posterior.worst
        bound = chance * (mean + self._exploration * sd) + (1.0 - chance) * worst
        if good is None:
            return (bound,)
        hit = torch.special.log_ndtr((mean - good) / sd) + chance.log()
        return (torch.where(hit >= math.log(_LIKELY), bound.clamp_min(worst), worst + hit),)

    def expected(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the score, n and n, which is the worst one where infeasible."""
        scores = (torch.where(feasible, score, self.posterior.worst) for score, feasible in self._scores(rows))
        means, variances = zip(*map(_moments, scores), strict=True)
        return torch.cat(means), torch.cat(variances).sqrt().clamp_min(_LEAST)

    @property
    def _exploration(self) -> float:
        """How many standard deviations are worth as much as one of the mean."""
        problem = self.posterior.problem
        if problem.encoder.materials is not None:
            return _EXPLORATION
        own = len(self.posterior.rows) - self.posterior.imported
        return _AT_FIRST * max(1.0 - own / problem.campaign.budget.trials, 0.0)


def screening(posterior: CampaignPosterior, pending: Tensor, seed: int) -> PointwiseAcquisition:
    """Return the acquisition function by which candidates are shortlisted."""
    match posterior.problem.objective.find:
        case FindBestConfig():
            return ScreenedImprovement(posterior, pending, seed)
        case FindManyConfig():
            return ScoreUpperConfidenceBound(posterior, pending, seed)
        case FindParetoConfig():
            return ScreenedHypervolumeImprovement(posterior, pending, seed)
        case _:
            assert_never(posterior.problem.objective.find)


def hit_threshold(posterior: CampaignPosterior) -> float | None:
    """Return the score from which a candidate counts as good, where many are wanted; None if more is always better.

    That of the best share of all candidates is what they are expected to have. What they truly have varies more, so
    that this is a low estimate as long as little is known.
    """
    match posterior.problem.objective.find:
        case FindManyConfig(above=float(above)):
            return above
        case FindManyConfig(share=float()):
            return posterior.once(_best_share)
        case _:
            return None


def _best_share(posterior: CampaignPosterior) -> float:
    """Return the expected score from which on the best share of all candidates begins."""
    find = posterior.problem.objective.find
    assert isinstance(find, FindManyConfig)  # noqa: S101 - as asked by hit_threshold
    assert find.share is not None  # noqa: S101 - the same
    rows = _survey(posterior.problem, min(math.ceil(_AMONG_BEST / find.share), _SURVEYED))
    mean, _ = ScoreUpperConfidenceBound(posterior, posterior.rows[:0], seed=0).expected(rows)
    return float(mean.topk(math.ceil(find.share * len(mean))).values[-1])


def _survey(problem: OptimizationProblem, whole: int) -> Tensor:
    """Return rows, n x d, that stand for the whole space: all of them, or about ``whole``."""
    space, materials, generator = problem.campaign.space, problem.encoder.materials, np.random.default_rng(0)
    count, most = (0, whole) if materials is None else (len(materials.ids), _SETTINGS)
    settings: Sequence[Setting] = [{}]
    if space.table is not None:
        settings = space.table.take(_some(len(space.table), most, generator))
    elif space.all_parameters:
        settings = sobol(space, most, 0)
    return problem.encoder.encode_product(settings, _some(count, max(whole // len(settings), 1), generator))


def _some(count: int, most: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Return places of ``count``: all, or some at random."""
    return np.arange(count) if count <= most else generator.choice(count, most, replace=False)


def _moments(samples: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, n and n, of samples, count x n; torch's own is ten times slower this way around."""
    mean = samples.mean(dim=0)
    return mean, (samples - mean).square_().sum(dim=0).div_(len(samples) - 1)
