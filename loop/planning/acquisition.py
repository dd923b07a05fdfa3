"""Which candidate next: the objective on samples of the metrics' posteriors, for one best candidate or for many.

Candidates are scored directly, never snapped to: the whole pool, or a cloud of settings, each for itself; then the
most promising by samples of all of them together, with the pending trials in place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, assert_never

import torch
from botorch.utils.safe_math import log_fatplus, logmeanexp
from torch import Tensor

from campaigns.campaign import StagnationRuleConfig
from campaigns.objective import FindBestConfig, FindManyConfig, FindParetoConfig
from campaigns.values import Candidate, MetricValue
from loop.core.records import Alternative
from loop.planning.cost_weighting import CostPenalty
from loop.planning.hypervolume_improvement import log_hypervolume_improvement
from loop.planning.mc_objective import ObjectiveOnSamples
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.screening import ScreeningScore
from loop.planning.shortlist import fresh, neighbours, shortlist

_BEST = 4  # around which others are looked for
_RADII = (0.08, 0.03, 0.01, 0.003, 0.001)  # of the range, within which they are, round after round
_BASELINE = 48  # measured candidates that the joint samples hold
_SAMPLES = 256
_SHOWN_SAMPLES = 1024
_SHOWN = 5  # alternatives that are kept
_CONSIDERED = 64  # of which a cheaper measurement may be bought
_SOFT = 1e-3  # standard deviations of the score over which an improvement fades


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, and why.

    Attributes:
        acquisition: log expected improvement of the score (best) or of the volume below the front (pareto), or expected
            score with a little optimism (many); less the log of what the candidate costs, where that is weighed. Where
            it is measured once more, the log of the expected gain, or of the gain if what is doubted is true.
        predictions: measured and derived metric to prediction.
        score: mean and standard deviation of the predicted score.
        feasibility: predicted probability that all outcome constraints hold.
        success: predicted probability that it can be made and measured.
        models: metric to the description of its model.
        alternatives: next best candidates, best first.
        considered: the best candidates, the chosen one among them.
    """

    candidate: Candidate
    acquisition: float
    predictions: Mapping[str, MetricValue]
    score: tuple[float, float]
    feasibility: float
    success: float
    models: Mapping[str, Mapping[str, Any]]
    alternatives: tuple[Alternative, ...]
    considered: tuple[Candidate, ...] = ()


def choose(belief: CampaignPosterior, history: TrainingData, seed: int) -> Choice:
    """Return the best candidate by what is believed.

    Args:
        belief: learnt from the history's measurements.
        history: what was measured and what is under way.
        seed: determines everything random in the choice.

    Raises:
        SpaceExhaustedError: no candidate is left.
    """
    pending = belief.believing(history.pending)
    found = shortlist(pending, history, seed)
    values = _acquisition(belief, pending, history, found, seed)
    radii = _RADII if belief.scorer.campaign.space.table is None else ()  # of a table, all rows are seen
    for number, radius in enumerate(radii):
        best = [found[int(i)] for i in values.argsort(descending=True)[:_BEST]]
        more = fresh(neighbours(belief.scorer, best, seed + number, radius), history.seen | {c.key() for c in found})
        if not more:
            break
        found = found + more
        values = torch.cat([values, _acquisition(belief, pending, history, more, seed)])
    order = [int(i) for i in values.argsort(descending=True)]
    order.sort(key=_spent(belief.scorer, history, found, values).__getitem__)
    alternatives = tuple(Alternative(found[i], float(values[i])) for i in order[1 : 1 + _SHOWN])
    chosen = explained(belief, found[order[0]], float(values[order[0]]), alternatives)
    return replace(chosen, considered=tuple(found[i] for i in order[:_CONSIDERED]))


def predictions(belief: CampaignPosterior, candidates: Sequence[Candidate]) -> list[dict[str, MetricValue]]:
    """Return what is predicted of each measured and derived metric of some candidates."""
    values = belief.marginal(belief.scorer.encoder.encode(candidates), _SHOWN_SAMPLES, seed=0)
    return [_predicted(belief.scorer, values, place) for place in range(len(candidates))]


def _predicted(scorer: ObjectiveOnSamples, values: Mapping[str, Tensor], place: int) -> dict[str, MetricValue]:
    units, shown = scorer.objective.units, [n for n in values if n not in scorer.campaign.computed]
    drawn = {n: values[n][:, place] for n in shown}
    return {n: MetricValue(float(v.mean()), float(v.std()), units[n]) for n, v in drawn.items()}


