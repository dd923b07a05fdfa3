"""Which candidates push the front: noisy expected hypervolume improvement on samples of the metrics' posteriors.

Daulton, Balandat & Bakshy 2021, NeurIPS 34. Samples of the candidates are drawn together with those of the measured
candidates and of what is under way, so that noise is integrated out and nothing is wanted twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from campaigns.values import Candidate
from loop.core.pareto import reference_point
from loop.planning.box_decomposition import NondominatedBoxes, gains, non_dominated
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.sampling.space_filling import k_centres

_CENTRES = 8  # of the front, around which others are looked for
_EFFORT = {2: (256, 48), 3: (128, 32), 4: (64, 20)}  # axes: samples, and measured candidates that they hold
_FAINT = 1e-6  # of the volume above the reference: what a dominated candidate still counts for


def log_hypervolume_improvement(
    belief: CampaignPosterior, history: TrainingData, candidates: Sequence[Candidate], seed: int
) -> Tensor:
    """Return the log of the expected hypervolume improvement of each candidate, n, in points.

    What is feasible has soft edges (Ament et al. 2023, NeurIPS 36), and a candidate that no sample puts before the
    front still counts for a little, the more the nearer it comes.
    """
    scorer, reference = belief.scorer, lower_corner(belief)
    count, held = _EFFORT[len(reference)]
    others = [belief.rows[_foremost(belief)[:held]]]
    if history.pending:
        others.append(scorer.encoder.encode(history.pending))
    values = belief.beside(scorer.encoder.encode(candidates), torch.cat(others), count, seed)
    points = scorer.points(values)
    mine, theirs = points[:, : len(candidates)], points[:, len(candidates) :]
    kept = scorer.feasible(values).expand(points.shape[:2])[:, len(candidates) :]
    chance = scorer.log_chance(values).exp().expand(points.shape[:2])[:, : len(candidates)]
    gain = gains(torch.where(kept.unsqueeze(-1), theirs, reference), mine, reference)
    faint = _faint(belief, reference, mine.mean(dim=0)) * chance.mean(dim=0)
    return ((gain * chance).mean(dim=0) + faint).log()


def screened_improvement(belief: CampaignPosterior, samples: Iterable[Mapping[str, Tensor]]) -> tuple[Tensor, Tensor]:
    """Return two merits of candidates, n and n, each for itself, from samples of their metrics, some at a time.

    The expected improvement of the volume that the measured front dominates, and that of optimistic points (two
    standard deviations above the mean of each term) by chance of feasibility.
    """
    scorer, reference = belief.scorer, lower_corner(belief)
    free = NondominatedBoxes.above(reference, belief.points[front_places(belief)].unsqueeze(0))
    sure, hoped = [], []
    for values in samples:
        points = scorer.points(values)
        feasible = scorer.feasible(values).expand(points.shape[:2])
        gain = free.volume(points.reshape(1, -1, len(reference))).reshape(points.shape[:2])
        sure.append((gain * feasible).mean(dim=0))
        optimistic = points.mean(dim=0) + 2.0 * points.std(dim=0)
        hoped.append(free.volume(optimistic.unsqueeze(0))[0] * (feasible.double().mean(dim=0) + 1e-3))
    return torch.cat(sure), torch.cat(hoped)


def front_places(belief: CampaignPosterior) -> Tensor:
    """Return the places of the measured candidates that are feasible and that no other of these dominates."""
    held = belief.outcomes[1].nonzero().flatten()
    return held[non_dominated(belief.points[held])]


def centres(belief: CampaignPosterior) -> list[int]:
    """Return the places of the measured candidates around which others are looked for: some that cover the front."""
    places = front_places(belief)
    if not len(places):
        places = non_dominated(belief.points).nonzero().flatten()
    points = belief.points[places]
    scaled = (points - points.amin(dim=0)) / (points.amax(dim=0) - points.amin(dim=0)).clamp_min(1e-9)
    return [int(places[i]) for i in k_centres(scaled.numpy(), _CENTRES, seed=0)]


def lower_corner(belief: CampaignPosterior) -> Tensor:
    """Return the points, m, above which volume counts; while nothing is feasible, all measured candidates tell it."""
    points, held = belief.points, belief.outcomes[1]
    good = points[held] if held.any() else points
    found = reference_point([tuple(point) for point in good.tolist()], belief.scorer.objective)
    return torch.tensor(found, dtype=points.dtype)


def _foremost(belief: CampaignPosterior) -> Tensor:
    """Return the places of all measured candidates, by the number of feasible ones that dominate them."""
    points, held = belief.points, belief.outcomes[1]
    one, other = points.unsqueeze(1), points.unsqueeze(0)
    dominated = ((other >= one).all(dim=-1) & (other > one).any(dim=-1) & held).sum(dim=1)
    return (dominated + len(points) * ~held).argsort(stable=True)


def _faint(belief: CampaignPosterior, reference: Tensor, means: Tensor) -> Tensor:
    """Return a small volume, n, that falls with how far the means, n x m, lie behind the front."""
    front = belief.points[front_places(belief)]
    reach = (belief.points.amax(dim=0) - reference).clamp_min(1e-9)
    if not len(front):
        return torch.full_like(means[:, 0], _FAINT * float(reach.prod()))
    behind = ((front - means.unsqueeze(1)) / reach).amin(dim=-1).amax(dim=-1).clamp_min(0.0)
    return _FAINT * reach.prod() * (-behind).exp()
