"""What is really true in the virtual lab of the cathode campaign: every candidate's score without any noise."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from campaigns.campaign import Campaign
from campaigns.objective import Objective
from campaigns.spaces.space import SpaceConfig
from campaigns.values import Candidate, Measurement, Scalar
from instruments.analyses.context import AnalysisContext
from instruments.job_instrument import JobInstrument
from loop.execution.laboratory.lab_setup import build_lab, load_analysis, recipe
from loop.planning.pool_data import PoolData
from loop.sampling.candidates import sobol
from loop.sampling.unit_cube import settings
from simulators.materials import cathode_materials
from simulators.physics import CathodePhysics
from simulators.synthesis import TARGET, Sample

FIRING, CYCLING = "calcine", "cycle"
"""The steps of the campaign's workflow that decide what a sample is, and what its discharge gives."""
PHASE_FRACTION = "phase_fraction"
DRAWS = 20_000
"""Candidates drawn at random to find out what the best of them are."""
TOP = 0.01
"""Share of the candidates, and of the materials, that counts as the best."""
_RECIPES = 64  # settings tried with each material to find its best
_SEED = 2024

Recipe = Mapping[str, Scalar]


class Noiseless(np.random.Generator):
    """A generator whose every draw is the median of its distribution."""

    def __init__(self) -> None:
        super().__init__(np.random.PCG64(0))

    def normal(self, loc: Any = 0.0, scale: Any = 1.0, size: Any = None) -> Any:  # noqa: ARG002
        """Return the mean."""
        return loc if size is None else np.full(size, loc)

    def lognormal(self, mean: Any = 0.0, sigma: Any = 1.0, size: Any = None) -> Any:  # noqa: ARG002
        """Return the median."""
        return math.exp(mean) if size is None else np.full(size, math.exp(mean))


@dataclass(frozen=True)
class Truth:
    """The virtual world of a campaign, without noise.

    Attributes:
        physics: what furnaces and cyclers really do.
        instruments: step to an instrument that takes it, which knows the units of recipes.
        computed: material to its computed metrics.
    """

    campaign: Campaign
    physics: CathodePhysics
    instruments: Mapping[str, JobInstrument]
    computed: Mapping[str, Mapping[str, float]]

    @cached_property
    def _objective(self) -> Objective:
        return self.campaign.build_objective()

    @cached_property
    def _analysis(self) -> Callable[..., Measurement]:
        analysis = load_analysis(self.campaign.step(CYCLING))
        assert analysis is not None
        return analysis

    @property
    def ids(self) -> tuple[str, ...]:
        """The materials."""
        return tuple(self.computed)

    def score(self, candidate: Candidate) -> float:
        """Return the true score; minus infinity where an outcome constraint is broken."""
        return self.score_of(str(candidate.material), *self.recipes(candidate.parameters))

    def metrics(self, candidate: Candidate) -> dict[str, float]:
        """Return the true value of every metric, in its unit."""
        firing, cycling = self.recipes(candidate.parameters)
        return self._metrics(self.physics.synthesise(candidate.material, firing, Noiseless()), cycling)

    def recipes(self, parameters: Recipe) -> tuple[Recipe, Recipe]:
        """Return what firing and cycling tell their instruments."""
        candidate = Candidate(parameters)
        return self._recipe(FIRING, candidate), self._recipe(CYCLING, candidate)

    def score_of(self, material: str, firing: Recipe, cycling: Recipe) -> float:
        """Return the true score of a material for given recipes; minus infinity where it is infeasible."""
        sample = self.physics.synthesise(material, firing, Noiseless())
        if any(b.slack(sample.fractions[TARGET]) < 0 for b in self._objective.bounds if b.metric == PHASE_FRACTION):
            return -math.inf  # most samples end here, and their discharge need not be computed
        metrics = self._metrics(sample, cycling)
        return float(self._objective.score(metrics)) if self._objective.feasible(metrics) else -math.inf

    def _metrics(self, sample: Sample, cycling: Recipe) -> dict[str, float]:
        capacity, voltage = self.physics.discharge(sample, cycling, Noiseless())
        context = AnalysisContext(sample.material, None)
        measured = self._analysis({"capacity": capacity, "voltage": voltage}, context).metrics
        values = {name: metric.value for name, metric in measured.items()} | {PHASE_FRACTION: sample.fractions[TARGET]}
        return self._objective.complete(values | dict(self.computed[str(sample.material)]))

    def _recipe(self, step: str, candidate: Candidate) -> Recipe:
        instrument = self.instruments[step]
        return {**instrument.defaults, **recipe(self.campaign, self.campaign.step(step), candidate, instrument)}


@dataclass(frozen=True)
class Goal:
    """What is to be found.

    Attributes:
        threshold: true score of the worst candidate that belongs to the best.
        feasible: share of the space whose candidates keep all outcome constraints.
        best: the highest true score that was seen.
        materials: ids of the best materials, each at its best recipe.
    """

    threshold: float
    feasible: float
    best: float
    materials: tuple[str, ...]


def build_truth(campaign: Campaign, materials: PoolData) -> Truth:
    """Return the truth behind a campaign's virtual lab."""
    physics = CathodePhysics(cathode_materials(materials.pool.entries))
    with tempfile.TemporaryDirectory() as folder:
        lab = build_lab(campaign, materials, Path(folder), 0.0)
        instruments = {name: lab.instrument(campaign.step(name).stations[0]) for name in (FIRING, CYCLING)}
        lab.close()
    numbers = zip(*materials.computed.values(), strict=True)
    rows = [dict(zip(materials.computed, map(float, row), strict=True)) for row in numbers]
    return Truth(campaign, physics, instruments, dict(zip(materials.pool.ids, rows, strict=True)))


def draw(space: SpaceConfig, ids: tuple[str, ...], generator: np.random.Generator) -> Candidate:
    """Return a candidate, uniform over the materials and over the parameters' ranges (on their scales)."""
    while True:
        parameters = settings(space, generator.random(len(space.parameters)))
        if space.allows(parameters):
            return Candidate(parameters, ids[generator.integers(len(ids))])


def find_goal(truth: Truth, draws: int = DRAWS, recipes: int = _RECIPES) -> Goal:
    """Return what counts as found, from ``draws`` random candidates and ``recipes`` recipes for every material."""
    space, ids = truth.campaign.space, truth.ids
    generator = np.random.default_rng(_SEED)
    scores = np.array([truth.score(draw(space, ids, generator)) for _ in range(draws)])
    tried = [truth.recipes(parameters) for parameters in sobol(space, recipes, _SEED)]
    best = np.array([max(truth.score_of(name, *both) for both in tried) for name in ids])
    count = max(round(TOP * len(ids)), 1)
    return Goal(
        threshold=float(np.quantile(scores, 1 - TOP, method="higher")),
        feasible=float(np.isfinite(scores).mean()),
        best=float(max(scores.max(), best.max())),
        materials=tuple(ids[i] for i in np.argsort(-best)[:count]),
    )
