"""Which candidate next: noisy expected improvement of the objective, on samples of the metrics' posteriors.

Candidates are scored directly, never snapped to: the pool (or a cloud of settings) is cut to a shortlist by cheap
marginal samples, and the shortlist is scored by qLogNoisyExpectedImprovement with the pending trials in place.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from botorch.acquisition.logei import qLogNoisyExpectedImprovement
from botorch.acquisition.objective import GenericMCObjective
from botorch.exceptions.warnings import BotorchWarning
from botorch.models import ModelListGP
from botorch.sampling import SobolQMCNormalSampler
from linear_operator.utils.warnings import NumericalWarning
from torch import Tensor

from campaigns.campaign import Campaign, StagnationRuleConfig
from campaigns.objective import Bound, Objective
from campaigns.values import Candidate, MetricValue, Scalar
from loop.records import Alternative
from loop.sampling import near, sobol
from surrogates.posterior.encoder import Encoder
from surrogates.posterior.gp import Observations, Prior, describe_gp, fit_gp, marginals

_FEW = 16  # settings tried with every material
_MANY = 128  # settings tried with the most promising materials
_MATERIALS = 40  # how many those are
_CLOUD = 4096  # settings tried in a campaign without materials
_MARGINAL_SAMPLES = 32
_SHORTLIST = 160
_NEIGHBOURS = 32  # around each of the best few of the shortlist
_BEST = 4
_SAMPLES = 128
_CHUNK = 32  # candidates scored at once by the joint acquisition


@dataclass(frozen=True)
class History:
    """What the models may know.

    Attributes:
        done: candidates that were measured, n.
        metrics: measured metric to its n values with uncertainties.
        pending: candidates under way.
        seen: keys of all candidates ever proposed.
    """

    done: Sequence[Candidate]
    metrics: Mapping[str, Sequence[MetricValue]]
    pending: Sequence[Candidate]
    seen: frozenset[tuple[object, ...]]


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, and why.

    Attributes:
        acquisition: log noisy expected improvement.
        predictions: measured and derived metric to prediction.
        score: mean and standard deviation of the predicted score.
        feasibility: predicted probability that all outcome constraints hold.
        models: metric to the description of its model.
        alternatives: next best candidates, best first.
    """

    candidate: Candidate
    acquisition: float
    predictions: Mapping[str, MetricValue]
    score: tuple[float, float]
    feasibility: float
    models: Mapping[str, Mapping[str, Any]]
    alternatives: tuple[Alternative, ...]


class SpaceExhaustedError(Exception):
    """Every candidate of the space has been proposed."""


@dataclass(frozen=True)
class Scorer:
    """The objective as a function of rows and of samples of the measured metrics."""

    campaign: Campaign
    encoder: Encoder

    @cached_property
    def objective(self) -> Objective:
        """The campaign's objective."""
        return self.campaign.build_objective()

    def values(self, samples: Tensor, rows: Tensor) -> dict[str, Tensor]:
        """Return every metric, sample x batch x q, from samples of the measured ones and rows, batch x q x d."""
        values = {name: samples[..., i] for i, name in enumerate(self.campaign.measured)}
        for name in self.campaign.computed:
            values[name] = rows[..., self.encoder.column(name)].expand(samples.shape[:-1])
        return self.objective.complete(values)

    def score(self, samples: Tensor, rows: Tensor) -> Tensor:
        """Return the score, sample x batch x q."""
        return self.objective.score(self.values(samples, rows))

    @property
    def uncertain_bounds(self) -> list[Bound]:
        """The outcome constraints on metrics that have to be measured."""
        return [b for b in self.objective.bounds if b.metric not in self.campaign.computed]

    def constraints(self) -> list[Callable[[Tensor], Tensor]] | None:
        """Return the uncertain constraints as BoTorch wants them: of samples, not above zero where they hold."""
        names = list(self.campaign.measured)

        def broken(bound: Bound) -> Callable[[Tensor], Tensor]:
            def violation(samples: Tensor) -> Tensor:
                measured = {name: samples[..., i] for i, name in enumerate(names)}
                return -bound.slack(self.objective.complete(measured)[bound.metric])

            return violation

        return [broken(bound) for bound in self.uncertain_bounds] or None

    def possible(self, rows: Tensor) -> Tensor:
        """Return which rows, n x d, keep the constraints that need no experiment."""
        keep = torch.ones(len(rows), dtype=torch.bool)
        for bound in self.objective.bounds:
            if bound.metric in self.campaign.computed:
                keep &= bound.slack(rows[:, self.encoder.column(bound.metric)]) >= 0
        return keep


