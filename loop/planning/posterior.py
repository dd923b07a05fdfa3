"""What is believed of every metric after the measurements so far, and samples of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Any

import torch
from botorch.utils.sampling import draw_sobol_normal_samples
from torch import Tensor

from campaigns.metrics import MeasuredConfig
from campaigns.values import Candidate, MetricValue
from loop.planning.mc_objective import ObjectiveOnSamples
from surrogates.models.base import Fantasized, MetricModel
from surrogates.models.feasibility import Feasibility, feasibility
from surrogates.models.logit_transform import LogitTransform
from surrogates.models.outliers import Outlier

_NOISE_SAMPLES = 128
_HOPELESS = 0.25  # probability of success below which nothing else must be left for a candidate to be chosen
_JITTER = 1e-8  # of the mean variance


@dataclass(frozen=True)
class TrainingData:
    """What the models may know.

    Attributes:
        done: candidates that were measured, n, in the order in which the measurements came.
        metrics: measured metric to its n values with uncertainties; None where it is not known.
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

    def known(self, *names: str) -> list[int]:
        """Return the places, of n, where some metrics are all known."""
        columns = [self.metrics[name] for name in names]
        return [place for place in range(len(self.done)) if all(column[place] is not None for column in columns)]


@dataclass(frozen=True)
class CampaignPosterior:
    """The posterior of every measured metric.

    Attributes:
        models: measured metric to what was learnt of it, of its ratio to the metric that it is proportional to, or of
            its logit between its limits.
        measured: measured metric to its n values, without uncertainties; nan where it is not known.
        rows: n x d, what was measured.
        outliers: metric to the places among the rows where its measurement is not believed, and why.
        processes: metric to the Gaussian process, or the model of the user's own, that knows the noise.
        calmer: metric to what was learnt without a wary process; empty where none is wary.
        prospects: what trials that failed say of other candidates; None where none has.
        pending: q x d, what is under way, if that is to count as if it had given what is expected of it.
        whole: which rows were completed, n, so that they have a score; all where nothing is said.
        memory: what was found out about the pool, shared with copies that differ in what is under way.
        imported: how many of the rows were measured elsewhere.
    """

    scorer: ObjectiveOnSamples
    models: Mapping[str, MetricModel]
    measured: Mapping[str, Tensor]
    rows: Tensor
    outliers: Mapping[str, Mapping[int, Outlier]] = field(default_factory=dict)
    processes: Mapping[str, MetricModel] = field(default_factory=dict)
    calmer: Mapping[str, MetricModel] = field(default_factory=dict)
    prospects: Feasibility | None = None
    pending: Tensor | None = None
    whole: Tensor | None = None
    memory: dict[str, Tensor] = field(default_factory=dict, compare=False, repr=False)
    imported: int = 0

    def marginal(self, rows: Tensor, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples of every metric, count x n, of n rows one by one."""
        return next(self.marginals(rows, count, seed, len(rows)))

    def marginals(self, rows: Tensor, count: int, seed: int, size: int) -> Iterator[dict[str, Tensor]]:
        """Yield samples of every metric, count x size, of n rows one by one, ``size`` of them at a time."""
        noise = _noise(len(self.models), count, seed)
        moments = [model.marginals(rows) for model in self._heeding]
        for start in range(0, len(rows), size):
            part = slice(start, start + size)
            drawn = [mean[part] + sd[part] * noise[:, place].unsqueeze(-1) for place, (mean, sd) in enumerate(moments)]
            yield self.complete(drawn, rows[part])

    @cached_property
    def _heeding(self) -> list[MetricModel | Fantasized]:
        """The models, as if what is under way had given what is expected of it."""
        models = self.models.values()
        return list(models) if self.pending is None else [Fantasized(model, self.pending) for model in models]

    def joint(self, rows: Tensor, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples of every metric, count x n, of n rows together; pending ones may be among them."""
        size = len(rows)
        noise = _noise(size * len(self.models), count, seed)

        drawn = []
        for model, part in zip(self.models.values(), noise.split(size, dim=1), strict=True):
            mean, spread = model.joint(rows)
            spread.diagonal().add_(_JITTER * float(spread.diagonal().mean()))
            drawn.append(mean + part @ _root(spread).T)
        return self.complete(drawn, rows)

    def beside(self, rows: Tensor, others: Tensor, count: int, seed: int) -> dict[str, Tensor]:
        """Return samples of every metric, count x (n + q), of n rows and of q others: the others together.

        Each row is drawn with the others, but not with other rows: what the others do not tell of it is drawn alike for
        all rows, so that which of them promises most is not left to chance.
        """
        noise = _noise((1 + len(others)) * len(self.models), count, seed)
        own, shared = noise[:, : len(self.models)], noise[:, len(self.models) :]
        drawn = []
        for alone, together, model in zip(own.T, shared.split(len(others), dim=1), self.models.values(), strict=True):
            (mean, sd), (theirs, spread) = model.marginals(rows), model.joint(others)
            values, vectors = torch.linalg.eigh(spread)
            root = values.clamp_min(_JITTER * float(values[-1])).sqrt()
            told = vectors.mT @ model.cross(rows, others).double().mT / root.unsqueeze(-1)
            left = (sd.square() - told.square().sum(dim=0)).clamp_min(0.0).sqrt()
            mine = mean + together @ told + alone.unsqueeze(-1) * left
            drawn.append(torch.cat([mine, theirs + together @ (vectors * root).mT], dim=1))
        return self.complete(drawn, torch.cat([rows, others]))

    def believing(self, pending: Sequence[Candidate]) -> CampaignPosterior:
        """Return the belief as if the pending candidates had given what is expected of them."""
        if not pending:
            return self
        return replace(self, pending=self.scorer.encoder.encode(pending))

    @cached_property
    def outcomes(self) -> tuple[Tensor, Tensor]:
        """The measured scores, n, and where all constraints held; of what is not believed, the worst, and not."""
        score, feasible = self.scored
        return torch.where(self.believed, score, score[self.believed].min()), feasible & self.believed

    @cached_property
    def scored(self) -> tuple[Tensor, Tensor]:
        """The measured scores, n, and where all constraints held, whether believed or not."""
        values = self.scorer.values(self.measured, self.rows)
        score, feasible = torch.broadcast_tensors(self.scorer.score(values), self.scorer.feasible(values))
        return score, feasible

    def pooled(self, candidates: Sequence[Candidate]) -> tuple[Tensor, Tensor]:
        """Return the score of each row's candidate by the mean of its readings, n, and where all constraints hold.

        Readings that are not believed are left out; a candidate without another has the worst score, and breaks them.

        Args:
            candidates: n, of the rows.
        """
        places: dict[tuple[object, ...], int] = {}
        group = torch.tensor([places.setdefault(c.key(), len(places)) for c in candidates], dtype=torch.long)
        counts = torch.zeros(len(places), dtype=torch.float64).index_add_(0, group, self.believed.double())
        known = counts[group] > 0
        used = self.believed | ~known
        means = {}
        for name, values in self.measured.items():
            total = torch.zeros(len(places), dtype=torch.float64)
            total.index_add_(0, group, torch.where(used & known, values, 0.0))
            means[name] = torch.where(known, (total / counts.clamp_min(1.0))[group], values)
        found = self.scorer.values(means, self.rows)
        score, feasible = torch.broadcast_tensors(self.scorer.score(found), self.scorer.feasible(found))
        return torch.where(known, score, score[known].min()), feasible & known

    @cached_property
    def complete_rows(self) -> Tensor:
        """Which rows have a score, n: of others, only some metrics are known."""
        known = torch.isfinite(self.scored[0])
        return known if self.whole is None else known & self.whole

    @cached_property
    def believed(self) -> Tensor:
        """Which rows have a score, and measurements that are all believed, n."""
        found = self.complete_rows.clone()
        found[sorted({place for outliers in self.outliers.values() for place in outliers})] = False
        return found if bool(found.any()) else self.complete_rows  # with many metrics, each trial may lack one

    @property
    def calm(self) -> CampaignPosterior:
        """The belief in which no process is wary; it knows what is noise."""
        return replace(self, models=self.calmer, memory={}) if self.calmer else self

    def heeding(self, failed: Sequence[Candidate]) -> CampaignPosterior:
        """Return the belief with what failures teach."""
        if not failed:
            return self
        encoder = self.scorer.encoder
        rows = encoder.encode(failed)
        prospects = feasibility(encoder, self.rows[self.complete_rows], rows)
        return replace(self, prospects=prospects, memory={})

    def success(self, rows: Tensor) -> Tensor:
        """Return the probability, n, that n rows can be made and measured."""
        return torch.ones(len(rows)).double() if self.prospects is None else self.prospects(rows)

    def hope(self, rows: Tensor) -> Tensor:
        """Return by how much, n, to value n rows: by the probability of success, or hardly where that is small.

        What is expected of a region where all fails would else be worth another failure time after time.
        """
        chance = self.success(rows)
        return torch.where(chance < _HOPELESS, 1e-9 * chance, chance)

    def score_noise(self, rows: Tensor, seed: int) -> Tensor:
        """Return the variance of the score, n, that the noise of one measurement of each of n rows gives it."""
        noise = _noise(len(self.models), _NOISE_SAMPLES, seed)
        drawn = [
            model.marginals(rows)[0] + self.processes[name].noise(rows).sqrt() * noise[:, place].unsqueeze(-1)
            for place, (name, model) in enumerate(self.models.items())
        ]
        score: Tensor = self.scorer.score(self.complete(drawn, rows))
        return score.var(dim=0)

    @cached_property
    def points(self) -> Tensor:
        """The measured points of each term, n x m; of what has no score, the worst."""
        points = self.scorer.points(self.scorer.values(self.measured, self.rows))
        complete = self.complete_rows.unsqueeze(-1)
        return torch.where(complete, points, points[self.complete_rows].amin(dim=0))

    @property
    def worst(self) -> Tensor:
        """The score of what breaks a constraint: as bad as the worst that was measured."""
        return self.outcomes[0].min()

    def describe(self) -> dict[str, dict[str, Any]]:
        """Return each model's description."""
        return {name: dict(model.describe()) for name, model in self.models.items()}

    def complete(self, drawn: Sequence[Tensor], rows: Tensor) -> dict[str, Tensor]:
        """Return all metrics from the samples of what each model learnt."""
        metrics = self.scorer.campaign.measured
        found = {}
        for name, samples in zip(self.models, drawn, strict=True):
            floor, limits = metrics[name].floor, limits_of(metrics[name])
            within = samples if limits is None else limits.values(samples)
            found[name] = within if floor is None else within.clamp_min(floor)
        for name, metric in metrics.items():
            if name in found and metric.proportional_to is not None:
                found[name] = found[name] * found[metric.proportional_to]
        return self.scorer.values(found, rows)


@lru_cache(maxsize=4)
def _noise(size: int, count: int, seed: int) -> Tensor:
    """Return standard normal samples, count x size, of a quasi-random sequence."""
    return draw_sobol_normal_samples(size, count, dtype=torch.float64, seed=seed)


def _root(spread: Tensor) -> Tensor:
    """Return a factor of a covariance; its symmetric root where rounding has made it indefinite."""
    root, failed = torch.linalg.cholesky_ex(spread)
    if not int(failed):
        return root
    values, vectors = torch.linalg.eigh(spread)
    return vectors * values.clamp_min(0.0).sqrt()


def limits_of(metric: MeasuredConfig) -> LogitTransform | None:
    """Return the limits between which a metric lies, or None."""
    return None if metric.within is None else LogitTransform(*metric.within)
