"""How soon each way of choosing finds the best materials of pools of crystals, on data that the project does not hold.

    python -m benchmarks.pools --data DIR

DIR holds a folder for each pool, with tables that have a column ``cif`` and columns of numbers; ``perovskites`` has
three tasks of its own (lowest heat_all, largest dir_gap, both weighted), any other pool the lowest of its energies.
Measurements are read from the tables, with noise. Finished campaigns are kept, and only what is missing is computed.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import start

_RESULTS = Path(__file__).parents[1] / "results" / "pools.jsonl"


def main(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder with a folder for each pool.")],
    seeds: Annotated[int, typer.Option(min=2, help="Campaigns of each arm on each task.")] = 10,
    arms: Annotated[str, typer.Option(help="Names of arms, with commas; all by default.")] = "",
    tasks: Annotated[str, typer.Option(help="Names of tasks, with commas; all by default.")] = "",
    task: Annotated[list[str] | None, typer.Option(help="A further task: pool:column:min or pool:column:max.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Campaigns at the same time.")] = 1,
    results: Annotated[Path, typer.Option(help="File of what is computed already.")] = _RESULTS,
    markdown: Annotated[Path | None, typer.Option(help="File to write the tables to.")] = None,
) -> None:
    """Run the benchmark, or what is left of it, and print the tables."""
    logging.disable(logging.INFO)  # Ax logs as soon as it is imported
    from benchmarks.pools.run import Benchmark, Chosen, show

    chosen = Chosen(_names(arms), _names(tasks), tuple(task or ()))
    show(Benchmark(data, seeds, jobs, results, markdown), chosen)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    start(main)
