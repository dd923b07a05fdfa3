"""The regret estimate: the probabilities that the target is reached, and that something better exists.

Both are estimated by the metrics' processes alone: trees, which help to choose, smooth over what was measured. The rest
of the space is represented by a shortlist, some candidates near the best measured ones, and many that cover it; in
each joint sample of all of them the best one counts, so that many small probabilities add up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
import torch
from torch import Tensor

from campaigns.values import Candidate
from loop.core.records import RegretEstimate, TrialRecord
from loop.core.stopping import asked
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.shortlist import SpaceExhaustedError, fresh, neighbours, shortlist
from loop.sampling.candidates import sobol, unseen
from loop.sampling.rounding import Setting

# Not tuned: what bounds the time of an estimate. How often rules by these values end too early: docs/benchmarks.md,
# "Stopping".
_SAMPLES = 256
_MEASURED = 48  # the best measured candidates, of which one is the incumbent
_COVER = 256  # candidates that cover the space
_BEST = 4  # measured candidates around which others are looked for
_RADII = (0.03, 0.01)  # of the range, within which they are; the shortlist has those farther away


def estimate_regret(
    posterior: CampaignPosterior, history: TrainingData, trials: Sequence[TrialRecord], seed: int
) -> RegretEstimate | None:
    """Return the regret estimate; None while no measured candidate without outliers keeps the constraints.

    Args:
        posterior: fitted to the history's measurements, with the probability of success.
        history: what was measured, and the keys of all that is not left.
        trials: those that were measured.
        seed: determines the samples.
    """
    targets, improvements = asked(posterior.problem.campaign)
    improvements = improvements if any(trial.proposal.modelled for trial in trials) else []
    score, feasible = posterior.outcomes
    kept = torch.nonzero(feasible).ravel()
    if not len(kept):
        return None
    places = kept[score[kept].topk(min(_MEASURED, len(kept))).indices]
    rows = [posterior.rows[places]] + [_left(posterior, history, seed)] * bool(improvements)
    scores = _scores(replace(posterior, models=posterior.processes), torch.cat(rows), len(places), seed)
    measured, least = scores[:, : len(places)], scores.clamp_min(posterior.worst)
    numbers = [trials[place].number for place in places.tolist()]
    best = int(least[:, : len(places)].mean(dim=0).argmax())
    gains = least.max(dim=1).values - least[:, best]
    return RegretEstimate(
        incumbent=numbers[best],
        score=(float(least[:, best].mean()), float(least[:, best].std())),
        reached=tuple((target, *_most_likely(measured, numbers, target)) for target in targets),
        better=tuple((amount, float((gains > amount).double().mean())) for amount in improvements),
        gain=float(gains.mean()) if improvements else None,
    )


def _most_likely(scores: Tensor, numbers: Sequence[int], target: float) -> tuple[int, float]:
    """Return the trial that most likely reaches a target score, and the probability that it does."""
    chances = (scores >= target).double().mean(dim=0)
    best = int(chances.argmax())
    return numbers[best], float(chances[best])


def _scores(posterior: CampaignPosterior, rows: Tensor, measured: int, seed: int) -> Tensor:
    """Return samples of the score, samples x n, of rows together; minus infinity where it fails or is infeasible.

    Args:
        posterior: of processes.
        rows: n x d.
        measured: how many of the first rows were made and measured, and so cannot fail.
        seed: determines the samples.
    """
    values = posterior.joint(rows, _SAMPLES, seed)
    score, feasible = torch.broadcast_tensors(posterior.problem.score(values), posterior.problem.feasible(values))
    chance = posterior.success_weight(rows)
    chance[:measured] = 1.0
    drawn = torch.rand(len(score), 1, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)  # fail alike
    return torch.where(feasible & (drawn < chance), score, -math.inf)


def _left(posterior: CampaignPosterior, history: TrainingData, seed: int) -> Tensor:
    """Return rows, n x d, that may still be chosen: a shortlist, neighbours of the best, and a cover of the space."""
    problem = posterior.problem
    try:
        found = shortlist(posterior, history, seed)
    except SpaceExhaustedError:
        return posterior.rows[:0]
    best = [history.done[i] for i in posterior.outcomes[0].topk(min(_BEST, len(posterior.rows))).indices.tolist()]
    near = [c for number, radius in enumerate(_RADII) for c in neighbours(problem, best, seed + number, radius)]
    others = fresh([*found, *near, *_cover(problem, history, seed)], history.seen)
    rows = problem.encoder.encode([c for c in others if not problem.campaign.space.forbids(c)])
    return rows[problem.possible(rows)]


def _cover(problem: OptimizationProblem, history: TrainingData, seed: int) -> list[Candidate]:
    """Return candidates from all over the space."""
    space, table = problem.campaign.space, problem.encoder.materials
    generator = np.random.default_rng(seed)
    settings: Sequence[Setting] = sobol(space, _COVER, seed) if space.all_parameters else [{}]
    if space.table is not None:
        rows = unseen(space, history.seen)
        settings = [rows[int(i)] for i in generator.permutation(len(rows))[:_COVER]]
    if table is None:
        return [Candidate(setting) for setting in settings]
    names = [table.ids[i] for i in generator.permutation(len(table.ids))[:_COVER]]
    pairs = zip(cycle(settings), cycle(names), range(max(len(settings), len(names))), strict=False)
    return [Candidate(setting, name) for setting, name, _ in pairs]
