"""How soon each engine finds the best of real experiments, and how near it comes to known optima.

    python -m benchmarks.planner --data DIR

DIR holds a folder for each table of experiments, in the layout of Olympus: data.csv without a header, parameters before
measurements, and config.json that names them and says whether the first measurement is to be large or small. Every
third table by name is held out and reported apart. Finished campaigns are kept, and only what is missing is run.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.errors import start

_RESULTS = Path(__file__).parents[1] / "results" / "planner.jsonl"


def main(
    data: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder with a folder for each table.")],
    seeds: Annotated[int | None, typer.Option(min=1, help="Campaigns of each engine; 20 or 10 by its cost.")] = None,
    engines: Annotated[str, typer.Option(help="Names of engines, with commas; all by default.")] = "",
    tasks: Annotated[str, typer.Option(help="Names of tasks, with commas; all by default.")] = "",
    jobs: Annotated[int, typer.Option(min=1, help="Campaigns at the same time.")] = 1,
    robustness: Annotated[bool, typer.Option(help="Faulty readings, four stations, uneven noise, too.")] = False,
    costs: Annotated[bool, typer.Option(help="Seconds per suggestion, memory and import times, too.")] = False,
    cap: Annotated[float, typer.Option(min=0.1, help="Seconds of a suggestion beyond which no more is timed.")] = 20.0,
    results: Annotated[Path, typer.Option(help="File of what is computed already.")] = _RESULTS,
    markdown: Annotated[Path | None, typer.Option(help="File to write the tables to.")] = None,
) -> None:
    """Run the benchmark, or what is left of it, and print the tables."""
    logging.disable(logging.INFO)  # Ax logs as soon as it is imported
    from benchmarks.planner.run import Benchmark, Chosen, show

    chosen = Chosen(_names(engines), _names(tasks), robustness, costs, cap)
    show(Benchmark(data, seeds, jobs, results, markdown), chosen)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


if __name__ == "__main__":
    start(main)
