"""The first candidates, chosen before any measurement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle

import numpy as np

from campaigns.objective import FindParetoConfig
from campaigns.values import Candidate
from loop.diagnostics.calibration import ranks
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from loop.planning.source_models import SourceModels, WarmStartDesign
from loop.sampling.candidates import sobol
from loop.sampling.space_filling import k_centres

_PROMISING = 0.25
"""Share of the materials that the initial design covers, those with the best predicted score; not tuned."""


@dataclass(frozen=True)
class InitialDesign:
    """Space-filling candidates, the same for the same seed; they cover the promising materials that are possible.

    Attributes:
        source_models: of earlier campaigns; they give some of the candidates if they have every metric.
        begun: trials before the space became what it is: the sequence goes on, rather than come again in new bounds.
    """

    problem: OptimizationProblem
    source_models: SourceModels
    begun: int = 0

    def from_sources(self, number: int, history: TrainingData, seen: frozenset[tuple[object, ...]]) -> Candidate | None:
        """Return a candidate that looks good by the source models, or None.

        It is the first candidate of the start for a beginning, and every other one as soon as measurements agree with
        what the sources expected of them: one that misleads costs one experiment.
        """
        if number % 2 or not self._warm_start.given or (number and not self._warm_start.agrees(number // 2, history)):
            return None
        return self._warm_start.candidate(number // 2, seen)

    @cached_property
    def _warm_start(self) -> WarmStartDesign:
        return WarmStartDesign(self.problem, self.source_models.by_metric)

    def candidate(self, number: int, seen: frozenset[tuple[object, ...]]) -> Candidate | None:
        """Return the first candidate of the start that was not proposed yet, or None in a space that is used up."""
        count = max(self.problem.campaign.planner.initial, number + 1, self.begun + 1)
        if count not in self._latest:
            self._latest.clear()
            self._latest[count] = self._sequence(count)
        found = self._latest[count]
        space = self.problem.campaign.space
        left = (c for c in (*found[self.begun :], *found) if c.key() not in seen)
        fresh = next((c for c in left if not space.forbids(c)), None)
        return fresh if fresh is not None or self.problem.encoder.materials is None else self._any(seen)

    @cached_property
    def _latest(self) -> dict[int, list[Candidate]]:
        """The sequence that was asked for last, by its length: to cover a large pool takes seconds."""
        return {}

    def _sequence(self, count: int) -> list[Candidate]:
        """Return the first candidates, in order; fewer in a small space without materials."""
        campaign, table = self.problem.campaign, self.problem.encoder.materials
        settings = sobol(campaign.space, count, campaign.seed) if campaign.space.all_parameters else [{}]
        if table is None:
            return [Candidate(setting) for setting in settings]
        view = next(iter(table.views.values()))
        cover = self.promising[k_centres(view[self.promising], count, campaign.seed)]
        pairs = zip(cycle(settings), cycle(cover), range(count), strict=False)
        return [Candidate(setting, table.ids[place]) for setting, place, _ in pairs]

    def _any(self, seen: frozenset[tuple[object, ...]]) -> Candidate | None:
        """Return a material that was never tried, a possible one if there is any, with the first setting, or None."""
        table, campaign = self.problem.encoder.materials, self.problem.campaign
        setting = sobol(campaign.space, 1, campaign.seed)[0] if campaign.space.all_parameters else {}
        places = np.argsort(~self._possible, kind="stable") if table else ()
        left = (Candidate(setting, table.ids[place]) for place in places if table)
        return next((c for c in left if c.key() not in seen and not campaign.space.forbids(c)), None)

    @cached_property
    def _possible(self) -> np.ndarray:
        """Whether each material keeps the outcome constraints on what is computed; all do where none would."""
        table, objective = self.problem.encoder.materials, self.problem.objective
        assert table is not None  # noqa: S101 - asked only in a campaign with a pool
        computed = objective.complete({name: table.numbers[name] for name in self.problem.campaign.computed})
        held = [bound.slack(computed[bound.metric]) >= 0 for bound in objective.bounds if bound.metric in computed]
        keep = np.logical_and.reduce([np.ones(len(table.ids), dtype=bool), *held])
        return keep if keep.any() else ~keep

    def _merit(self, known: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the score of each material; for a front, its best rank in any term or in their mean."""
        objective = self.problem.objective
        score = np.array(objective.score(known), dtype=float)
        if not isinstance(objective.find, FindParetoConfig):
            return score
        every = [score, *(np.broadcast_to(points, score.shape) for points in objective.points(known))]
        return np.max([ranks(one) for one in every], axis=0).astype(float)

    @cached_property
    def promising(self) -> np.ndarray:
        """The places of the quarter of the materials that look best before any experiment, best first.

        What they look like follows from the known numbers alone: computed metrics, and priors in place of measured
        ones. All materials are taken where these do not suffice for the score; in either case, none that an outcome
        constraint on a computed metric rules out.
        """
        table = self.problem.encoder.materials
        assert table is not None  # noqa: S101 - asked only in a campaign with a pool
        known = {name.removeprefix("prior:"): values for name, values in table.numbers.items()}
        values = self.problem.objective.complete(known)
        places = np.arange(len(table.ids))
        if all(term.metric in values for term in self.problem.objective.terms):
            score = self._merit(known)
            for bound in self.problem.objective.bounds:
                if bound.metric in values:
                    score[bound.slack(values[bound.metric]) < 0] = -np.inf
            places = np.lexsort((-score, ~self._possible))[: max(1, int(_PROMISING * len(score)))]
        return places[self._possible[places]]
