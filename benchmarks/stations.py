"""How well stations are used: jobs of .2 to 2 s on the clock on the wall, against the same campaign without overhead.

    python -m benchmarks.stations

Three furnaces and a diffractometer, simulated, do their jobs in wall time; what the software adds to a job is what the
same campaign takes longer than on the virtual clock, which skips all but the jobs themselves. Then eight samples in one
load, against eight loads of one.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.errors import start
from campaigns.campaign import Campaign
from instruments.built_in import Setting
from instruments.clock import Clock, WallClock
from loop.core.campaign_records import CampaignRecord
from loop.core.records import TrialRecord
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.manager import Manager
from loop.execution.options import RunOptions
from loop.execution.session import CampaignResources, Session
from loop.planning.planner import Planner
from loop.storage.store import Store
from simulators.job_ledger import JobLedger
from simulators.lab_factory import lab_setup
from simulators.physics import CathodePhysics
from simulators.shared_state import LabState
from simulators.simulated_experiment import Reading, SimulatedExperiment
from simulators.virtual_clock import VirtualClock
from simulators.virtual_lab import SimulatedLab, virtual_instrument
from surrogates.models.encoder import Encoder

FURNACES = ("furnace_1", "furnace_2", "furnace_3")
_SHORT, _LONG, _SCAN = 0.2, 2.0, 0.4  # s: jobs of the furnaces, and the longest one of the diffractometer


def oven() -> SimulatedExperiment:
    """Return a furnace that holds for as long as it is told, and reads nothing."""
    settings = {"hold": Setting("s", (0.0, 10.0)), "dose": Setting("1", (0.0, 1.0))}
    return SimulatedExperiment(settings, {}, lambda _recipe, _structure: {}, lambda recipe: float(recipe["hold"]))


def beam() -> SimulatedExperiment:
    """Return a diffractometer that counts for as long as it is told."""
    settings = {"hold": Setting("s", (0.0, 10.0))}
    readings = {"signal": Reading("1", noise=0.01)}
    return SimulatedExperiment(
        settings, readings, lambda recipe, _structure: {"signal": float(recipe["hold"])}, lambda r: float(r["hold"])
    )


def campaign(
    trials: int,
    furnaces: Sequence[str] = FURNACES,
    *,
    initial: int | None = None,
    places: int = 1,
    duration: str | None = None,
) -> Campaign:
    """Return a campaign of so many trials.

    Args:
        trials: their number.
        furnaces: names of the stations.
        initial: trials of the initial design; all, unless models are to choose some.
        places: how many samples a furnace takes under one program, and the diffractometer in one scan.
        duration: how long a furnace's step is expected to take, where that is told.
    """
    load: dict[str, Any] = {"capacity": places} if places > 1 else {}
    made = {"kind": "simulated", "experiment": "benchmarks.stations:oven", **load}
    seen = {"kind": "simulated", "experiment": "benchmarks.stations:beam", **load}
    if load:
        made["shared"] = ["hold"]
    recipe = {"hold": "$hold", "dose": "$dose"}
    return Campaign.model_validate(
        {
            "name": "stations",
            "seed": 1,
            "space": {
                "parameters": {
                    "hold": {"kind": "float", "unit": "s", "low": _SHORT, "high": _LONG},
                    "scan": {"kind": "float", "unit": "s", "low": _SHORT, "high": _SCAN},
                    "dose": {"kind": "float", "unit": "1", "low": 0, "high": 1},
                }
            },
            "metrics": {"signal": {"kind": "measured", "unit": "1"}},
            "objective": {"terms": [{"goal": "maximise", "metric": "signal", "scale": 1}]},
            "planner": {"initial": initial or trials, "cost": "blind"},
            "lab": {"kind": "virtual"},
            "stations": {
                **dict.fromkeys(furnaces, made),
                "diffractometer": seen,
            },
            "workflow": [
                {
                    "name": "make",
                    "stations": list(furnaces),
                    "recipe": recipe,
                    "timeout": "1 min",
                    "duration": duration,
                },
                {
                    "name": "look",
                    "stations": ["diffractometer"],
                    "recipe": {"hold": "$scan"},
                    "analysis": "instruments.analyses.repeated_readings:means",
                    "gives": ["signal"],
                    "timeout": "1 min",
                },
            ],
            "budget": {"trials": trials},
        }
    )


@dataclass(frozen=True)
class Shift:
    """What the furnaces did.

    Attributes:
        jobs: of each furnace, start and end of each job in s of lab time, by when it began: the program alone.
        trials: all of the campaign.
    """

    jobs: dict[str, list[tuple[float, float]]]
    trials: tuple[TrialRecord, ...]

    @property
    def span(self) -> float:
        """From the first start to the last end of a furnace's job, in s."""
        every = [job for jobs in self.jobs.values() for job in jobs]
        return max(end for _, end in every) - min(begin for begin, _ in every)

    @property
    def utilisation(self) -> float:
        """The share of that for which furnaces were at their programs."""
        worked = sum(end - begin for jobs in self.jobs.values() for begin, end in jobs)
        return worked / (len(self.jobs) * self.span)

    @property
    def gaps(self) -> list[float]:
        """Time from the end of a furnace's program to the start of its next one, in s, shortest first."""
        each = (pairwise(jobs) for jobs in self.jobs.values())
        return sorted(after[0] - before[1] for pairs in each for before, after in pairs)


