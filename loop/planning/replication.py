"""When measuring a candidate once more is worth more than measuring a new one.

No experiment is repeated by accident: a replicate is proposed as such, with its reason. There are two. A suspected
outlier would be the best: a second measurement tells a discovery from a spike. Or the measurements are noisy, and to
know better which of the best candidates is the best is worth more than a new one: the knowledge gradient (Frazier,
Powell & Dayanik 2009, INFORMS J. Comput. 21, 599) of one more measurement, by the same samples for both.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import torch
from torch import Tensor

from campaigns.objective import FindBestConfig
from campaigns.values import Candidate
from loop.planning.posterior import CampaignPosterior, TrainingData

# Not tuned. Campaigns by these values: docs/benchmarks.md, "One noise, and noise that depends on the input".
_BEST = 16  # measured candidates that may be measured once more
_SAMPLES = 256
_DRAWS = 64  # of what one more measurement may say
_WORTHWHILE = 0.05  # standard deviations of a measurement's noise that it must be expected to gain
_LEAST = 0.001  # the same where no candidate is new, so that a trial of the budget costs no other
_MEASUREMENTS = ("one more measurement is", "all the measurements that are left are")
_NOISY = 0.05  # least noise of the score, as a share of the spread of the measured ones


@dataclass(frozen=True)
class Replicate:
    """A candidate to measure once more.

    Attributes:
        place: among what was measured.
        why: what speaks for it.
        gain: expected gain of the score, or what it gains if a suspected outlier is true; above zero.
    """

    place: int
    why: str
    gain: float


def choose_replicate(
    posterior: CampaignPosterior, history: TrainingData, new: Candidate, seed: int
) -> Replicate | None:
    """Return what to measure once more rather than a new candidate, or None.

    Args:
        posterior: fitted to the history's measurements.
        history: what was measured, and what is under way.
        new: the best new candidate.
        seed: determines the samples.
    """
    return _suspicious(posterior, history) or _uncertain(posterior.standard, history, _Other(new), seed)


def choose_only_replicate(
    posterior: CampaignPosterior, history: TrainingData, seed: int, left: int
) -> Replicate | None:
    """Return what to measure once more where no candidate is new, or None where that is not worthwhile.

    There, all the trials that are left may go to it: a candidate is worth what all of them would tell of it (Frazier &
    Powell 2010, Decis. Anal. 7, 378), as a single one may tell nothing.

    Args:
        posterior: fitted to the history's measurements.
        history: what was measured, and what is under way.
        seed: determines the samples.
        left: number of trials.
    """
    return _suspicious(posterior, history) or _uncertain(posterior.standard, history, _Other(None, left), seed)


@dataclass(frozen=True)
class _Other:
    """What else may be done.

    Attributes:
        new: the best new candidate, or None where none is left.
        times: how often one candidate may be measured.
    """

    new: Candidate | None
    times: int = 1


def _suspicious(posterior: CampaignPosterior, history: TrainingData) -> Replicate | None:
    """Return the best suspected outlier, if it would be the best of all and was measured once."""
    score, feasible = posterior.scored
    trusted, kept = posterior.outcomes
    lowest = float(trusted[kept].max()) if bool(kept.any()) else float(trusted.min())
    times = Counter(c.key() for c in (*history.done, *history.pending))
    would = [
        place
        for place in torch.nonzero(~posterior.trusted & feasible & (score > lowest)).ravel().tolist()
        if times[history.done[place].key()] == 1 and _allowed(posterior, history.done[place])
    ]
    if not would:
        return None
    place = max(would, key=lambda i: float(score[i]))
    why = f"its score {float(score[place]):.4g} would be the best, but is a suspected outlier"
    return Replicate(place, why, float(score[place]) - lowest)


def _uncertain(posterior: CampaignPosterior, history: TrainingData, other: _Other, seed: int) -> Replicate | None:
    """Return the measured candidate that is worth more when measured once more than what else may be done."""
    if not isinstance(posterior.problem.objective.find, FindBestConfig):
        return None
    score, feasible = posterior.outcomes
    kept = torch.nonzero(feasible).ravel()
    if len(kept) < 2:
        return None
    places = kept[score[kept].topk(min(_BEST, len(kept))).indices]
    rows = torch.cat([posterior.rows[places], posterior.problem.encoder.encode([other.new] if other.new else [])])
    noise = posterior.score_noise(rows, seed)
    if float(noise[: len(places)].median().sqrt()) < _NOISY * float(score[kept].std()):
        return None
    gains = _knowledge_gradients(_scores(posterior, rows, seed), noise / other.times)
    under_way = {c.key() for c in history.pending}
    measured = [history.done[i] for i in places.tolist()]
    old, fresh = gains[: len(places)], float(gains[-1]) if other.new else 0.0
    old[[c.key() in under_way or not _allowed(posterior, c) for c in measured]] = 0.0
    best = int(old.argmax())
    least = (_WORTHWHILE if other.new else _LEAST) * float(noise[best].sqrt())
    if float(old[best]) <= max(fresh, least):
        return None
    beside = f"a new candidate {fresh:.2g}" if other.new else "and no candidate is new"
    why = f"{_MEASUREMENTS[other.times > 1]} worth {float(old[best]):.2g} points, {beside}"
    return Replicate(int(places[best]), why, float(old[best]))


def _allowed(posterior: CampaignPosterior, candidate: Candidate) -> bool:
    """Return whether a candidate still lies in the space, which may have changed since it was measured."""
    return posterior.problem.campaign.space.contains(candidate)


def _scores(posterior: CampaignPosterior, rows: Tensor, seed: int) -> Tensor:
    """Return samples of the score, samples x n, of rows together."""
    return posterior.feasible_score(posterior.joint(rows, _SAMPLES, seed))


def _knowledge_gradients(scores: Tensor, noise: Tensor) -> Tensor:
    """Return by how much one more measurement of each is expected to raise the highest mean, n.

    Args:
        scores: samples x n.
        noise: n variances of one measurement.
    """
    mean, spread = scores.mean(dim=0), torch.cov(scores.mT)
    chance = (torch.arange(_DRAWS, dtype=torch.float64) + 0.5) / _DRAWS
    step = spread / (spread.diagonal() + noise).clamp_min(1e-300).sqrt()  # of all means, by one measurement in a column
    moved = mean.view(-1, 1, 1) + step.unsqueeze(-1) * torch.special.ndtri(chance)
    return moved.max(dim=0).values.mean(dim=-1) - mean.max()
