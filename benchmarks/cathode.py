"""How many trials the planner needs to find one of the best candidates, on one virtual lab.

It is compared with itself seeing only compositions, without any prior, and with random choice.

    python -m benchmarks.cathode

A candidate counts as one of the best when its true score, without noise, lies within the top 1 % of candidates that are
drawn uniformly from the space; those that break an outcome constraint count as the worst. The acceleration factor is
the ratio of the median numbers of trials (Rohr et al. 2020, Chem. Sci. 11, 2696); a campaign that finds none within its
budget counts with the budget (censored), so that a factor against it is too small.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import start

_RESULTS = Path(__file__).with_name("results") / "cathode.jsonl"


def main(
    seeds: Annotated[int, typer.Option(min=2, help="Campaigns of each kind.")] = 10,
    trials: Annotated[int, typer.Option(min=2, help="Trials of each campaign that plans.")] = 60,
    jobs: Annotated[int, typer.Option(min=1, help="Campaigns at the same time.")] = 1,
    results: Annotated[Path, typer.Option(help="File of finished campaigns; they are not run again.")] = _RESULTS,
) -> None:
    """Run the benchmark, or what is left of it, and print the table."""
    logging.disable(logging.INFO)  # Ax logs as soon as it is imported
    from benchmarks.runner import Benchmark, compare

    compare(Benchmark(seeds, trials, jobs, results))


if __name__ == "__main__":
    start(main)