def promising(scorer: Scorer) -> list[int]:
    """Return the places of the quarter of the materials that look best before any experiment, best first.

    What they look like follows from the known numbers alone: computed metrics, and priors in place of measured ones.
    All materials are returned where these do not suffice for the score.
    """
    table = scorer.encoder.materials
    if table is None:
        return []
    known = {name.removeprefix("prior:"): values for name, values in table.numbers.items()}
    values = scorer.objective.complete(known)
    if any(term.metric not in values for term in scorer.objective.terms):
        return list(range(len(table.ids)))
    score = np.array(scorer.objective.score(known))
    for bound in scorer.objective.bounds:
        if bound.metric in values:
            score[bound.slack(values[bound.metric]) < 0] = -np.inf
    return [int(i) for i in np.argsort(-score, kind="stable")[: max(1, len(score) // 4)]]


def choose(scorer: Scorer, history: History, seed: int) -> Choice:
    """Fit the models to the history and return the best candidate.

    Args:
        scorer: objective and layout of rows.
        history: what was measured and what is under way; at least two measurements.
        seed: determines everything random in the choice.

    Raises:
        SpaceExhaustedError: no candidate is left.
    """
    torch.manual_seed(seed)
    with _known_warnings():
        return _choose(scorer, history, seed)


def _choose(scorer: Scorer, history: History, seed: int) -> Choice:
    model = _fit(scorer, history)
    shortlist = _shortlist(scorer, model, history, seed)
    acquisition = _acquisition(scorer, model, history, seed)
    values = _evaluate(acquisition, scorer.encoder, shortlist)
    best = [shortlist[int(i)] for i in values.argsort(descending=True)[:_BEST]]
    neighbours = _fresh(_neighbours(scorer, best, seed), history.seen | {c.key() for c in shortlist})
    everything = shortlist + neighbours
    values = torch.cat([values, _evaluate(acquisition, scorer.encoder, neighbours)])
    order = [int(i) for i in values.argsort(descending=True)]
    order.sort(key=lambda i: _spent(scorer, history, everything[i], float(values[i])))
    alternatives = tuple(Alternative(everything[i], float(values[i])) for i in order[1:6])
    return _explained(scorer, model, everything[order[0]], float(values[order[0]]), alternatives)


def _spent(scorer: Scorer, history: History, candidate: Candidate, acquisition: float) -> bool:
    """Return whether a material was tried already and promises less than what counts as an improvement.

    Such candidates come after all others: a model that is too sure of itself would else polish one material forever.
    """
    tried = {c.material for c in (*history.done, *history.pending)}
    rules = (r.improvement for r in scorer.campaign.stopping if isinstance(r, StagnationRuleConfig))
    worthwhile = max(rules, default=0.0)
    return candidate.material is not None and candidate.material in tried and math.exp(acquisition) < worthwhile


@contextmanager
def _known_warnings() -> Iterator[None]:
    """Silence what libraries say of things that are meant to be so."""
    with warnings.catch_warnings():
        # Before the first feasible measurement BoTorch weighs the distance to a lower bound of the score by the chance
        # of feasibility, which is what we want; it warns that one might leave the score out.
        warnings.filterwarnings("ignore", "When all training points are infeasible", BotorchWarning)
        # Neighbouring candidates are almost the same point; 1e-8 on the diagonal changes nothing that can be seen.
        warnings.filterwarnings("ignore", "A not p.d., added jitter", NumericalWarning)
        yield


def _fit(scorer: Scorer, history: History) -> ModelListGP:
    rows = scorer.encoder.encode(history.done)
    models = []
    for name, metric in scorer.campaign.measured.items():
        values = torch.tensor([m.value for m in history.metrics[name]], dtype=torch.float64)
        sds = torch.tensor([m.sd for m in history.metrics[name]], dtype=torch.float64)
        prior = Prior(f"prior:{name}", metric.prior_as == "factor") if metric.prior else None
        models.append(fit_gp(Observations(rows, values, sds), scorer.encoder, prior))
    return ModelListGP(*models)


def _shortlist(scorer: Scorer, model: ModelListGP, history: History, seed: int) -> list[Candidate]:
    """Return the most promising candidates of the whole space, by marginal samples.

    All materials are tried with a few settings, then the best of them with many, and the best measured candidates with
    settings near their own.
    """
    promise = _Promise(scorer, model, _threshold(scorer, history))
    if scorer.encoder.materials is None:
        clouds = [_Cloud(scorer, sobol(scorer.campaign.space, _CLOUD, seed), ())]
    else:
        wide = _Cloud(scorer, sobol(scorer.campaign.space, _FEW, seed), range(len(scorer.encoder.materials.ids)))
        improvement, optimism = promise.of(wide.rows)
        top = torch.cat(
            [improvement.topk(min(_MANY, len(wide.rows))).indices, optimism.topk(min(_MANY, len(wide.rows))).indices]
        )
        materials = list(dict.fromkeys(int(i) // _FEW for i in top))[:_MATERIALS]
        clouds = [wide, _Cloud(scorer, sobol(scorer.campaign.space, _MANY, seed + 1), materials)]
    measured = [history.done[i] for i in _best_measured(scorer, history)]
    found = [c for cloud in clouds for c in promise.best(cloud)] + _neighbours(scorer, measured, seed + 2)
    found = _fresh(found, history.seen)
    keep = scorer.possible(scorer.encoder.encode(found)).tolist() if found else []
    found = [c for c, kept in zip(found, keep, strict=True) if kept]
    if not found:
        raise SpaceExhaustedError("every candidate that keeps the constraints has been proposed")
    return found


@dataclass(frozen=True)
class _Cloud:
    """All pairs of some settings and some materials (by their places)."""

    scorer: Scorer
    settings: Sequence[dict[str, Scalar]]
    materials: Sequence[int]

    @cached_property
    def rows(self) -> Tensor:
        """The rows, n x d."""
        return self.scorer.encoder.encode_product(self.settings, self.materials)

    def candidate(self, index: int) -> Candidate:
        """Return the candidate of a row."""
        setting = self.settings[index % len(self.settings)]
        table = self.scorer.encoder.materials
        return Candidate(setting, table.ids[self.materials[index // len(self.settings)]] if table else None)


@dataclass(frozen=True)
class _Promise:
    """What candidates promise, each for itself, by samples of the metrics' marginal posteriors."""

    scorer: Scorer
    model: ModelListGP
    threshold: float

    def of(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected feasible improvement and the optimistic score by chance of feasibility, n and n."""
        moments = [marginals(m, rows) for m in self.model.models]
        noise = torch.randn(_MARGINAL_SAMPLES, 1, len(moments), dtype=torch.float64)
        mean, sd = (torch.stack(part, dim=-1) for part in zip(*moments, strict=True))
        values = self.scorer.values(mean + sd * noise, rows)
        score = self.scorer.objective.score(values)
        feasible = torch.ones_like(score)
        for bound in self.scorer.uncertain_bounds:
            feasible = feasible * (bound.slack(values[bound.metric]) >= 0)
        possible = self.scorer.possible(rows)
        improvement = ((score - self.threshold).clamp_min(0.0) * feasible).mean(dim=0)
        optimism = (score.mean(dim=0) + 2.0 * score.std(dim=0) - score.min()) * (feasible.mean(dim=0) + 1e-3)
        return improvement * possible, optimism * possible

    def best(self, cloud: _Cloud) -> list[Candidate]:
        """Return the best of a cloud, half by improvement and half by optimism: of all, and one of each material."""
        picked: list[int] = []
        for part in self.of(cloud.rows):
            picked += part.topk(min(_SHORTLIST // 8, len(part))).indices.tolist()
            best, place = part.reshape(-1, len(cloud.settings)).max(dim=1)
            chosen = best.topk(min(_SHORTLIST // 8, len(best))).indices
            picked += (chosen * len(cloud.settings) + place[chosen]).tolist()
        return [cloud.candidate(i) for i in dict.fromkeys(picked)]


def _best_measured(scorer: Scorer, history: History) -> list[int]:
    rows = scorer.encoder.encode(history.done)
    score = scorer.score(_measured(scorer, history), rows)
    return [int(i) for i in score.argsort(descending=True)[:_BEST]]


def _measured(scorer: Scorer, history: History) -> Tensor:
    """Return the measured values, n x m."""
    return torch.tensor([[m.value for m in history.metrics[n]] for n in scorer.campaign.measured]).double().T


def _threshold(scorer: Scorer, history: History) -> float:
    """Return the best feasible score that was measured, or the worst score where none was feasible."""
    values = scorer.values(_measured(scorer, history), scorer.encoder.encode(history.done))
    score = scorer.objective.score(values)
    feasible = torch.stack([s >= 0 for s in scorer.objective.slacks(values)] or [torch.ones_like(score) > 0]).all(dim=0)
    return float(score[feasible].max()) if feasible.any() else float(score.min())


def _neighbours(scorer: Scorer, centres: Sequence[Candidate], seed: int) -> list[Candidate]:
    generator = np.random.default_rng(seed)
    return [n for c in centres for n in near(scorer.campaign.space, c, _NEIGHBOURS, generator)]


def _fresh(candidates: Sequence[Candidate], seen: frozenset[tuple[object, ...]]) -> list[Candidate]:
    unique = {c.key(): c for c in candidates}
    return [c for key, c in unique.items() if key not in seen]


def _acquisition(scorer: Scorer, model: ModelListGP, history: History, seed: int) -> qLogNoisyExpectedImprovement:
    """Return the joint acquisition function (Ament et al. 2023, NeurIPS 36; Balandat et al. 2020, NeurIPS 33)."""
    encode = scorer.encoder.encode

    def score(samples: Tensor, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch passes the rows by this name
        return scorer.score(samples, X)

    return qLogNoisyExpectedImprovement(
        model=model,
        X_baseline=encode(history.done),
        sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed),
        objective=GenericMCObjective(score),
        constraints=scorer.constraints(),
        X_pending=encode(history.pending) if history.pending else None,
        prune_baseline=True,
    )


def _evaluate(acquisition: qLogNoisyExpectedImprovement, encoder: Encoder, candidates: Sequence[Candidate]) -> Tensor:
    if not candidates:
        return torch.empty(0, dtype=torch.float64)
    rows = encoder.encode(candidates).unsqueeze(-2)
    with torch.no_grad():
        return torch.cat([acquisition(part) for part in rows.split(_CHUNK)])


def _explained(
    scorer: Scorer, model: ModelListGP, chosen: Candidate, value: float, alternatives: tuple[Alternative, ...]
) -> Choice:
    row = scorer.encoder.encode([chosen])
    moments = [marginals(m, row) for m in model.models]
    mean, sd = (torch.stack(part, dim=-1) for part in zip(*moments, strict=True))
    samples = mean + sd * torch.randn(1024, 1, mean.shape[-1], dtype=torch.float64)
    values = scorer.values(samples, row)
    slacks = [b.slack(values[b.metric]) >= 0 for b in scorer.uncertain_bounds]
    feasible = torch.stack(slacks).all(dim=0).double().mean() if slacks else torch.ones(())
    score = scorer.objective.score(values)
    units = scorer.objective.units
    shown = [n for n in values if n not in scorer.campaign.computed]
    names = list(scorer.campaign.measured)
    return Choice(
        candidate=chosen,
        acquisition=value,
        predictions={n: MetricValue(float(values[n].mean()), float(values[n].std()), units[n]) for n in shown},
        score=(float(score.mean()), float(score.std())),
        feasibility=float(feasible),
        models={name: describe_gp(model.models[i]) for i, name in enumerate(names)},
        alternatives=alternatives,
    )
