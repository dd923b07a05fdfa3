"""What the region is worth in twenty dimensions: ``python -m benchmarks.region``.

Ackley's function of twenty variables in [-5, 10], with the planner as it is, with the same planner looking everywhere,
and with random candidates. All of them begin with the same twenty experiments.
"""

from __future__ import annotations

from typing import Annotated
from unittest.mock import patch

import numpy as np
import typer

from benchmarks.environment import wide_console
from benchmarks.errors import start
from benchmarks.grids import Grid, shown
from benchmarks.lab import Problem, Regrets, begin, trials
from campaigns.values import Candidate
from loop.sampling.candidates import sobol

_PROBLEM = Problem("Ackley20", "ackley20")
_INITIAL = 20
_MARKS = (20, 30, 40, 50)


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Campaigns of each arm.")] = 5,
) -> None:
    """Print the regret after some experiments of each arm."""
    progress = begin()
    found: dict[str, list[Regrets]] = {"region": [], "everywhere": [], "random": []}
    for seed in range(seeds):
        found["region"].append(_planned(seed))
        with patch("loop.planning.planner.region", return_value=None):
            found["everywhere"].append(_planned(seed))
        found["random"].append(_random(seed))
        progress.print(seed, {name: each[-1].round(2).tolist() for name, each in found.items()})
    header = ("candidates from", *(f"regret by {mark}" for mark in _MARKS))
    rows = tuple((name, *(f"{x:.2f}" for x in np.median(each, axis=0))) for name, each in found.items())
    note = f"Median over {seeds} campaigns of the regret of the best candidate so far."
    wide_console().print(shown(Grid("region", header, rows, (note,))))


def _planned(seed: int) -> Regrets:
    campaign = _PROBLEM.campaign(seed, _MARKS[-1], planner={"initial": _INITIAL})
    return _PROBLEM.regrets((trial.candidate for trial in trials(_PROBLEM, campaign)), _MARKS)


def _random(seed: int) -> Regrets:
    space = _PROBLEM.campaign(seed, _MARKS[-1]).space
    return _PROBLEM.regrets((Candidate(setting) for setting in sobol(space, _MARKS[-1], seed)), _MARKS)


if __name__ == "__main__":
    start(main)