def work(plan: Campaign, folder: Path, *, wall: bool) -> Shift:
    """Run a campaign to its end, on the clock on the wall or on the one that skips waiting.

    Args:
        plan: the campaign.
        folder: where store and instruments keep what they remember.
        wall: whether jobs take wall time.
    """
    clock: Any = WallClock() if wall else VirtualClock(0.0)
    store = Store(f"sqlite:///{folder / 'stations.db'}")
    store.begin(CampaignRecord(plan.name, "", plan.seed, "", 0.0), {})
    planner = Planner(plan, Encoder(plan.space))
    dispatcher = Dispatcher(plan, _lab(plan, folder, clock), store, None)
    try:
        session = Session(store, clock, RunOptions(f"sqlite:///{store.path}", ""), lambda _event: None)
        Manager(CampaignResources(plan, None, planner), dispatcher, session, None).run()
        trials = tuple(store.trials())
    finally:
        dispatcher.close()
        store.close("done")
    return Shift(_jobs(plan, folder), trials)


def _lab(plan: Campaign, folder: Path, clock: Clock) -> SimulatedLab:
    setup = lab_setup(plan, (), folder / "lab", 0.0)
    bench = LabState(setup, clock, CathodePhysics({}), JobLedger(folder / "lab" / "instruments.jsonl"))
    return SimulatedLab(bench, {name: virtual_instrument(kind, name, bench) for name, kind in setup.stations.items()})


def _jobs(plan: Campaign, folder: Path) -> dict[str, list[tuple[float, float]]]:
    ledger = JobLedger(folder / "lab" / "instruments.jsonl")
    made = [job for job in ledger if job.instrument != "diffractometer"]
    ledger.close()
    return {
        name: [(job.started, job.started + float(job.recipe["hold"])) for job in made if job.instrument == name]
        for name in plan.workflow[0].stations
    }


@dataclass(frozen=True)
class Comparison:
    """The same campaign on both clocks."""

    wall: Shift
    bound: Shift

    @property
    def overhead(self) -> float:
        """What the software adds to a furnace's job, in s: what all took longer, for each of those of one furnace."""
        longest = max(len(jobs) for jobs in self.wall.jobs.values())
        return (self.wall.span - self.bound.span) / longest


def compare(plan: Campaign) -> Comparison:
    """Run a campaign on both clocks."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        return Comparison(work(plan, Path(one), wall=True), work(plan, Path(other), wall=False))


def main(trials: int = typer.Option(40, min=4, help="Trials of the campaign.")) -> None:
    """Measure, and print the tables."""
    console = Console()
    table = Table(
        "campaign", "utilisation", "without overhead", "ms a job", "gap, median (ms)", "gap, longest 5 % (ms)"
    )
    for name, plan in (
        ("initial design", campaign(trials)),
        ("a model chooses", campaign(trials, initial=6)),
    ):
        found = compare(plan)
        gaps = found.wall.gaps
        table.add_row(
            name,
            f"{100 * found.wall.utilisation:.1f} %",
            f"{100 * found.bound.utilisation:.1f} %",
            f"{1000 * found.overhead:.0f}",
            *(f"{1000 * gaps[int(share * (len(gaps) - 1))]:.0f}" for share in (0.5, 0.95)),
        )
    console.print(table)
    console.print(_loads())
    console.print(_between_loads())


def _loads() -> Table:
    """Return how long eight samples take in one load, and in eight of one."""
    table = Table("eight samples", "furnace jobs", "time (s)", "without overhead (s)")
    for name, capacity in (("one load of eight", 8), ("eight loads of one", 1)):
        found = compare(campaign(8, FURNACES[:1], places=capacity))
        count = sum(map(len, found.wall.jobs.values()))
        table.add_row(name, str(count), f"{found.wall.span:.2f}", f"{found.bound.span:.2f}")
    return table


def _between_loads() -> Table:
    """Return how long a furnace stands still between loads of eight, told how long a program takes or not."""
    table = Table("four loads of eight", "time (s)", "gap, median (ms)", "gap, longest (ms)")
    for name, duration in (("duration unknown", None), ("duration told", "hold")):
        plan = campaign(32, FURNACES[:1], initial=8, places=8, duration=duration)
        with tempfile.TemporaryDirectory() as folder:
            found = work(plan, Path(folder), wall=True)
        gaps = found.gaps
        table.add_row(name, f"{found.span:.2f}", f"{1000 * gaps[len(gaps) // 2]:.0f}", f"{1000 * gaps[-1]:.0f}")
    return table


if __name__ == "__main__":
    start(main)
