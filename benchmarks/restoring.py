"""How long the experiment of Ax takes to hold the trials of a store again, and how much memory they take.

    python -m benchmarks.restoring

The campaign is made up: one parameter, one metric, every trial completed. Its data are given to Ax at once.
"""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.errors import start
from benchmarks.looking import looking
from campaigns.campaign import Campaign
from campaigns.values import Candidate, MetricValue, TrialState
from loop.cli.memory import peak_memory
from loop.core.proposals import MODEL, Proposal
from loop.core.records import TrialRecord
from loop.planning.experiment import CampaignExperiment


def main(trials: Annotated[int, typer.Option(min=10, help="Trials of the larger of two stores.")] = 2_000) -> None:
    """Measure and print the table."""
    table = Table(title="trials taken up")
    for name in ("trials", "CPU s", "memory / MB"):
        table.add_column(name, justify="right")
    CampaignExperiment(_campaign()).restore(_trials(10))  # what is imported and prepared once does not count
    for count in (trials // 10, trials):
        stored, before = _trials(count), peak_memory()
        began = time.process_time()
        CampaignExperiment(_campaign()).restore(stored)
        seconds = time.process_time() - began
        table.add_row(f"{count:,}", f"{seconds:.3f}", f"{(peak_memory() - before) / 2**20:.0f}")
    Console().print(table)


def _campaign() -> Campaign:
    data: dict[str, Any] = {
        "name": "restoring",
        "seed": 0,
        "space": {"parameters": {"x": {"kind": "float", "unit": "1", "low": 0, "high": 1}}},
        "metrics": {"merit": {"kind": "measured", "unit": "1"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "merit", "scale": 1}]},
        "budget": {"trials": 1},
    }
    return Campaign.model_validate(data | looking(["merit"], ["x"]))


def _trials(count: int) -> list[TrialRecord]:
    return [_trial(number, number / count) for number in range(count)]


def _trial(number: int, x: float) -> TrialRecord:
    return TrialRecord(
        number=number,
        candidate=Candidate({"x": x}),
        state=TrialState.COMPLETED,
        reason="",
        proposal=Proposal(MODEL),
        metrics={"merit": MetricValue(x, 0.1, "1")},
        flags=(),
        score=x,
        score_sd=0.1,
        feasible=True,
        completed_order=number,
        created=0.0,
        ended=1.0,
        steps=(),
    )


if __name__ == "__main__":
    start(main)