def _acquisition(
    belief: CampaignPosterior,
    pending: CampaignPosterior,
    history: TrainingData,
    candidates: Sequence[Candidate],
    seed: int,
) -> Tensor:
    """Return how much each candidate is wanted, n, less what it costs."""
    return _gain(belief, pending, history, candidates, seed) - _effort(belief, history).of(candidates)


def _effort(belief: CampaignPosterior, history: TrainingData) -> CostPenalty:
    return CostPenalty.after(belief.scorer.campaign, history.paid)


def _gain(
    belief: CampaignPosterior,
    pending: CampaignPosterior,
    history: TrainingData,
    candidates: Sequence[Candidate],
    seed: int,
) -> Tensor:
    """Return what is expected of each candidate, n: the log of an improvement, or a score where many are wanted."""
    match belief.scorer.objective.find:
        case FindBestConfig():
            return _improvement(belief, history, candidates, seed)
        case FindManyConfig():
            rows = belief.scorer.encoder.encode(candidates)
            return ScreeningScore(pending, seed).wanted(rows)
        case FindParetoConfig():
            hope = belief.hope(belief.scorer.encoder.encode(candidates)).log()
            return log_hypervolume_improvement(belief, history, candidates, seed) + hope
        case _:
            assert_never(belief.scorer.objective.find)


def _improvement(
    belief: CampaignPosterior, history: TrainingData, candidates: Sequence[Candidate], seed: int
) -> Tensor:
    """Return the log of the noisy expected improvement, n, by samples of all candidates together.

    Letham et al. 2019, Bayesian Anal. 14, 495; the logarithm and the soft edges, of the improvement and of what is
    feasible, after Ament et al. 2023, NeurIPS 36: so that candidates differ even where nothing feasible is in sight.
    """
    scorer = belief.scorer
    rows = scorer.encoder.encode(candidates)
    values = belief.beside(rows, _baseline(belief, history), _SAMPLES, seed)
    score, count = scorer.score(values), len(candidates)
    chance = scorer.log_chance(values).expand_as(score)
    known = torch.where(scorer.feasible(values), score, belief.worst)
    gain = score[:, :count] - known[:, count:].max(dim=1, keepdim=True).values
    soft = _SOFT * float(score.std()) or _SOFT
    hope = belief.hope(rows).log()
    return logmeanexp(log_fatplus(gain, tau=soft) + chance[:, :count], dim=0) + hope


def _baseline(belief: CampaignPosterior, history: TrainingData) -> Tensor:
    """Return the rows of the best measured candidates, and of all that are under way."""
    score, feasible = belief.outcomes
    ranked = torch.where(feasible, score, score - float(score.max() - score.min()) - 1.0)
    best = belief.rows[ranked.topk(min(_BASELINE, len(ranked))).indices]
    if not history.pending:
        return best
    return torch.cat([best, belief.scorer.encoder.encode(history.pending)])


def _spent(
    scorer: ObjectiveOnSamples, history: TrainingData, candidates: Sequence[Candidate], values: Tensor
) -> list[bool]:
    """Return which candidates are of a material that was tried, and promise less than what counts as an improvement.

    Such candidates come after all others: a model that is too sure of itself would else polish one material forever.
    """
    if scorer.encoder.materials is None or not isinstance(scorer.objective.find, FindBestConfig):
        return [False] * len(candidates)
    tried = {c.material for c in (*history.done, *history.pending)}
    rules = (r.improvement for r in scorer.campaign.stopping if isinstance(r, StagnationRuleConfig))
    worthwhile = max(rules, default=0.0)
    gains = (values + CostPenalty.after(scorer.campaign, history.paid).of(candidates)).exp().tolist()
    return [c.material in tried and gain < worthwhile for c, gain in zip(candidates, gains, strict=True)]


def explained(
    belief: CampaignPosterior, chosen: Candidate, value: float, alternatives: tuple[Alternative, ...]
) -> Choice:
    """Return the choice of a candidate with what is predicted of it."""
    values = belief.marginal(belief.scorer.encoder.encode([chosen]), _SHOWN_SAMPLES, seed=0)
    score = belief.scorer.score(values)
    return Choice(
        candidate=chosen,
        acquisition=value,
        predictions=_predicted(belief.scorer, values, 0),
        score=(float(score.mean()), float(score.std())),
        feasibility=float(belief.scorer.feasible(values).double().mean()),
        success=float(belief.success(belief.scorer.encoder.encode([chosen]))),
        models=belief.describe(),
        alternatives=alternatives,
    )
