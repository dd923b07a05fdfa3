"""What a cheaper version of a measurement saves where it helps, and costs where it misleads.

``python -m benchmarks.fidelity``. The campaign looks for the optimum of Hartmann's functions. A full measurement costs
ten times as much as a cheap one, which is of what is related to the function, or not; the planner decides which to buy.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.environment import wide_console
from benchmarks.errors import start
from benchmarks.grids import shown
from benchmarks.lab import METRIC, Measure, Problem, Regrets, begin, compared
from benchmarks.trials import completed
from campaigns.campaign import Campaign
from campaigns.fidelity import FULL, cheap_name
from campaigns.values import MetricValue
from loop.planning.planner import Planner
from surrogates.models.encoder import Encoder

_PROBLEMS = (Problem("Hartmann3", "hartmann3"), Problem("Hartmann6", "hartmann6"))
_MARKS = (10, 15, 20, 25)  # what was paid, in full measurements
_CHEAP = "cheap"
_COSTS = {FULL: 10.0, _CHEAP: 1.0}


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Campaigns of each arm.")] = 20,
) -> None:
    """Print the regret at some costs with each cheap version and without one."""
    progress = begin()
    at = [f"at {mark}" for mark in _MARKS]
    note = "the regret of the best full measurement; costs in full measurements."
    for problem in _PROBLEMS:
        found: dict[str, list[Regrets]] = {}
        for seed in range(seeds):
            for name, measure in problem.hints.items():
                found.setdefault(name, []).append(_regrets(problem, seed, measure))
                progress.print(problem.name, seed, name, found[name][-1].round(3).tolist())
        wide_console().print(shown(compared(problem.name, "cheap version", at, found, note)))


def _regrets(problem: Problem, seed: int, measure: Measure | None) -> Regrets:
    """Return the regret of the best full measurement by each cost."""
    spent, best = [0.0], [np.inf]
    for fidelity, regret in _bought(problem, _campaign(problem, seed, measure is not None), measure):
        spent.append(spent[-1] + _COSTS[fidelity] / _COSTS[FULL])
        best.append(min(best[-1], regret if fidelity == FULL else np.inf))
        if spent[-1] >= _MARKS[-1]:
            break
    return np.array([best[int(np.searchsorted(spent, mark + 1e-9)) - 1] for mark in _MARKS])


def _bought(problem: Problem, campaign: Campaign, measure: Measure | None) -> Iterator[tuple[str, float]]:
    """Yield the fidelity of each trial of a campaign, and the regret of its candidate; without end."""
    planner = Planner(campaign, Encoder(campaign.space))
    while True:
        number, candidate, proposal = planner.suggest()
        full = proposal.fidelity == FULL or measure is None
        name = METRIC if full else cheap_name(proposal.fidelity, METRIC)
        value = problem.truth(candidate) if full or measure is None else measure(candidate)
        planner.ingest(completed(number, candidate, proposal, {name: MetricValue(value, 0.0, "1")}))
        yield proposal.fidelity, problem.regret(candidate)


def _campaign(problem: Problem, seed: int, cheap: bool) -> Campaign:
    plain = problem.campaign(seed, _MARKS[-1])
    step = plain.workflow[0].model_dump() | {"cost": _COSTS[FULL]}
    lower: dict[str, Any] = {"kind": "computed", "function": "benchmarks.fidelity:main", "gives": [METRIC]}
    fidelities = {_CHEAP: lower | {"cost": _COSTS[_CHEAP]}} if cheap else {}
    return problem.campaign(seed, _MARKS[-1], workflow=[step], fidelities=fidelities)


if __name__ == "__main__":
    start(main)
