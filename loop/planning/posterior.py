"""The posterior of every metric after the measurements so far, samples of it, and what was measured by the objective.

Whatever follows from a posterior alone is worked out once and kept with it: a posterior never changes, and another one
takes its place after the next measurement.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from campaigns.values import Candidate, MetricValue
from loop.planning.campaign_model import CampaignModel
from loop.planning.mc_objective import OptimizationProblem, OutputLayout
from surrogates.models.base import Fantasized, MetricModel
from surrogates.models.feasibility import Feasibility, feasibility
from surrogates.models.outliers import Outlier

T = TypeVar("T")

_NOISE_SAMPLES = 128  # not tuned: the variance of the score to an eighth
_UNLIKELY = 0.25  # not tuned: probability of success below which nothing else must be left for a candidate to be chosen
_NEGLIGIBLE = 1e-9  # not tuned: weight of such a candidate; below all others, and in order


@dataclass(frozen=True)
class TrainingData:
    """What the models are fitted to.

    Attributes:
        done: candidates that were measured, n, in the order in which the measurements came.
        metrics: measured metric to its n values with uncertainties; None where it was not measured.
        pending: candidates under way.
        seen: keys of all candidates ever proposed.
        imported: keys of those among them that were measured elsewhere, at no cost to this campaign.
        whole: which of them were completed, n, so that they have a score; all where nothing is said.
    """

    done: Sequence[Candidate]
    metrics: Mapping[str, Sequence[MetricValue | None]]
    pending: Sequence[Candidate]
    seen: frozenset[tuple[object, ...]]
    imported: frozenset[tuple[object, ...]] = frozenset()
    whole: Sequence[bool] | None = None

    @property
    def paid(self) -> frozenset[tuple[object, ...]]:
        """The keys of the candidates that this campaign has paid for."""
        return self.seen - self.imported

    def only(self, places: Sequence[int]) -> TrainingData:
        """Return what was measured at some places, of n."""
        metrics = {name: [column[place] for place in places] for name, column in self.metrics.items()}
        whole = None if self.whole is None else [self.whole[place] for place in places]
        return replace(self, done=[self.done[place] for place in places], metrics=metrics, whole=whole)

    def places_with(self, *names: str) -> list[int]:
        """Return the places, of n, where some metrics are all measured."""
        columns = [self.metrics[name] for name in names]
        return [place for place in range(len(self.done)) if all(column[place] is not None for column in columns)]


@dataclass(frozen=True)
class CampaignPosterior:
    """The posterior of every measured metric.

    Attributes:
        models: measured metric to the model of it, of its ratio to the metric that it is proportional to, or of its
            logit between its limits.
        measured: measured metric to its n values, without uncertainties; nan where it was not measured.
        rows: n x d, what was measured.
        outliers: metric to the places among the rows where its measurement is a suspected outlier, and why.
        processes: metric to the Gaussian process, or the model of the user's own, that knows the noise.
        standard_models: metric to its model without a conservative process; empty where none is conservative.
        prospects: probability of success, by the trials that failed; None where none has.
        whole: which rows were completed, n, so that they have a score; all where nothing is said.
        imported: how many of the rows were measured elsewhere.
    """

    problem: OptimizationProblem
    models: Mapping[str, MetricModel]
    measured: Mapping[str, Tensor]
    rows: Tensor
    outliers: Mapping[str, Mapping[int, Outlier]] = field(default_factory=dict)
    processes: Mapping[str, MetricModel] = field(default_factory=dict)
    standard_models: Mapping[str, MetricModel] = field(default_factory=dict)
    prospects: Feasibility | None = None
    whole: Tensor | None = None
    imported: int = 0
    _derived: dict[object, Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    def once(self, function: Callable[[CampaignPosterior], T]) -> T:
        """Return what a function of this posterior alone gives; it is called once."""
        if function not in self._derived:
            self._derived[function] = function(self)
        found: T = self._derived[function]
        return found

    @cached_property
    def model(self) -> CampaignModel:
        """All metrics as one BoTorch model."""
        return CampaignModel(self.problem, self.models)

    def model_with(self, pending: Tensor) -> CampaignModel:
        """Return the model as if what is under way, q x d, had given what is expected of it."""
        if not len(pending):
            return self.model
        return CampaignModel(self.problem, {name: Fantasized(m, pending) for name, m in self.models.items()})

    @property
    def layout(self) -> OutputLayout:
        """Which output of the model stands for which metric."""
        return self.model.layout

    def marginal(self, rows: Tensor, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples of every metric, count x n, of n rows one by one."""
        return self.layout.metrics(next(pointwise_samples(self.model, rows, count, seed, len(rows))))

    def joint(self, rows: Tensor, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples of every metric, count x n, of n rows together."""
        with torch.no_grad():
            samples = SobolQMCNormalSampler(torch.Size([count]), seed=seed)(self.model.posterior(rows))
        return self.layout.metrics(samples)

    @cached_property
    def outcomes(self) -> tuple[Tensor, Tensor]:
        """The measured scores, n, and where all constraints were kept; of suspected outliers, the worst, and not."""
        score, feasible = self.scored
        return torch.where(self.trusted, score, score[self.trusted].min()), feasible & self.trusted

    @cached_property
    def scored(self) -> tuple[Tensor, Tensor]:
        """The measured scores, n, and where all constraints were kept, suspected outliers like all others."""
        return self._scores(self.problem.values(self.measured, self.rows))

    def _scores(self, values: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the score of metrics, and where all constraints hold, of the same shape."""
        score, feasible = torch.broadcast_tensors(self.problem.score(values), self.problem.feasible(values))
        return score, feasible

    def feasible_score(self, values: Mapping[str, Tensor]) -> Tensor:
        """Return the score of samples of all metrics, samples x n: the worst measured one where a constraint breaks."""
        score, feasible = self._scores(values)
        return torch.where(feasible, score, torch.minimum(score, self.worst))

    @cached_property
    def complete_rows(self) -> Tensor:
        """Which rows have a score, n: of others, only some metrics were measured."""
        scored = torch.isfinite(self.scored[0])
        return scored if self.whole is None else scored & self.whole

    @cached_property
    def trusted(self) -> Tensor:
        """Which rows have a score, and no suspected outlier, n."""
        found = self.complete_rows.clone()
        found[sorted({place for outliers in self.outliers.values() for place in outliers})] = False
        return found if bool(found.any()) else self.complete_rows  # with many metrics, each trial may lack one

    @property
    def standard(self) -> CampaignPosterior:
        """The posterior in which no process is conservative; it knows what is noise."""
        return replace(self, models=self.standard_models) if self.standard_models else self

    def with_failures(self, failed: Sequence[Candidate]) -> CampaignPosterior:
        """Return the posterior with a model of the probability of success, by the failures."""
        if not failed:
            return self
        encoder = self.problem.encoder
        prospects = feasibility(encoder, self.rows[self.complete_rows], encoder.encode(failed))
        return replace(self, prospects=prospects)

    def success(self, rows: Tensor) -> Tensor:
        """Return the probability, n, that n rows can be made and measured."""
        return torch.ones(len(rows)).double() if self.prospects is None else self.prospects(rows)

    def success_weight(self, rows: Tensor) -> Tensor:
        """Return by how much, n, to value n rows: by the probability of success, or hardly where that is small.

        What is expected of a region where all fails would else be worth another failure time after time.
        """
        chance = self.success(rows)
        return torch.where(chance < _UNLIKELY, _NEGLIGIBLE * chance, chance)

    def score_noise(self, rows: Tensor, seed: int) -> Tensor:
        """Return the variance of the score, n, that the noise of one measurement of each of n rows gives it."""
        mean, _ = self.model.pointwise(rows)
        noise = draw_sobol_normal_samples(len(self.models), _NOISE_SAMPLES, dtype=torch.float64, seed=seed)
        outputs = mean.expand(_NOISE_SAMPLES, -1, -1).clone()
        for place, name in enumerate(self.models):
            outputs[..., place] += self.processes[name].noise(rows).sqrt() * noise[:, place].unsqueeze(-1)
        score: Tensor = self.problem.score(self.layout.metrics(outputs))
        return score.var(dim=0)

    @cached_property
    def points(self) -> Tensor:
        """The measured points of each term, n x k; of what has no score, the worst."""
        points = self.problem.points(self.problem.values(self.measured, self.rows))
        complete = self.complete_rows.unsqueeze(-1)
        return torch.where(complete, points, points[self.complete_rows].amin(dim=0))

    @property
    def worst(self) -> Tensor:
        """The score of what breaks a constraint: as bad as the worst that was measured."""
        return self.outcomes[0].min()

    @cached_property
    def slack_spreads(self) -> list[float]:
        """The standard deviation of the measured slack of each outcome constraint; one where it does not vary."""
        values = self.problem.values(self.measured, self.rows)
        slacks = [bound.slack(values[bound.metric]) for bound in self.problem.objective.bounds]
        stated = [slack[torch.isfinite(slack)] for slack in slacks]  # a trial may lack what a constraint is on
        return [float(slack.std(correction=0)) or 1.0 if len(slack) else 1.0 for slack in stated]

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return each model's description."""
        return {name: dict(model.describe()) for name, model in self.models.items()}


def pointwise_samples(model: CampaignModel, rows: Tensor, count: int, seed: int, size: int) -> Iterator[Tensor]:
    """Yield samples of a model's outputs, count x size x m, of n rows one by one, ``size`` of them at a time.

    All rows are drawn with the same quasi-random numbers, so that which of them looks best is not left to chance.
    """
    mean, sd = (each.mT.contiguous() for each in model.pointwise(rows))
    noise = draw_sobol_normal_samples(len(mean), count, dtype=torch.float64, seed=seed).unsqueeze(-1)
    for centre, spread in zip(mean.split(size, dim=1), sd.split(size, dim=1), strict=True):
        yield (centre + spread * noise).mT
