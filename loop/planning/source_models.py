"""Source models: a model of each metric of each earlier campaign, and the candidates that are best by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from campaigns.errors import CampaignError, Problem
from campaigns.values import Candidate
from campaigns.warm_start import FEWEST, Record, Source
from loop.planning.fitting import observations, regression_problem
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from loop.sampling.candidates import sobol
from surrogates.models.fit import fit_gp
from surrogates.models.transfer import SourceModel

# Not tuned. Campaigns by these values: docs/benchmarks.md, "Earlier measurements".
_CLOUD = 4096  # pairs of materials and settings that the first candidates are taken from
_TOP = 0.05  # share of them, the best by a source, that the first candidates cover
_AGREED = 0.5  # rank correlation of expected and measured scores from which a source is followed further

ModelsByMetric = Mapping[str, tuple[SourceModel, ...]]
"""Metric to its model of each source."""


@dataclass(frozen=True, eq=False)
class SourceModels:
    """A model of each metric of each source, fitted when it is first asked for.

    Raises:
        CampaignError: fewer measurements of a source are of materials of the pool than are needed.
    """

    problem: OptimizationProblem
    sources: Sequence[Source]

    def __post_init__(self) -> None:
        for name in self.problem.campaign.measured:
            for source in self._of(name):
                _usable(self.problem, name, source)

    @cached_property
    def by_metric(self) -> ModelsByMetric:
        """Metric to its model of each source, fitted as in a campaign."""
        measured = self.problem.campaign.measured
        return {
            name: tuple(_source_model(self.problem, name, source) for source in self._of(name)) for name in measured
        }

    def _of(self, metric: str) -> list[Source]:
        return [source for source in self.sources if metric in source.metrics]


def _source_model(problem: OptimizationProblem, name: str, source: Source) -> SourceModel:
    metric, records = problem.campaign.measured[name], _usable(problem, name, source)
    done = [r.candidate for r in records]
    metrics = {n: [r.metrics[n] for r in records] for n in (name, metric.proportional_to) if n is not None}
    seen = observations(metric, name, TrainingData(done, metrics, (), frozenset()), problem.encoder.encode(done))
    return SourceModel(source.name, fit_gp(regression_problem(problem, name, metric), seen))


def _usable(problem: OptimizationProblem, name: str, source: Source) -> list[Record]:
    """Return the measurements of a source that a metric's model can be fitted to.

    Raises:
        CampaignError: there are too few.
    """
    whole, table = problem.campaign.measured[name].proportional_to, problem.encoder.materials
    records = [r for r in source.of(name) if whole is None or whole in r.metrics]
    if table is not None:
        known = frozenset(table.ids)
        records = [r for r in records if r.candidate.material in known]
    if len(records) < FEWEST:
        message = f"got {len(records)} measurements of {name} in {source.name} that can be used; needed: {FEWEST}"
        raise CampaignError(
            [Problem("warm_start", f"{message}, each of a material of the pool where there is one; remove the source")]
        )
    return records


@dataclass(frozen=True)
class WarmStartDesign:
    """Candidates that look good by the sources alone: those that cover the best of the space, best first."""

    problem: OptimizationProblem
    by_metric: ModelsByMetric

    @property
    def given(self) -> bool:
        """Whether the sources have every measured metric, so that they predict a score."""
        return all(self.by_metric.get(name) for name in self.problem.campaign.measured)

    def candidate(self, turn: int, seen: frozenset[tuple[object, ...]]) -> Candidate | None:
        """Return the best fresh candidate of the source whose turn it is, or None."""
        count = max(len(each) for each in self.by_metric.values())
        found = self._covers[turn % count]
        space = self.problem.campaign.space
        return next((c for c in found if c.key() not in seen and not space.forbids(c)), None)

    def agrees(self, turn: int, history: TrainingData) -> bool:
        """Return whether the source whose turn it is has ranked well what was measured so far."""
        places = history.places_with(*history.metrics)
        if len(places) < FEWEST:
            return False
        rows = self.problem.encoder.encode([history.done[place] for place in places])
        values = {
            name: torch.tensor([m.value for place in places if (m := each[place])], dtype=torch.float64)
            for name, each in history.metrics.items()
        }
        measured = self.problem.score(self.problem.values(values, rows))
        expected = self._score(rows, turn)
        return float(torch.corrcoef(torch.stack([_ranks(measured), _ranks(expected)]))[0, 1]) >= _AGREED

    @cached_property
    def _covers(self) -> list[list[Candidate]]:
        candidates = self._cloud()
        rows = self.problem.encoder.encode(candidates)
        count = max(len(each) for each in self.by_metric.values())
        wanted = self.problem.campaign.planner.initial
        return [
            [candidates[i] for i in _cover(self._score(rows, turn), self._places(rows), wanted)]
            for turn in range(count)
        ]

    def _cloud(self) -> list[Candidate]:
        space, table = self.problem.campaign.space, self.problem.encoder.materials
        materials: Sequence[str | None] = table.ids if table else [None]
        few = max(1, _CLOUD // len(materials))
        settings = sobol(space, few, self.problem.campaign.seed) if space.all_parameters else [{}]
        return [Candidate(setting, material) for material in materials for setting in settings]

    def _score(self, rows: Tensor, turn: int) -> Tensor:
        """Return the score that a source expects, n, of rows, n x d; the least where a constraint breaks."""
        by_metric = {name: each[turn % len(each)] for name, each in self.by_metric.items()}
        found: dict[str, Tensor] = {}
        for name, metric in self.problem.campaign.measured.items():
            mean = by_metric[name].mean(rows)
            found[name] = mean if metric.floor is None else mean.clamp_min(metric.floor)
        for name, metric in self.problem.campaign.measured.items():
            if metric.proportional_to is not None:
                found[name] = found[name] * found[metric.proportional_to]
        values = self.problem.values({name: each.unsqueeze(0) for name, each in found.items()}, rows)
        score = self.problem.score(values)[0]
        return torch.where(self.problem.feasible(values)[0] & self.problem.possible(rows), score, score.min())

    def _places(self, rows: Tensor) -> Tensor:
        """Return where rows lie, n x e: their parameters, and the first view of their material."""
        encoder = self.problem.encoder
        parameters = rows[:, : encoder.parameter_columns]
        if encoder.materials is None:
            return parameters
        view = next(iter(encoder.materials.views.values()))
        return torch.cat([parameters, torch.from_numpy(view[encoder.places(rows)])], dim=1)


def _ranks(values: Tensor) -> Tensor:
    return values.argsort(stable=True).argsort().double()


def _cover(score: Tensor, places: Tensor, count: int) -> list[int]:
    """Return rows that cover the best of all, the best first: greedy k-centres (Gonzalez 1985)."""
    top = score.argsort(descending=True, stable=True)[: max(1, int(_TOP * len(score)))]
    chosen, far = [0], (places[top] - places[top[0]]).norm(dim=1)
    while len(chosen) < min(count, len(top)):
        chosen.append(int(far.argmax()))
        far = torch.minimum(far, (places[top] - places[top[chosen[-1]]]).norm(dim=1))
    return [int(top[i]) for i in chosen]
