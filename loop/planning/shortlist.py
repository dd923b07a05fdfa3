"""Which candidates of the whole space are worth a closer look."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from campaigns.objective import FindManyConfig, FindParetoConfig
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, Scalar
from loop.planning.cost_weighting import CostPenalty
from loop.planning.hypervolume_improvement import centres
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import CampaignPosterior, TrainingData
from loop.planning.screening import PointwiseAcquisition, hit_threshold, screening
from loop.sampling.candidates import near, sobol, unseen
from loop.sampling.rounding import Setting

# Not tuned: what bounds the time of a shortlist; docs/benchmarks.md, "Acquisition functions", has times for 1,000 rows.
_FEW = 16  # settings tried with every material of a small pool
_WIDE = 40_000  # pairs of materials and settings tried at most
_MANY = 128  # settings tried with the most promising materials
_MATERIALS = 40  # how many those are
_CLOUD = 4096  # settings tried in a campaign without materials
_LENGTH = 160  # candidates of a shortlist, without those near the best measured ones
_NEIGHBOURS = 32  # around each of the best few
_RADIUS = 0.08  # of the range, within which they are
_BEST = 4  # how many those are
_KEPT = 2048  # materials of a large pool that are looked at for each choice


class SpaceExhaustedError(Exception):
    """Every candidate of the space has been proposed."""


def shortlist(posterior: CampaignPosterior, history: TrainingData, seed: int) -> list[Candidate]:
    """Return the most promising candidates of the whole space, by samples of each for itself.

    All materials are tried with a few settings, then the best of them with many, and the best measured candidates with
    settings near their own.

    Raises:
        SpaceExhaustedError: no candidate is left.
    """
    screen = screening(posterior, posterior.problem.encoder.encode(history.pending), seed)
    excluded = _excluded(posterior, history)
    penalty = CostPenalty.after(posterior.problem.campaign, history.paid)
    clouds = _clouds(screen, excluded, history, seed)
    found = [c for cloud in clouds for c in _best(screen, cloud, cloud.rows_of(excluded), penalty)]
    measured = [history.done[i] for i in _best_measured(posterior)]
    found = fresh(found + neighbours(posterior.problem, measured, seed + 2), history.seen)
    space = posterior.problem.campaign.space
    found = [c for c in found if c.material not in excluded and not space.forbids(c)]
    keep = posterior.problem.possible(posterior.problem.encoder.encode(found)).tolist() if found else []
    found = [c for c, kept in zip(found, keep, strict=True) if kept]
    if not found:
        raise SpaceExhaustedError("every candidate has been proposed")
    return found


def _excluded(posterior: CampaignPosterior, history: TrainingData) -> frozenset[str | None]:
    """Return the materials that are not proposed any more.

    Where materials alone are chosen, those are all that were proposed. Where many good ones are wanted, they are those
    that were found good, and those under way: once more with other settings would not be one more.
    """
    problem = posterior.problem
    if problem.encoder.materials is None:
        return frozenset()
    if not problem.campaign.space.all_parameters:
        return frozenset(str(key[0]) for key in history.seen)
    if not isinstance(problem.objective.find, FindManyConfig):
        return frozenset()
    score, feasible = posterior.outcomes
    threshold = hit_threshold(posterior)
    good = feasible if threshold is None else feasible & (score >= threshold)
    found = {c.material for c, well in zip(history.done, good.tolist(), strict=True) if well}
    return frozenset(found | {c.material for c in history.pending})


def _worthwhile(posterior: CampaignPosterior, excluded: frozenset[str | None]) -> NDArray[np.int64]:
    """Return the places of the materials that may be chosen next: of a large pool, the most promising.

    They are found once for all choices by the same posterior. What is under way only makes others look more certain,
    and so lifts no material above these.
    """
    everything = (
        np.arange(len(posterior.problem.encoder.materials.ids)) if posterior.problem.encoder.materials else None
    )
    assert everything is not None  # noqa: S101 - asked only in a campaign with a pool
    if len(everything) <= _KEPT:
        return everything
    kept = posterior.once(_most_promising)
    places = [posterior.problem.encoder.place(str(name)) for name in excluded]
    return everything if np.isin(kept, places).all() else kept


def _most_promising(posterior: CampaignPosterior) -> NDArray[np.int64]:
    """Return the places of the most promising materials of a large pool, whatever is under way."""
    materials = posterior.problem.encoder.materials
    assert materials is not None  # noqa: S101 - asked only in a campaign with a pool
    everything = _Cloud(posterior.problem, [{}], np.arange(len(materials.ids)))
    merits = screening(posterior, posterior.rows[:0], seed=0).merits(everything.rows)
    return torch.cat([m.topk(_KEPT // len(merits)).indices for m in merits]).unique().numpy()


def _clouds(
    screen: PointwiseAcquisition, excluded: frozenset[str | None], history: TrainingData, seed: int
) -> list[_Cloud]:
    problem = screen.posterior.problem
    table, space = problem.encoder.materials, problem.campaign.space
    if table is None:
        settings = _settings(space, history, seed)
        return [_Cloud(problem, settings, np.empty(0, dtype=np.int64))] if len(settings) else []
    if not space.all_parameters:
        return [_Cloud(problem, [{}], _worthwhile(screen.posterior, excluded))]
    few = max(1, min(_FEW, _WIDE // len(table.ids)))
    wide = _Cloud(problem, sobol(space, few, seed), np.arange(len(table.ids)))
    top = torch.cat([part.topk(min(_MANY, len(part))).indices for part in screen.merits(wide.rows)])
    materials = list(dict.fromkeys(int(i) // few for i in top))[:_MATERIALS]
    return [wide, _Cloud(problem, sobol(space, _MANY, seed + 1), np.array(materials))]


def _settings(space: SpaceConfig, history: TrainingData, seed: int) -> Sequence[Setting]:
    if space.rows is not None:
        return unseen(space, history.seen)
    return sobol(space, _CLOUD, seed)


def _best(screen: PointwiseAcquisition, cloud: _Cloud, without: Sequence[int], penalty: CostPenalty) -> list[Candidate]:
    """Return the best of a cloud, but for some rows, by each merit for its cost: of all, and one of each material."""
    picked: list[int] = []
    merits = screen.merits(cloud.rows)
    if penalty.share:
        worth = (-penalty.of_settings(cloud.settings)).exp()
        merits = tuple((m.reshape(-1, len(worth)) * worth).flatten() for m in merits)
    share = _LENGTH // (4 * len(merits))
    for part in merits:
        part[without] = -math.inf
        picked += part.topk(min(share, len(part))).indices.tolist()
        best, place = part.reshape(-1, len(cloud.settings)).max(dim=1)
        chosen = best.topk(min(share, len(best))).indices
        picked += (chosen * len(cloud.settings) + place[chosen]).tolist()
    return [cloud.candidate(i) for i in dict.fromkeys(picked)]


@dataclass(frozen=True)
class _Cloud:
    """All pairs of some settings and some materials (by their places)."""

    problem: OptimizationProblem
    settings: Sequence[dict[str, Scalar]]
    materials: NDArray[np.int64]

    @cached_property
    def rows(self) -> Tensor:
        """The rows, n x d."""
        return self.problem.encoder.encode_product(self.settings, self.materials)

    def rows_of(self, materials: Collection[str | None]) -> list[int]:
        """Return the rows of these materials."""
        places = [self.problem.encoder.place(str(name)) for name in materials]
        at = np.flatnonzero(np.isin(self.materials, places)) if places else np.empty(0, dtype=np.int64)
        count = len(self.settings)
        return (at[:, None] * count + np.arange(count)).ravel().tolist()

    def candidate(self, index: int) -> Candidate:
        """Return the candidate of a row."""
        setting = self.settings[index % len(self.settings)]
        table = self.problem.encoder.materials
        return Candidate(setting, table.ids[self.materials[index // len(self.settings)]] if table else None)


def _best_measured(posterior: CampaignPosterior) -> list[int]:
    if isinstance(posterior.problem.objective.find, FindParetoConfig):
        return centres(posterior)
    return [int(i) for i in posterior.outcomes[0].argsort(descending=True)[:_BEST]]


def neighbours(
    problem: OptimizationProblem, centres: Sequence[Candidate], seed: int, radius: float = _RADIUS
) -> list[Candidate]:
    """Return candidates around some, their numbers moved by about ``radius`` of the range."""
    if not problem.campaign.space.all_parameters:
        return []
    generator = np.random.default_rng(seed)
    return [n for c in centres for n in near(problem.campaign.space, c, _NEIGHBOURS, generator, radius)]


def fresh(candidates: Sequence[Candidate], seen: frozenset[tuple[object, ...]]) -> list[Candidate]:
    unique = {c.key(): c for c in candidates}
    return [c for key, c in unique.items() if key not in seen]
