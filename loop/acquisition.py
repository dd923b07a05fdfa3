"""Which candidate next: the objective on samples of the metrics' posteriors, for one best candidate or for many.

Candidates are scored directly, never snapped to: the whole pool, or a cloud of settings, by samples of each candidate
for itself; then the most promising by samples of all of them together, with the pending trials in place.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, assert_never

import numpy as np
import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from numpy.typing import NDArray
from torch import Tensor

from campaigns.campaign import StagnationRuleConfig
from campaigns.objective import FindBestConfig, FindManyConfig
from campaigns.values import Candidate, MetricValue, Scalar
from loop.belief import Belief, History
from loop.records import Alternative
from loop.sampling import near, sobol, unseen
from loop.scoring import Scorer

_FEW = 16  # settings tried with every material of a small pool
_WIDE = 40_000  # pairs of materials and settings tried at most
_MANY = 128  # settings tried with the most promising materials
_MATERIALS = 40  # how many those are
_CLOUD = 4096  # settings tried in a campaign without materials
_MARGINAL_SAMPLES = 32
_SHORTLIST = 160
_NEIGHBOURS = 32  # around each of the best few
_BEST = 4
_BASELINE = 48  # measured candidates that the joint samples hold
_SAMPLES = 256
_KEPT = 2048  # materials of a large pool that are looked at for each choice
_PROMISING = "promising"
_SHOWN_SAMPLES = 1024
_CURIOSITY = 0.6  # standard deviations of the score that are worth as much as one of its mean, where many are wanted
_SHOWN = 5  # alternatives that are kept
_SOFT = 1e-3  # standard deviations of the score over which an improvement fades


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, and why.

    Attributes:
        acquisition: log expected improvement (best), or expected score with a little optimism (many).
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


def choose(belief: Belief, history: History, seed: int) -> Choice:
    """Return the best candidate by what is believed.

    Args:
        belief: learnt from the history's measurements.
        history: what was measured and what is under way.
        seed: determines everything random in the choice.

    Raises:
        SpaceExhaustedError: no candidate is left.
    """
    pending = belief.believing(history.pending)
    found = _shortlist(pending, history, seed)
    values = _acquisition(belief, pending, history, found, seed)
    best = [found[int(i)] for i in values.argsort(descending=True)[:_BEST]]
    more = _fresh(_neighbours(belief.scorer, best, seed), history.seen | {c.key() for c in found})
    if more:
        found = found + more
        values = torch.cat([values, _acquisition(belief, pending, history, more, seed)])
    order = [int(i) for i in values.argsort(descending=True)]
    order.sort(key=lambda i: _spent(belief.scorer, history, found[i], float(values[i])))
    alternatives = tuple(Alternative(found[i], float(values[i])) for i in order[1 : 1 + _SHOWN])
    return _explained(belief, found[order[0]], float(values[order[0]]), alternatives)


def predictions(belief: Belief, candidates: Sequence[Candidate]) -> list[dict[str, MetricValue]]:
    """Return what is predicted of each measured and derived metric of some candidates."""
    values = belief.marginal(belief.scorer.encoder.encode(candidates), _SHOWN_SAMPLES, seed=0)
    return [_predicted(belief.scorer, values, place) for place in range(len(candidates))]


def _predicted(scorer: Scorer, values: Mapping[str, Tensor], place: int) -> dict[str, MetricValue]:
    units, shown = scorer.objective.units, [n for n in values if n not in scorer.campaign.computed]
    drawn = {n: values[n][:, place] for n in shown}
    return {n: MetricValue(float(v.mean()), float(v.std()), units[n]) for n, v in drawn.items()}


def _acquisition(
    belief: Belief, pending: Belief, history: History, candidates: Sequence[Candidate], seed: int
) -> Tensor:
    """Return how much each candidate is wanted, n."""
    match belief.scorer.objective.find:
        case FindBestConfig():
            return _improvement(belief, history, candidates, seed)
        case FindManyConfig():
            rows = belief.scorer.encoder.encode(candidates)
            return _Promise(pending, seed).wanted(rows)
        case _:
            assert_never(belief.scorer.objective.find)


def _improvement(belief: Belief, history: History, candidates: Sequence[Candidate], seed: int) -> Tensor:
    """Return the log of the noisy expected improvement, n, by samples of all candidates together.

    Letham et al. 2019, Bayesian Anal. 14, 495; the logarithm and the soft edge after Ament et al. 2023, NeurIPS 36.
    """
    scorer = belief.scorer
    compared = _baseline(belief, history)
    rows = torch.cat([scorer.encoder.encode(candidates), *([compared] if len(compared) else [])])
    values = belief.joint(rows, _SAMPLES, seed)
    score = torch.where(scorer.feasible(values), scorer.score(values), _worst(belief))
    mine, theirs = score[:, : len(candidates)], score[:, len(candidates) :]
    gain = mine - theirs.max(dim=1, keepdim=True).values
    soft = _SOFT * float(score.std()) or _SOFT
    return logmeanexp(log_fatplus(gain, tau=soft), dim=0)


def _baseline(belief: Belief, history: History) -> Tensor:
    """Return the rows of the best measured candidates, and of all that are under way."""
    score, feasible = belief.outcomes
    ranked = torch.where(feasible, score, score - float(score.max() - score.min()) - 1.0)
    best = belief.rows[ranked.topk(min(_BASELINE, len(ranked))).indices]
    if not history.pending:
        return best
    return torch.cat([best, belief.scorer.encoder.encode(history.pending)])


def _worst(belief: Belief) -> Tensor:
    """Return the score of what breaks a constraint: as bad as the worst that was measured."""
    return belief.outcomes[0].min()


def _spent(scorer: Scorer, history: History, candidate: Candidate, acquisition: float) -> bool:
    """Return whether a material was tried already and promises less than what counts as an improvement.

    Such candidates come after all others: a model that is too sure of itself would else polish one material forever.
    """
    if not isinstance(scorer.objective.find, FindBestConfig):
        return False
    tried = {c.material for c in (*history.done, *history.pending)}
    rules = (r.improvement for r in scorer.campaign.stopping if isinstance(r, StagnationRuleConfig))
    worthwhile = max(rules, default=0.0)
    return candidate.material is not None and candidate.material in tried and math.exp(acquisition) < worthwhile


def _shortlist(belief: Belief, history: History, seed: int) -> list[Candidate]:
    """Return the most promising candidates of the whole space, by samples of each for itself.

    All materials are tried with a few settings, then the best of them with many, and the best measured candidates with
    settings near their own.

    Raises:
        SpaceExhaustedError: no candidate is left.
    """
    promise, settled = _Promise(belief, seed), _settled(belief, history)
    found = [
        c
        for cloud in _clouds(promise, settled, history.seen, seed)
        for c in promise.best(cloud, cloud.rows_of(settled))
    ]
    measured = [history.done[i] for i in _best_measured(belief)]
    found = _fresh(found + _neighbours(belief.scorer, measured, seed + 2), history.seen)
    found = [c for c in found if c.material not in settled]
    keep = belief.scorer.possible(belief.scorer.encoder.encode(found)).tolist() if found else []
    found = [c for c, kept in zip(found, keep, strict=True) if kept]
    if not found:
        raise SpaceExhaustedError("every candidate that keeps the constraints has been proposed")
    return found


def _settled(belief: Belief, history: History) -> frozenset[str | None]:
    """Return the materials of which nothing more is to be learnt.

    Where materials alone are chosen, those are all that were proposed. Where many good ones are wanted, they are those
    that were found good, and those under way: once more with other settings would not be one more.
    """
    scorer = belief.scorer
    if scorer.encoder.materials is None:
        return frozenset()
    if not scorer.campaign.space.all_parameters:
        return frozenset(str(key[0]) for key in history.seen)
    if not isinstance(scorer.objective.find, FindManyConfig):
        return frozenset()
    score, feasible = belief.outcomes
    good = feasible if scorer.objective.find.above is None else feasible & (score >= scorer.objective.find.above)
    found = {c.material for c, well in zip(history.done, good.tolist(), strict=True) if well}
    return frozenset(found | {c.material for c in history.pending})


def _worthwhile(belief: Belief, settled: frozenset[str | None]) -> NDArray[np.int64]:
    """Return the places of the materials that may be chosen next: of a large pool, the most promising.

    They are found once for all choices by the same belief. What is under way only makes others look more certain, and
    so lifts no material above these.
    """
    everything = np.arange(len(belief.scorer.encoder.materials.ids)) if belief.scorer.encoder.materials else None
    assert everything is not None  # noqa: S101 - asked only in a campaign with a pool
    if len(everything) <= _KEPT:
        return everything
    if _PROMISING not in belief.memory:
        alone = _Promise(replace(belief, pending=None), seed=0)
        merits = alone.of(_Cloud(belief.scorer, [{}], everything).rows)
        belief.memory[_PROMISING] = torch.cat([m.topk(_KEPT // len(merits)).indices for m in merits]).unique()
    kept = np.asarray(belief.memory[_PROMISING].numpy())
    places = [belief.scorer.encoder.place(str(name)) for name in settled]
    return everything if np.isin(kept, places).all() else kept


def _clouds(
    promise: _Promise, settled: frozenset[str | None], seen: frozenset[tuple[object, ...]], seed: int
) -> list[_Cloud]:
    scorer = promise.belief.scorer
    table, space = scorer.encoder.materials, scorer.campaign.space
    if table is None:
        settings = sobol(space, _CLOUD, seed) if space.rows is None else unseen(space, seen)
        return [_Cloud(scorer, settings, np.empty(0, dtype=np.int64))] if len(settings) else []
    if not space.all_parameters:
        return [_Cloud(scorer, [{}], _worthwhile(promise.belief, settled))]
    few = max(1, min(_FEW, _WIDE // len(table.ids)))
    wide = _Cloud(scorer, sobol(space, few, seed), np.arange(len(table.ids)))
    top = torch.cat([part.topk(min(_MANY, len(part))).indices for part in promise.of(wide.rows)])
    materials = list(dict.fromkeys(int(i) // few for i in top))[:_MATERIALS]
    return [wide, _Cloud(scorer, sobol(space, _MANY, seed + 1), np.array(materials))]


@dataclass(frozen=True)
class _Cloud:
    """All pairs of some settings and some materials (by their places)."""

    scorer: Scorer
    settings: Sequence[dict[str, Scalar]]
    materials: NDArray[np.int64]

    @cached_property
    def rows(self) -> Tensor:
        """The rows, n x d."""
        return self.scorer.encoder.encode_product(self.settings, self.materials)

    def rows_of(self, materials: Collection[str | None]) -> list[int]:
        """Return the rows that hold one of these materials."""
        places = [self.scorer.encoder.place(str(name)) for name in materials]
        at = np.flatnonzero(np.isin(self.materials, places)) if places else np.empty(0, dtype=np.int64)
        count = len(self.settings)
        return (at[:, None] * count + np.arange(count)).ravel().tolist()

    def candidate(self, index: int) -> Candidate:
        """Return the candidate of a row."""
        setting = self.settings[index % len(self.settings)]
        table = self.scorer.encoder.materials
        return Candidate(setting, table.ids[self.materials[index // len(self.settings)]] if table else None)


@dataclass(frozen=True)
class _Promise:
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
            case _:
                assert_never(self.belief.scorer.objective.find)

    def wanted(self, rows: Tensor) -> Tensor:
        """Return the expected merit of rows, n x d, with a little optimism, where many good candidates are wanted.

        Infeasible candidates have the merit of the worst measured one. With a threshold, what counts is to be above it.
        """
        score, feasible = self._scores(rows)
        merit = torch.where(feasible, score, _worst(self.belief))
        found = merit.mean(dim=0) + _CURIOSITY * merit.std(dim=0)
        find = self.belief.scorer.objective.find
        if isinstance(find, FindManyConfig) and find.above is not None:
            spread = float(merit.std()) or 1.0
            return ((merit >= find.above).double().mean(dim=0)) + 1e-3 * (found - find.above) / spread
        return found

    def best(self, cloud: _Cloud, without: Sequence[int]) -> list[Candidate]:
        """Return the best of a cloud, but for some rows, by each merit: of all, and one of each material."""
        picked: list[int] = []
        merits = self.of(cloud.rows)
        share = _SHORTLIST // (4 * len(merits))
        for part in merits:
            part[without] = -math.inf
            picked += part.topk(min(share, len(part))).indices.tolist()
            best, place = part.reshape(-1, len(cloud.settings)).max(dim=1)
            chosen = best.topk(min(share, len(best))).indices
            picked += (chosen * len(cloud.settings) + place[chosen]).tolist()
        return [cloud.candidate(i) for i in dict.fromkeys(picked)]

    def _improvement(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the expected feasible improvement and the optimistic score by chance of feasibility, n and n."""
        score, feasible = self._scores(rows)
        measured, held = self.belief.outcomes
        threshold = float(measured[held].max()) if held.any() else float(measured.min())
        improvement = ((score - threshold).clamp_min(0.0) * feasible).mean(dim=0)
        optimism = (score.mean(dim=0) + 2.0 * score.std(dim=0) - score.min()) * (feasible.double().mean(dim=0) + 1e-3)
        possible = self.belief.scorer.possible(rows)
        return improvement * possible, optimism * possible

    def _scores(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        values = self.belief.marginal(rows, _MARGINAL_SAMPLES, self.seed)
        return self.belief.scorer.score(values), self.belief.scorer.feasible(values)


def _best_measured(belief: Belief) -> list[int]:
    return [int(i) for i in belief.outcomes[0].argsort(descending=True)[:_BEST]]


def _neighbours(scorer: Scorer, centres: Sequence[Candidate], seed: int) -> list[Candidate]:
    if not scorer.campaign.space.all_parameters:
        return []
    generator = np.random.default_rng(seed)
    return [n for c in centres for n in near(scorer.campaign.space, c, _NEIGHBOURS, generator)]


def _fresh(candidates: Sequence[Candidate], seen: frozenset[tuple[object, ...]]) -> list[Candidate]:
    unique = {c.key(): c for c in candidates}
    return [c for key, c in unique.items() if key not in seen]


def _explained(belief: Belief, chosen: Candidate, value: float, alternatives: tuple[Alternative, ...]) -> Choice:
    values = belief.marginal(belief.scorer.encoder.encode([chosen]), _SHOWN_SAMPLES, seed=0)
    score = belief.scorer.score(values)
    return Choice(
        candidate=chosen,
        acquisition=value,
        predictions=_predicted(belief.scorer, values, 0),
        score=(float(score.mean()), float(score.std())),
        feasibility=float(belief.scorer.feasible(values).double().mean()),
        models=belief.describe(),
        alternatives=alternatives,
    )
