"""Whether 100,000 structures fit: a pool is built, embedded, opened and planned on, each in a process of its own.

    python -m benchmarks.large_pool

The structures are cubic perovskites of most metals, made up, in a CSV file of POSCAR. Embedding by CHGNet is killed
(SIGKILL) in the middle and begun again: what is then still missing tells what was lost. What is measured of the
materials is made up from a view.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement, islice
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from pymatgen.core import Element
from rich.progress import track
from rich.table import Table

from benchmarks.environment import wide_console
from benchmarks.errors import start
from benchmarks.looking import looking
from benchmarks.trials import completed
from campaigns.campaign import Campaign
from campaigns.relative_paths import PARENT
from campaigns.values import MetricValue
from loop.cli.memory import peak_memory
from loop.planning.planner import Planner
from loop.planning.pool_data import PoolData, build_encoder, build_pool_data
from surrogates.features.factory import build_embedder
from surrogates.pools.pool import Pool, load_pool
from surrogates.pools.pool_embeddings import embed_pool

_ANIONS = ("O", "F", "S", "Cl", "N", "Br", "Se")
_MEASURED = 200
_SUGGESTED = 5
_POSCAR = """perovskite
{edge:.4f}
1 0 0
0 1 0
0 0 1
{symbols}
1 1 1 1 1
direct
0 0 0
.5 .5 .5
.5 .5 0
.5 0 .5
0 .5 .5
"""
_STAGE = """
import sys
from pathlib import Path
from benchmarks import large_pool
large_pool.stage({name!r}, Path(sys.argv[1]))
"""


@dataclass(frozen=True)
class Account:
    """What a stage has cost.

    Attributes:
        wall: seconds.
        cpu: processor seconds, with those of its workers; None where it was killed.
        memory: of its largest process, in GiB; None where it was killed.
        words: what it says.
    """

    wall: float
    cpu: float | None
    memory: float | None
    words: str


def main(
    entries: Annotated[int, typer.Option(min=500, max=100_000, help="Structures in the pool.")] = 100_000,
) -> None:
    """Measure, and print the table."""
    table = Table(title=f"a pool of {entries:,} structures")
    for name in ("stage", "wall s", "CPU s", "largest process / GiB"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    table.add_column("seen")
    stages = ("build", "embed, killed", "embed", "open", "plan")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, entries)
        for each in track(stages, description="stages", transient=True):
            found = _killed(folder, entries // 2) if each == "embed, killed" else _alone(each, folder)
            cpu = "" if found.cpu is None else f"{found.cpu:.0f}"
            memory = "" if found.memory is None else f"{found.memory:.2f}"
            table.add_row(each, f"{found.wall:.0f}", cpu, memory, found.words)
    wide_console().print(table)


def write(folder: Path, entries: int) -> None:
    """Write the pool's file."""
    with (folder / "pool.csv").open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["cif"])
        rows.writerows([text] for text in islice(_perovskites(), entries))


def _perovskites() -> Iterator[str]:
    """Yield different cubic cells A B X X' X'' as POSCAR, with an edge, in Å, that leaves room for the atoms' radii."""
    metals = [e for e in map(Element.from_Z, range(3, 84)) if e.is_metal and e.atomic_radius]
    for anions in combinations_with_replacement(_ANIONS, 3):
        for a, b in combinations(metals, 2):
            edge = 2.0 * float(b.atomic_radius or 0.0) + 0.1 * float(a.atomic_radius or 0.0) + 1.3
            yield _POSCAR.format(edge=edge, symbols=" ".join((a.symbol, b.symbol, *anions)))


def _alone(name: str, folder: Path) -> Account:
    """Run a stage in a process of its own."""
    command, around = _command(name, folder), _surroundings(folder)
    done = subprocess.run(command, env=around, check=True, stdout=subprocess.PIPE, text=True)
    return Account(**json.loads(done.stdout.splitlines()[-1]))


