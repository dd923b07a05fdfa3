"""Kill a campaign at random instants until it has finished, and compare it with one that was left alone.

    python -m benchmarks.crash
    python -m benchmarks.crash --lab epics --kills 100

Each session is ended by ``kill -9`` after a random time of work; then the same command is given again. At the end
nothing may be lost, no step of a sample may have been begun twice, and the trials have to be those of an undisturbed
campaign: same candidates, same measurements, same order. With furnaces over EPICS see ``benchmarks.crash_epics``.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.crash_epics import crash
from benchmarks.errors import start
from campaigns.values import TrialState
from loop.storage.reader import Reader
from simulators.job_ledger import JobLedger

_CAMPAIGN = Path(__file__).parents[1] / "campaigns" / "calcination.yaml"
_BEGINS = "proposed"


class Lab(StrEnum):
    """Whose instruments are driven."""

    VIRTUAL = "virtual"
    EPICS = "epics"


def main(
    kills: Annotated[int, typer.Option(min=1, help="Sessions that are killed at most.")] = 12,
    trials: Annotated[int, typer.Option(min=1, help="Trials of the campaign.")] = 20,
    seed: Annotated[int, typer.Option(help="Of the instants.")] = 0,
    lab: Annotated[Lab, typer.Option(help="virtual, or epics: furnaces with a server of their own.")] = Lab.VIRTUAL,
) -> None:
    """Kill, go on, compare, and print the verdict."""
    console, generator = Console(), random.Random(seed)
    if lab is Lab.EPICS:
        place = Path(tempfile.mkdtemp(prefix="crash-"))
        console.print(f"seed {seed}; everything is kept in {place} unless all is well")
        if crash(place, kills, seed, console).wrong:
            sys.exit(1)
        shutil.rmtree(place)
        return
    with tempfile.TemporaryDirectory() as folder:
        left_alone, killed = Path(folder, "left_alone"), Path(folder, "killed")
        for place in (left_alone, killed):
            place.mkdir()
            (place / "test.yaml").write_text(_CAMPAIGN.read_text().replace("trials: 30", f"trials: {trials}"))
        _session(left_alone, None)
        count = 0
        while count < kills and _session(killed, generator.uniform(0.0, 4.0)):
            count += 1
            console.print(f"killed session {count}: {_states(killed)}")
        _session(killed, None)
        console.print(_verdict(left_alone, killed, count))


def _session(folder: Path, delay: float | None) -> bool:
    """Run the campaign, and kill it ``delay`` seconds after its first proposal; return whether it was killed."""
    command = [sys.executable, "-c", "from loop.cli.app import main; main()", "run", "test.yaml"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True)
    if process.stdout is None:
        raise RuntimeError("the session has no output to follow")
    timer: threading.Timer | None = None
    for line in process.stdout:
        if delay is not None and timer is None and (_BEGINS in line or "begins" in line):
            timer = threading.Timer(delay, os.kill, (process.pid, signal.SIGKILL))
            timer.start()
    code = process.wait()
    if timer is not None:
        timer.cancel()
    if code not in (0, -signal.SIGKILL):
        raise RuntimeError(f"the session ended with {code}")
    return code == -signal.SIGKILL


def _trials(folder: Path) -> list[Any]:
    store = folder / "test.db"
    return Reader(f"sqlite:///{store}").trials() if store.exists() else []


def _states(folder: Path) -> str:
    counts = Counter(trial.state.value for trial in _trials(folder))
    return ", ".join(f"{number} {state}" for state, number in sorted(counts.items()))


def _verdict(left_alone: Path, killed: Path, count: int) -> Table:
    expected, got = _trials(left_alone), _trials(killed)
    ledger = JobLedger(killed / "test.lab" / "instruments.jsonl")
    begun = Counter((entry.sample, entry.step) for entry in ledger)
    ledger.close()
    same = [_facts(t) for t in expected] == [_facts(t) for t in got]
    table = Table("what", "figure", title="kill -9 at random instants")
    table.add_row("sessions killed", str(count))
    table.add_row("trials", f"{len(got)} of {len(expected)}")
    table.add_row("steps begun", str(sum(begun.values())))
    table.add_row("steps begun twice", str(sum(n - 1 for n in begun.values())))
    table.add_row("trials uncertain", str(sum(t.state is TrialState.UNCERTAIN for t in got)))
    table.add_row("same trials, measurements and order", "yes" if same else "NO")
    return table


def _facts(trial: Any) -> tuple[Any, ...]:
    return (trial.number, trial.candidate, trial.state, trial.metrics, trial.score, trial.completed_order)


if __name__ == "__main__":
    start(main)
