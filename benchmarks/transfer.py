"""What earlier measurements gain where they help, and cost where they mislead: ``python -m benchmarks.transfer``.

The campaign looks for the optimum of Hartmann's function of six variables, and sources measured what is related to it,
or not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Annotated

import numpy as np
import torch
import typer
from rich.console import Console

from benchmarks.environment import wide_console
from benchmarks.errors import start
from benchmarks.grids import Grid, shown
from benchmarks.lab import METRIC, Problem, Regrets, trials
from campaigns.values import Candidate, MetricValue
from campaigns.warm_start import Record, Source
from loop.sampling import sobol

_PROBLEM = Problem("Hartmann6", "hartmann6")
_MARKS = (10, 15, 20, 25)
_KNOWN = 60  # measurements of a source


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Campaigns of each arm.")] = 20,
) -> None:
    """Print the regret after some experiments with each source and without one."""
    logging.disable(logging.INFO)
    torch.set_num_threads(1)
    progress = Console(stderr=True)
    found: dict[str, list[Regrets]] = {"none": [], "related": [], "unrelated": []}
    for seed in range(seeds):
        for name, measure in (("none", None), ("related", _PROBLEM.related), ("unrelated", _PROBLEM.unrelated)):
            found[name].append(_regrets(seed, [] if measure is None else [_source(name, measure, seed)]))
            progress.print(seed, name, found[name][-1].round(3).tolist())
    header = ("source", *(f"regret by {mark}" for mark in _MARKS), f"against none by {_MARKS[-1]}: better, worse")
    rows = tuple(_row(name, np.array(each), np.array(found["none"])) for name, each in found.items())
    note = f"Median over {seeds} campaigns of the regret of the best candidate so far."
    wide_console().print(shown(Grid("transfer", header, rows, (note,))))


def _regrets(seed: int, sources: Sequence[Source]) -> Regrets:
    """Return the regret of the best candidate by each mark."""
    campaign = _PROBLEM.campaign(seed, _MARKS[-1])
    return _PROBLEM.regrets((trial.candidate for trial in trials(_PROBLEM, campaign, sources)), _MARKS)


def _source(name: str, measure: Callable[[Candidate], float], seed: int) -> Source:
    space = _PROBLEM.campaign(seed, _MARKS[-1]).space
    known = [Candidate(setting) for setting in sobol(space, _KNOWN, seed + 1000)]
    return Source(name, (METRIC,), tuple(Record(c, {METRIC: MetricValue(measure(c), 0.0, "1")}) for c in known))


def _row(name: str, regrets: Regrets, without: Regrets) -> tuple[str, ...]:
    better, worse = (regrets[:, -1] < without[:, -1]).sum(), (regrets[:, -1] > without[:, -1]).sum()
    return name, *(f"{value:.3f}" for value in np.median(regrets, axis=0)), f"{better}, {worse}"


if __name__ == "__main__":
    start(main)
