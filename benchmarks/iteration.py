"""How long the planner thinks in one iteration on a large pool, learning included, and how much memory it takes.

    python -m benchmarks.iteration

The pool is made up: five views of the usual widths, and a metric that depends on two of them. An iteration learns from
all measurements and chooses a batch; hyper-parameters are fitted in some of the iterations, as in a campaign.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.errors import start
from benchmarks.looking import looking
from benchmarks.statistics import quartiles
from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue
from loop.cli.memory import peak_memory
from loop.planning.acquisition import choose
from loop.planning.fitting import FitCaches, fit_posterior
from loop.planning.mc_objective import OptimizationProblem
from loop.planning.posterior import TrainingData
from surrogates.models.encoder import Encoder, MaterialTable

_WIDTHS = {"chgnet": 40, "sites": 40, "composition": 40, "physical": 13, "valence": 6}
_NOISE = 0.02
_SIZES = (5_000, 100_000)


@dataclass(frozen=True)
class World:
    """A made-up pool and the truth about it."""

    problem: OptimizationProblem
    truth: NDArray[np.float64]

    def history(self, places: list[int], metrics: list[MetricValue]) -> TrainingData:
        """Return what was measured at these places."""
        done = [Candidate({}, str(place)) for place in places]
        return TrainingData(done, {"gap": metrics}, (), frozenset(c.key() for c in done))

    def measure(self, place: int) -> MetricValue:
        """Return a measurement."""
        return MetricValue(float(self.truth[place]), _NOISE, "eV")


def main(
    measured: Annotated[int, typer.Option(min=20, help="Measurements before the first iteration.")] = 200,
    iterations: Annotated[int, typer.Option(min=3, help="Iterations on each pool.")] = 12,
    batch: Annotated[int, typer.Option(min=1, help="Candidates chosen in an iteration.")] = 5,
) -> None:
    """Measure and print the table."""
    torch.set_num_threads(1)
    table = Table(title=f"one iteration at {measured} measurements, batches of {batch}, one thread")
    for name in ("pool", "find", "CPU s: median", "largest", "per candidate", "peak memory / GiB"):
        table.add_column(name, justify="right")
    for size in _SIZES:
        for find in ("many", "best"):
            seconds = _seconds(_world(size, find), measured, iterations, batch)
            median, largest = quartiles(seconds).median, max(seconds)
            memory = peak_memory() / 2**30
            table.add_row(
                f"{size:,}", find, f"{median:.3f}", f"{largest:.3f}", f"{median / batch:.3f}", f"{memory:.2f}"
            )
    Console().print(table)


def _seconds(world: World, measured: int, iterations: int, batch: int) -> list[float]:
    """Return the processor seconds of each iteration."""
    places = [int(i) for i in np.random.default_rng(1).permutation(len(world.truth))[:measured]]
    metrics = [world.measure(place) for place in places]
    caches: FitCaches = {}
    fit_posterior(world.problem, world.history(places, metrics), caches=caches)  # libraries warm up
    found = []
    for number in range(iterations):
        started = time.process_time()
        history = world.history(places, metrics)
        posterior = fit_posterior(world.problem, history, caches=caches)
        chosen: list[Candidate] = []
        for _ in range(batch):
            seen = history.seen | {c.key() for c in chosen}
            chosen.append(
                choose(posterior, TrainingData(history.done, history.metrics, chosen, seen), number).candidate
            )
        found.append(time.process_time() - started)
        places += [int(str(c.material)) for c in chosen]
        metrics += [world.measure(place) for place in places[-batch:]]
    return found


def _world(size: int, find: str) -> World:
    rng = np.random.default_rng(0)
    views = {name: rng.normal(size=(size, width)) / np.sqrt(2 * width) for name, width in _WIDTHS.items()}
    truth = np.sin(3 * views["chgnet"][:, :8].sum(axis=1)) + views["sites"][:, :4].sum(axis=1)
    campaign = Campaign.model_validate(_campaign(find))
    table = MaterialTable(tuple(map(str, range(size))), views, {})
    return World(OptimizationProblem(campaign, Encoder(campaign.space, table)), truth)


def _campaign(find: str) -> Mapping[str, Any]:
    return {
        "name": "iteration",
        "seed": 0,
        "space": {"pool": {"kind": "generator", "function": "benchmarks.iteration:pool"}},
        "metrics": {"gap": {"kind": "measured", "unit": "eV"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "gap", "scale": 1.0}], "find": {"kind": find}},
        "budget": {"trials": 1000},
    } | looking(["gap"])


if __name__ == "__main__":
    start(main)
