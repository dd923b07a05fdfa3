"""What each engine costs: seconds per suggestion, memory, and the time until it can be asked."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.progress import track

from benchmarks.grids import Grid
from benchmarks.ledger import Ledger, code_hash, key_of
from benchmarks.planner.engine import Arm
from benchmarks.planner.probe import Cost, Kind

SIZES = (10, 30, 60, 100, 200, 400, 1000, 2000)
"""Numbers of measurements that an engine has seen."""

_GROWN = 0.1  # of the measurements, after which a planner that fits rarely has refitted
_ENDS = (100, 2000)  # between which growth is reported
_MIDDLE = 60  # measurements at which memory and large pools are looked at
_ROOT = Path(__file__).parents[2]
_PATIENCE = 20.0  # caps that a process may take in all, by the clock
_BEGINNING = 120.0  # seconds more for imports and compilers
_HEADER = ("engine", *(str(n) for n in SIZES), f"growth, {_ENDS[0]} to {_ENDS[1]:,}")
_LATE = Cost(unfit="took too long")


@dataclass(frozen=True, slots=True)
class _Question:
    """What is measured of an arm.

    Attributes:
        compiler: whether a C++ compiler can be found.
    """

    kind: Kind
    count: int
    compiler: bool = True


_FURTHER = (
    _Question("large pool", _MIDDLE),
    _Question("two objectives", 10),
    _Question("two objectives", 10, compiler=False),
)


def costs(arms: Sequence[Arm], ledger: Ledger, console: Console, cap: float) -> list[Grid]:
    """Measure what is not on record yet, and return the tables.

    Args:
        cap: processor seconds of a suggestion; after a slower one, more measurements are not tried.
    """
    desk = _Desk(ledger, cap)
    by_size = [(arm, desk.sizes(arm)) for arm in track(arms, "seconds per suggestion", console=console)]
    further = [
        (arm, sizes.get(_MIDDLE, _LATE), [desk.ask(arm, q) for q in _FURTHER])
        for arm, sizes in track(by_size, "memory and first suggestions", console=console)
    ]
    return [_sizes(by_size), _fits(by_size), _further(further)]


@dataclass(frozen=True)
class _Desk:
    """Where costs are asked for, and kept."""

    ledger: Ledger
    cap: float

    def sizes(self, arm: Arm) -> dict[int, Cost]:
        """Return the costs after each number of measurements, until one is above the cap."""
        found: dict[int, Cost] = {}
        for count in SIZES:
            cost = self.ask(arm, _Question("pool", count))
            if cost.unfit:
                break
            found[count] = cost
            if cost.cpu > self.cap:
                break
        return found

    def ask(self, arm: Arm, question: _Question) -> Cost:
        """Return a cost, from the record if it is there."""
        about = {"arm": arm.name, "about": arm.about, "code": code_hash((*arm.code, "benchmarks/planner/probe.py"))}
        versions = {name: version(name) for name in arm.distributions}
        key = key_of({"cost": asdict(question), **about, "versions": versions})
        entry = self.ledger.find(key)
        if entry is not None:
            return Cost(**entry["cost"])
        cost = _measured(arm, question, _BEGINNING + self.cap * _PATIENCE)
        if cost != _LATE:  # with more patience, it may be in time
            self.ledger.add(key, {"arm": arm.name, "question": asdict(question), "cost": asdict(cost)})
        return cost


def _measured(arm: Arm, question: _Question, patience: float) -> Cost:
    """Return a cost as a fresh process measures it; its extensions are compiled again."""
    command = [sys.executable, "-m", "benchmarks.planner.probe", arm.name, question.kind, str(question.count)]
    with tempfile.TemporaryDirectory() as folder:
        extra = {"TORCH_EXTENSIONS_DIR": folder, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
        without = {} if question.compiler else {"CXX": f"{folder}/none", "CC": f"{folder}/none", "PATH": folder}
        try:
            done = subprocess.run(
                command,
                env={**os.environ, **extra, **without},
                capture_output=True,
                text=True,
                timeout=patience,
                check=True,
            )
        except subprocess.TimeoutExpired:
            return _LATE
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _sizes(found: Sequence[tuple[Arm, dict[int, Cost]]]) -> Grid:
    """Return the table of processor seconds per suggestion."""
    note = "Median of three, learning one reading included; one thread. Growth: exponent of n. –: above the cap."
    return Grid("processor seconds per suggestion from 1,000 rows, by measurements", _HEADER, _rows(found), (note,))


def _fits(found: Sequence[tuple[Arm, dict[int, Cost]]]) -> Grid:
    """Return the same table with a share of what is fitted rarely."""
    spread = [(arm, {n: replace(cost, cpu=_mean(n, cost)) for n, cost in costs.items()}) for arm, costs in found]
    note = (
        "The same with the first suggestion, which learns all readings and fits all there is to fit, spread over as "
        "many as make the measurements grow by a tenth: then, a planner that does not fit each time has refitted."
    )
    return Grid("processor seconds per suggestion, fits included", _HEADER, _rows(spread), (note,))


def _rows(found: Sequence[tuple[Arm, dict[int, Cost]]]) -> tuple[tuple[str, ...], ...]:
    return tuple((arm.name, *_by_size(costs), _growth(costs)) for arm, costs in found if costs)


def _mean(count: int, cost: Cost) -> float:
    return cost.cpu + max(cost.whole - cost.cpu, 0.0) / max(_GROWN * count, 1.0)


def _by_size(found: dict[int, Cost]) -> Iterator[str]:
    return (f"{found[n].cpu:.3f}" if n in found else "–" for n in SIZES)


def _growth(found: dict[int, Cost]) -> str:
    if not set(_ENDS) <= set(found):
        return "–"
    low, high = _ENDS
    return f"{math.log(found[high].cpu / found[low].cpu) / math.log(high / low):.1f}"


def _further(found: Sequence[tuple[Arm, Cost, list[Cost]]]) -> Grid:
    header = (
        "engine",
        "import and start, s",
        "memory, MB",
        "100,000 rows, s",
        "first of two objectives, wall s",
        "without a compiler, wall s",
    )
    rows = tuple(
        (
            arm.name,
            _shown(middle, f"{middle.start:.2f}"),
            _shown(middle, f"{middle.memory / 1e6:.0f}"),
            _shown(large, f"{large.cpu:.2f}"),
            *(_shown(two, f"{two.first:.2f}") for two in pair),
        )
        for arm, middle, (large, *pair) in found
    )
    note = f"After {_MIDDLE} measurements in a pool of 1,000 rows unless it says otherwise; a fresh process for each."
    return Grid("start, memory, large pools and first suggestions", header, rows, (note,))


def _shown(cost: Cost, text: str) -> str:
    return "–" if cost.unfit else text
