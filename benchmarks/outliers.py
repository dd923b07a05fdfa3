"""How many wrong and right measurements are suspected outliers: ``python -m benchmarks.outliers --data DIR``.

DIR holds a folder for each table of real experiments in the layout of Olympus (Häse et al. 2021, Mach. Learn.: Sci.
Technol. 2, 035021): ``data.csv`` without a header and ``config.json``. Random rows of a table are judged as they are,
and with a tenth of them wrong: half of these zero, half a spike of one to five ranges above the highest value.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.errors import start
from campaigns.spaces.space import SpaceConfig
from surrogates.models.encoder import Encoder
from surrogates.models.observations import Observations
from surrogates.models.outliers import detect_outliers
from surrogates.models.problem import RegressionProblem

Numbers = NDArray[np.float64]
_WRONG = 0.1
_TOP = 0.1  # of the judged rows, whose loss would hurt most


@dataclass(frozen=True)
class Judged:
    """Fractions of measurements that were suspected; NaN if there were none.

    Attributes:
        clean, best: of all, and of the best tenth, when none was wrong.
        right, spikes, zeros: of the right ones, of the spikes, and of the zeros at least half a deviation off.
        seconds: processor time of both verdicts.
    """

    clean: float
    best: float
    right: float
    spikes: float
    zeros: float
    seconds: float


def main(
    data: Annotated[Path, typer.Option(help="Folder with a folder for each table.")],
    rows: Annotated[int, typer.Option(help="Measurements that are judged together.")] = 35,
    seeds: Annotated[int, typer.Option(help="Random choices of rows of each table.")] = 5,
) -> None:
    """Print, for each table, which fractions of measurements are suspected."""
    torch.set_num_threads(1)
    grid = Table("table", "clean", "best tenth, clean", "right", "spikes", "zeros", "CPU seconds", box=None)
    for folder in track(sorted(p.parent for p in data.glob("*/config.json")), console=Console(stderr=True)):
        found = [_judged(folder, rows, seed) for seed in range(seeds)]
        grid.add_row(folder.name, *(f"{mean:.3f}" for mean in _means(found)))
    Console().print(grid)


def _judged(folder: Path, count: int, seed: int) -> Judged:
    points, values, sign = _table(folder)
    generator = np.random.default_rng([seed, count])
    chosen = generator.choice(len(values), min(count, int(0.6 * len(values))), replace=False)
    at, clean = points[chosen], values[chosen]
    wrong, zero = generator.random((2, len(clean))) < np.array([[_WRONG], [0.5]])
    spikes = values.max() + generator.uniform(1.0, 5.0, len(clean)) * np.ptp(values)
    bad = np.where(wrong, np.where(zero, 0.0, spikes), clean)
    wrong &= np.abs(bad - clean) > 0.5 * values.std()
    begun = time.process_time()
    before, after = _suspected(at, clean), _suspected(at, bad)
    best = np.argsort(-sign * clean)[: max(1, int(_TOP * len(clean)))]
    return Judged(
        clean=_share(before),
        best=_share(before[best]),
        right=_share(after[~wrong]),
        spikes=_share(after[wrong & ~zero]),
        zeros=_share(after[wrong & zero]),
        seconds=time.process_time() - begun,
    )


def _share(outliers_among: NDArray[np.bool_]) -> float:
    return float(outliers_among.mean()) if len(outliers_among) else np.nan


def _suspected(points: Numbers, values: Numbers) -> NDArray[np.bool_]:
    names = {f"x{i}": {"kind": "float", "unit": "1", "low": 0, "high": 1} for i in range(points.shape[1])}
    task = RegressionProblem(Encoder(SpaceConfig.model_validate({"parameters": names})))
    seen = Observations(torch.from_numpy(points), torch.from_numpy(values), torch.zeros(len(values)).double())
    return np.isin(np.arange(len(values)), list(detect_outliers(task, seen).outliers))


def _table(folder: Path) -> tuple[Numbers, Numbers, float]:
    """Return points in the unit box, their mean values, and whether large is good (1) or small (-1)."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    cells = np.genfromtxt(folder / "data.csv", delimiter=",")
    width = len(config["parameters"])
    points, group = np.unique(cells[:, :width], axis=0, return_inverse=True)
    values = np.bincount(group.ravel(), cells[:, width]) / np.bincount(group.ravel())
    reach = np.ptp(points, axis=0)
    sign = 1.0 if config["default_goal"].startswith("max") else -1.0
    return (points - points.min(axis=0)) / np.where(reach > 0, reach, 1.0), values, sign


def _means(found: list[Judged]) -> Iterator[float]:
    for name in Judged.__dataclass_fields__:
        known = [value for each in found if not np.isnan(value := getattr(each, name))]
        yield float(np.mean(known)) if known else float("nan")


if __name__ == "__main__":
    start(main)
