"""What earlier measurements gain where they help, and cost where they mislead: ``python -m benchmarks.transfer``.

The campaign looks for the optimum of Hartmann's function of six variables, and sources measured what is related to it,
or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from benchmarks.environment import wide_console
from benchmarks.errors import start
from benchmarks.grids import shown
from benchmarks.lab import METRIC, Measure, Problem, Regrets, begin, compared, trials
from campaigns.values import Candidate, MetricValue
from campaigns.warm_start import Record, Source
from loop.sampling.candidates import sobol

_PROBLEM = Problem("Hartmann6", "hartmann6")
_MARKS = (10, 15, 20, 25)
_KNOWN = 60  # measurements of a source


def main(
    seeds: Annotated[int, typer.Option(min=1, help="Campaigns of each arm.")] = 20,
) -> None:
    """Print the regret after some experiments with each source and without one."""
    progress = begin()
    found: dict[str, list[Regrets]] = {}
    for seed in range(seeds):
        for name, measure in _PROBLEM.hints.items():
            sources = [] if measure is None else [_source(name, measure, seed)]
            found.setdefault(name, []).append(_regrets(seed, sources))
            progress.print(seed, name, found[name][-1].round(3).tolist())
    at, note = [f"by {mark}" for mark in _MARKS], "the regret of the best candidate so far."
    wide_console().print(shown(compared("transfer", "source", at, found, note)))


def _regrets(seed: int, sources: Sequence[Source]) -> Regrets:
    """Return the regret of the best candidate by each mark."""
    campaign = _PROBLEM.campaign(seed, _MARKS[-1])
    return _PROBLEM.regrets((trial.candidate for trial in trials(_PROBLEM, campaign, sources)), _MARKS)


def _source(name: str, measure: Measure, seed: int) -> Source:
    space = _PROBLEM.campaign(seed, _MARKS[-1]).space
    known = [Candidate(setting) for setting in sobol(space, _KNOWN, seed + 1000)]
    return Source(name, (METRIC,), tuple(Record(c, {METRIC: MetricValue(measure(c), 0.0, "1")}) for c in known))


if __name__ == "__main__":
    start(main)