def _killed(folder: Path, enough: int) -> Account:
    """Embed in a process that is killed as soon as it has embedded enough."""
    began = time.monotonic()
    command = _command("embed", folder)
    with subprocess.Popen(command, env=_surroundings(folder), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        kept = next(count for count in map(_embedded, process.stdout) if count >= enough)
        process.kill()
    return Account(time.monotonic() - began, None, None, f"killed when {kept:,} were kept")


def _embedded(line: str) -> int:
    """Return how many structures a line of progress tells of."""
    return int(line.split()[1]) if line.startswith("embedded") else 0


def _command(name: str, folder: Path) -> list[str]:
    return [sys.executable, "-c", _STAGE.format(name=name), str(folder)]


def _surroundings(folder: Path) -> dict[str, str]:
    return os.environ | {"ATHANOR_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}


def stage(name: str, folder: Path) -> None:
    """Run a stage, and print its account in a line of JSON."""
    began = time.monotonic()
    words = {"build": _build, "embed": _embed, "open": _open, "plan": _plan}[name](folder)
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    cpu = sum(one.ru_utime + one.ru_stime for one in used)
    memory = max(peak_memory(), used[1].ru_maxrss * 1024.0) / 2**30  # children begin with what this one has
    print(json.dumps({"wall": time.monotonic() - began, "cpu": cpu, "memory": memory, "words": words}))


def _build(folder: Path) -> str:
    pool = _pool(folder)
    report = pool.report
    return f"{len(pool):,} entries; {len(report.bad)} bad, {len(report.duplicates)} duplicates"


def _embed(folder: Path) -> str:
    campaign, missing = _campaign(folder), 0

    def progress(done: int, total: int) -> None:
        nonlocal missing
        missing = total
        print("embedded", done, flush=True)

    embed_pool(_pool(folder), build_embedder(campaign.surrogate.features[0]), progress, campaign.lab.compute)
    return f"{missing:,} were missing"


def _open(folder: Path) -> str:
    """Embed by all other views, so that the next stage finds everything."""
    materials = build_pool_data(_campaign(folder))
    assert materials is not None
    return f"views: {', '.join(materials.views)}"


def _plan(folder: Path) -> str:
    torch.set_num_threads(1)
    campaign = _campaign(folder)
    began = time.process_time()
    materials = build_pool_data(campaign)
    assert materials is not None
    opened = time.process_time() - began
    planner = Planner(campaign, build_encoder(campaign, materials))
    _measure(planner, materials, _MEASURED)
    began = time.process_time()
    _measure(planner, materials, _SUGGESTED)
    each = (time.process_time() - began) / _SUGGESTED
    return f"opened in {opened:.1f} CPU s; {each:.2f} CPU s a suggestion after {_MEASURED} measurements"


def _measure(planner: Planner, materials: PoolData, count: int) -> None:
    """Let some suggestions be measured; what fills the space comes first."""
    truth = next(iter(materials.views.values()))[:, :3].sum(axis=1)
    rng = np.random.default_rng(0)
    for _ in range(count):
        number, candidate, proposal = planner.suggest()
        value = float(truth[materials.pool.ids.index(str(candidate.material))] + 0.02 * rng.normal())
        planner.ingest(completed(number, candidate, proposal, {"merit": MetricValue(value, 0.02, "1")}))


def _pool(folder: Path) -> Pool:
    config = _campaign(folder).space.pool
    assert config is not None
    return load_pool(config)


def _campaign(folder: Path) -> Campaign:
    data: dict[str, Any] = {
        "name": "large_pool",
        "seed": 0,
        "space": {"pool": {"kind": "table", "file": "pool.csv"}},
        "metrics": {"merit": {"kind": "measured", "unit": "1"}},
        "objective": {"terms": [{"goal": "maximise", "metric": "merit", "scale": 1.0}], "find": {"kind": "many"}},
        "planner": {"initial": _MEASURED},
        "budget": {"trials": 1000},
    }
    return Campaign.model_validate(data | looking(["merit"]), context={PARENT: folder})


if __name__ == "__main__":
    start(main)
