"""Campaigns over functions with a known optimum, whose measurements come at once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
import torch
from botorch.test_functions import Ackley, Branin, Hartmann
from numpy.typing import NDArray
from rich.console import Console

from benchmarks.grids import Grid
from benchmarks.looking import looking
from benchmarks.trials import completed
from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from campaigns.warm_start import Source
from loop.core.records import TrialRecord
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder

METRIC = "merit"
_MOVED = 1.0 / 30.0
_NONE = "none"

Regrets = NDArray[np.float64]
"""Of the best candidate by each mark."""
Measure = Callable[[Candidate], float]
"""The value of a candidate."""

_FUNCTIONS = {
    "branin": Branin(negate=True),
    "hartmann3": Hartmann(dim=3, negate=True),
    "hartmann6": Hartmann(dim=6, negate=True),
    "ackley20": Ackley(dim=20, negate=True, bounds=[(-5.0, 10.0)] * 20),
}


@dataclass(frozen=True)
class Problem:
    """A function of the unit box that is to be large.

    Attributes:
        function: name of BoTorch's function that it is.
        noise: standard deviation of a measurement.
        levels: how many values each parameter may have; any by default.
        idle: further parameters that change nothing.
    """

    name: str
    function: str
    noise: float = 0.0
    levels: int = 0
    idle: int = 0

    @property
    def dimensions(self) -> int:
        """The number of parameters."""
        return int(_FUNCTIONS[self.function].dim) + self.idle

    def truth(self, candidate: Candidate) -> float:
        """Return the value of a candidate, without noise."""
        function = _FUNCTIONS[self.function].double()
        values = [float(candidate.parameters[f"x{i}"]) for i in range(function.dim)]
        low, high = function.bounds
        return float(function(low + torch.tensor(values, dtype=torch.float64) * (high - low)))

    def related(self, candidate: Candidate) -> float:
        """Return the value a thirtieth of each range further on, halved and raised."""
        moved = {name: min(float(value) + _MOVED, 1.0) for name, value in candidate.parameters.items()}
        return 0.5 * self.truth(replace(candidate, parameters=moved)) + 1.0

    def unrelated(self, candidate: Candidate) -> float:
        """Return the value with the variables mirrored and in reverse order: as smooth, and it says nothing."""
        names, values = list(candidate.parameters), [float(value) for value in candidate.parameters.values()]
        mirrored = {name: 1.0 - value for name, value in zip(names, reversed(values), strict=True)}
        return self.truth(replace(candidate, parameters=mirrored))

    @property
    def hints(self) -> dict[str, Measure | None]:
        """What may be known beside the function, by name: nothing, what is related to it, or what is not."""
        return {_NONE: None, "related": self.related, "unrelated": self.unrelated}

    def regret(self, candidate: Candidate) -> float:
        """Return by how much a candidate misses the optimum; of a grid, that of the grid."""
        return self._optimum - self.truth(candidate)

    def regrets(self, candidates: Iterable[Candidate], marks: Sequence[int]) -> Regrets:
        """Return the regret of the best candidate after each number of experiments in ``marks``."""
        best = np.minimum.accumulate([self.regret(c) for c in islice(candidates, marks[-1])])
        return np.array([best[mark - 1] for mark in marks])

    @property
    def _optimum(self) -> float:
        function = _FUNCTIONS[self.function].double()
        if not self.levels:
            return float(function.optimal_value)
        axes = [torch.linspace(float(a), float(b), self.levels, dtype=torch.float64) for a, b in function.bounds.T]
        return float(function(torch.cartesian_prod(*axes)).max())

    def campaign(self, seed: int, trials: int, **changes: Any) -> Campaign:
        """Return a campaign that looks for its optimum."""
        one = {"kind": "float", "low": 0, "high": 1}
        if self.levels:
            one = {"kind": "ordinal", "levels": np.linspace(0.0, 1.0, self.levels).tolist()}
        names = [f"x{i}" for i in range(self.dimensions)]
        data: dict[str, Any] = {
            "name": "known",
            "seed": seed,
            "space": {"parameters": {name: {"unit": "1", **one} for name in names}},
            "metrics": {METRIC: {"kind": "measured", "unit": "1"}},
            "objective": {"terms": [{"goal": "maximise", "metric": METRIC, "scale": 1.0}]},
            "budget": {"trials": trials},
        }
        return Campaign.model_validate(data | looking([METRIC], names) | changes)


def begin() -> Console:
    """Keep this process to one thread and its libraries quiet, and return where progress is reported."""
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    return Console(stderr=True)


def compared(title: str, what: str, at: Sequence[str], found: Mapping[str, Sequence[Regrets]], note: str) -> Grid:
    """Return the regrets with each hint, campaign by campaign, beside those without one.

    Args:
        title: of the table.
        what: the hints are.
        at: each mark in words.
        found: name of each of a problem's hints to the regrets of campaigns, one for each seed.
        note: below the table.
    """
    header = (what, *(f"regret {mark}" for mark in at), f"against none {at[-1]}: better, worse")
    without = np.array(found[_NONE])
    rows = tuple(_beside(name, np.array(regrets), without) for name, regrets in found.items())
    return Grid(title, header, rows, (f"Median over {len(without)} campaigns of {note}",))


def _beside(name: str, regrets: Regrets, without: Regrets) -> tuple[str, ...]:
    better, worse = (regrets[:, -1] < without[:, -1]).sum(), (regrets[:, -1] > without[:, -1]).sum()
    return name, *(f"{value:.3f}" for value in np.median(regrets, axis=0)), f"{better}, {worse}"


def trials(problem: Problem, campaign: Campaign, sources: Sequence[Source] = ()) -> Iterator[TrialRecord]:
    """Yield the trials of a campaign without end, each with the gain still expected after it, if a rule needs it."""
    planner = Planner(campaign, Encoder(campaign.space), sources)
    noise = np.random.default_rng(campaign.seed)
    while True:
        number, candidate, proposal = planner.suggest()
        value = problem.truth(candidate) + problem.noise * noise.standard_normal()
        trial = completed(number, candidate, proposal, {METRIC: MetricValue(value, 0.0, "1")})
        planner.ingest(trial)
        wanted = bool(campaign.stopping) and proposal.modelled
        yield replace(trial, regret=planner.models.estimate_regret(planner.experiment.ended) if wanted else None)
