"""Which candidate next: BoTorch's acquisition functions on the posterior of all metrics, and the best by them.

Candidates are scored directly, never snapped to: the most promising of the whole pool, or of a cloud of settings, are
shortlisted, each for itself; then they, and what lies near the best of them, are compared together with what was
measured and what is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, assert_never

import torch
from botorch.acquisition import AcquisitionFunction
from botorch.acquisition.prior_guided import PriorGuidedAcquisitionFunction
from botorch.sampling import SobolQMCNormalSampler
from torch import Tensor
from torch.nn import Module

from campaigns.campaign import StagnationRuleConfig
from campaigns.objective import FindBestConfig, FindManyConfig, FindParetoConfig
from campaigns.values import Candidate, MetricValue
from loop.core.proposals import Alternative
from loop.planning import gradient_search
from loop.planning.baseline_sampling import NoisyExpectedImprovement
from loop.planning.cost_weighting import CostPenalty, CostWeightedAcquisition
from loop.planning.hypervolume_improvement import hypervolume_improvement
from loop.planning.mc_objective import OptimizationProblem, ScoreObjective
from loop.planning.numerical_errors import NUMERICAL_ERRORS, shortened
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.row_decoder import RowDecoder
from loop.planning.screening import screening
from loop.planning.shortlist import fresh, neighbours, shortlist

# Searches by these values, and by others: docs/benchmarks.md, "Acquisition functions".
_BEST = 4  # candidates around which others are looked for
_RADII = (0.08, 0.03, 0.01, 0.003, 0.001)  # of the range, within which they are, round after round
_BASELINE = 48  # not tuned, bounds the time: measured candidates that the joint samples hold
_SAMPLES = 256  # not tuned, bounds the time
_SHOWN_SAMPLES = 1024  # not tuned: predictions to 3 % of their deviation
_SHOWN = 5  # not tuned: alternatives that are kept
_APART = 0.01  # not tuned: of the range of a parameter, by which an alternative differs from what stands before it
_CONSIDERED = 64  # not tuned: of which a cheaper measurement may be bought
_SOFT = 1e-3  # not tuned: standard deviations of the measured scores over which an improvement fades


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, and why.

    Attributes:
        acquisition: log expected improvement of the score (best) or of the volume below the front (pareto), or expected
            score with a little optimism (many); less the log of what the candidate costs, where that is weighed. Where
            it is measured once more, the log of the expected gain, or of the gain if a suspected outlier is true.
        predictions: measured and derived metric to prediction.
        score: mean and standard deviation of the predicted score.
        feasibility: predicted probability that all outcome constraints hold.
        success: predicted probability that it can be made and measured.
        models: metric to the description of its model.
        alternatives: next best candidates, best first, each distinct from those before it and from the chosen one.
        considered: the best candidates, the chosen one among them.
        caveat: what failed on the way to it; empty otherwise.
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
    caveat: str = ""


def choose(posterior: CampaignPosterior, history: TrainingData, seed: int) -> Choice:
    """Return the best candidate by the posterior.

    Args:
        posterior: fitted to the history's measurements.
        history: what was measured and what is under way.
        seed: determines everything random in the choice.

    Raises:
        SpaceExhaustedError: no candidate is left.
        ArithmeticError: the acquisition function is a finite number nowhere.
    """
    problem, acquisition = posterior.problem, acquisition_function(posterior, history, seed)
    found, caveats = shortlist(posterior, history, seed), list[str]()
    values = _values(acquisition, problem, found)
    for move in _moves(problem, acquisition, seed, caveats):
        best = [found[int(i)] for i in values.argsort(descending=True)[:_BEST]]
        more = fresh(move(best), history.seen | {c.key() for c in found})
        more = [c for c in more if not problem.campaign.space.forbids(c)]
        if more:
            found = found + more
            values = torch.cat([values, _values(acquisition, problem, more)])
    if not bool(torch.isfinite(values).any()):
        raise ArithmeticError(f"the acquisition function is a finite number for none of {len(values)} candidates")
    order = [int(i) for i in values.argsort(descending=True)]
    order.sort(key=_exploited(problem, history, found, values).__getitem__)
    apart = _distinct(problem, [found[i] for i in order])
    alternatives = tuple(Alternative(found[order[place]], float(values[order[place]])) for place in apart[1:])
    chosen = explained(posterior, found[order[0]], float(values[order[0]]), alternatives)
    return replace(chosen, considered=tuple(found[i] for i in order[:_CONSIDERED]), caveat="; ".join(caveats))


def _distinct(problem: OptimizationProblem, candidates: Sequence[Candidate]) -> list[int]:
    """Return the places of the first of some candidates and of the next that are no restarts of the same optimum."""
    rows, kept = problem.encoder.encode(candidates), [0]
    for place in range(1, len(rows)):
        if len(kept) > _SHOWN:
            break
        if float((rows[kept] - rows[place]).abs().amax(dim=-1).min()) >= _APART:
            kept.append(place)
    return kept


Move = Callable[[list[Candidate]], list[Candidate]]
"""From the best candidates so far to others."""


def _moves(
    problem: OptimizationProblem, acquisition: AcquisitionFunction, seed: int, caveats: list[str]
) -> Sequence[Move]:
    """Return the steps by which better candidates are looked for: each from the best so far to others.

    In a box, gradients lead to what is best; else ever nearer neighbours do. Of a table, all rows were seen.
    """
    if problem.campaign.space.table is not None:
        return []
    rounds = [partial(neighbours, problem, seed=seed + number, radius=radius) for number, radius in enumerate(_RADII)]
    if not gradient_search.applies(problem):
        return rounds

    def uphill(best: list[Candidate]) -> list[Candidate]:
        try:
            return gradient_search.local_maxima(acquisition, problem, best)
        except NUMERICAL_ERRORS as error:
            caveats.append(
                f"gradients of the acquisition function failed ({shortened(error)}), neighbours were compared"
            )
            return [candidate for nearer in rounds[1:] for candidate in nearer(best)]

    return [rounds[0], uphill]  # neighbours have other levels, too


def _values(acquisition: AcquisitionFunction, problem: OptimizationProblem, candidates: Sequence[Candidate]) -> Tensor:
    """Return the acquisition value of candidates, n; minus infinity where it is no number."""
    with torch.no_grad():
        found: Tensor = acquisition(problem.encoder.encode(candidates).unsqueeze(-2))
    return torch.where(torch.isfinite(found), found, -torch.inf)


def predictions(posterior: CampaignPosterior, candidates: Sequence[Candidate]) -> list[dict[str, MetricValue]]:
    """Return what is predicted of each measured and derived metric of some candidates."""
    values = posterior.marginal(posterior.problem.encoder.encode(candidates), _SHOWN_SAMPLES, seed=0)
    return [_predicted(posterior.problem, values, place) for place in range(len(candidates))]


def _predicted(problem: OptimizationProblem, values: Mapping[str, Tensor], place: int) -> dict[str, MetricValue]:
    units, shown = problem.objective.units, [n for n in values if n not in problem.campaign.computed]
    drawn = {n: values[n][:, place] for n in shown}
    return {n: MetricValue(float(v.mean()), float(v.std()), units[n]) for n, v in drawn.items()}


def acquisition_function(posterior: CampaignPosterior, history: TrainingData, seed: int) -> AcquisitionFunction:
    """Return what candidates are compared by, less what they cost where that is weighed.

    Args:
        posterior: fitted to the history's measurements.
        history: what was measured and what is under way.
        seed: determines the samples.
    """
    campaign, encoder = posterior.problem.campaign, posterior.problem.encoder
    gain = _gain(posterior, encoder.encode(history.pending), seed)
    penalty = CostPenalty.after(campaign, history.paid)
    return CostWeightedAcquisition(gain, penalty, RowDecoder(encoder)) if penalty.share else gain


def _gain(posterior: CampaignPosterior, pending: Tensor, seed: int) -> AcquisitionFunction:
    """Return the log of what is expected of candidates, by chance of success; a score where many are wanted."""
    match posterior.problem.objective.find:
        case FindBestConfig():
            found = _improvement(posterior, pending, seed)
        case FindManyConfig():
            return screening(posterior, pending, seed)
        case FindParetoConfig():
            found = hypervolume_improvement(posterior, pending, seed)
        case _:
            assert_never(posterior.problem.objective.find)
    return (
        found if posterior.prospects is None else PriorGuidedAcquisitionFunction(found, _Success(posterior), log=True)
    )


class _Success(Module):
    """The log of how likely rows can be made and measured."""

    def __init__(self, posterior: CampaignPosterior) -> None:
        super().__init__()
        self._posterior = posterior

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - BoTorch's name
        """Return the log of the weight, b x q, of rows, b x q x d."""
        return self._posterior.success_weight(X.reshape(-1, X.shape[-1])).log().reshape(X.shape[:-1])


def _improvement(posterior: CampaignPosterior, pending: Tensor, seed: int) -> AcquisitionFunction:
    """Return the log of the noisy expected improvement of the score (Letham et al. 2019; Ament et al. 2023)."""
    score, feasible = posterior.outcomes
    ranked = torch.where(feasible, score, score - float(score.max() - score.min()) - 1.0)
    return NoisyExpectedImprovement(
        posterior.worst,
        model=posterior.model,
        X_baseline=posterior.rows[ranked.topk(min(_BASELINE, len(ranked))).indices],
        sampler=SobolQMCNormalSampler(torch.Size([_SAMPLES]), seed=seed),
        objective=ScoreObjective(posterior.layout),
        constraints=posterior.layout.constraints(posterior.slack_spreads),
        X_pending=pending if len(pending) else None,
        prune_baseline=False,  # it costs more than it saves
        tau_relu=_SOFT * float(score.std(correction=0)) or _SOFT,
    )


def _exploited(
    problem: OptimizationProblem, history: TrainingData, candidates: Sequence[Candidate], values: Tensor
) -> list[bool]:
    """Return which candidates are of a material that was tried, and are expected to gain less than what counts as one.

    Such candidates come after all others: else a model with too small standard deviations would
    refine one material forever.
    """
    if problem.encoder.materials is None or not isinstance(problem.objective.find, FindBestConfig):
        return [False] * len(candidates)
    tried = {c.material for c in (*history.done, *history.pending)}
    rules = (r.improvement for r in problem.campaign.stopping if isinstance(r, StagnationRuleConfig))
    worthwhile = max(rules, default=0.0)
    gains = (
        (values + CostPenalty.after(problem.campaign, history.paid).of_settings([c.parameters for c in candidates]))
        .exp()
        .tolist()
    )
    return [c.material in tried and gain < worthwhile for c, gain in zip(candidates, gains, strict=True)]


def explained(
    posterior: CampaignPosterior, chosen: Candidate, value: float, alternatives: tuple[Alternative, ...]
) -> Choice:
    """Return the choice of a candidate with what is predicted of it."""
    values = posterior.marginal(posterior.problem.encoder.encode([chosen]), _SHOWN_SAMPLES, seed=0)
    score = posterior.problem.score(values)
    return Choice(
        candidate=chosen,
        acquisition=value,
        predictions=_predicted(posterior.problem, values, 0),
        score=(float(score.mean()), float(score.std())),
        feasibility=float(posterior.problem.feasible(values).double().mean()),
        success=float(posterior.success(posterior.problem.encoder.encode([chosen]))),
        models=posterior.describe(),
        alternatives=alternatives,
    )
