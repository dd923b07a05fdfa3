"""Rock salts with a made-up property, and small models trained on them."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from surrogates.training.dataset import Dataset, Target
from surrogates.training.fine_tune_process import TuningRow, TuningTask
from surrogates.training.record import TrainingRecord

CATIONS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba", "Mn", "Fe", "Co", "Ni")
ANIONS = ("O", "S", "F", "Cl")


def salt(cation: str, anion: str, length: float) -> Structure:
    """Return the primitive cell of a rock salt; its cubic lattice constant in Å."""
    lattice = Lattice.from_parameters(*[length / 2**0.5] * 3, 60, 60, 60)
    return Structure(lattice, [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def salts(count: int = 48) -> list[Structure]:
    """Return rock salts of different formulas."""
    pairs = [(cation, anion) for cation in CATIONS for anion in ANIONS][:count]
    return [salt(cation, anion, 4.2 + 0.04 * (i * 7 % 23)) for i, (cation, anion) in enumerate(pairs)]


def heats(structures: Sequence[Structure]) -> np.ndarray:
    """Return a property that a network learns at once: 1 for chlorides and sulphides, -1 for others, and the volume."""
    heavy = np.array([structure[1].specie.symbol in ("Cl", "S") for structure in structures])
    return np.where(heavy, 1.0, -1.0) + np.array([0.02 * structure.volume for structure in structures])


def dataset(structures: Sequence[Structure], values: np.ndarray) -> Dataset:
    """Return rows in eV/atom."""
    ids = tuple(f"row{i}" for i in range(len(structures)))
    return Dataset("salts.csv", Target("heat", "eV/atom"), ids, tuple(structures), np.asarray(values, dtype=float))


def trained(folder: Path, *, epochs: int = 12, seed: int = 0) -> TrainingRecord:
    """Train a MEGNet on all salts and write it into a new folder."""
    from surrogates.training.train import TrainingSettings, train  # torch, which a parent of a tuning does not load

    structures = salts()
    result = train(dataset(structures, heats(structures)), TrainingSettings("megnet", epochs, seed), lambda _: None)
    folder.mkdir()
    return result.write(folder)


def copy_of(folder: Path, target: Path) -> Path:
    """Copy a folder, and return where to."""
    return Path(shutil.copytree(folder, target))


def tuning_task(base: Path, out: Path, **changes: Any) -> TuningTask:
    """Return a task of 32 measurements that improves a model of salts: the property has changed its sign.

    ``structures``, ``values``, ``sds``, ``count`` and ``scale`` change the rows, other names the task.
    """
    structures = changes.pop("structures", salts(changes.pop("count", 32)))
    values = changes.pop("values", -heats(structures))
    sds = changes.pop("sds", [0.05] * len(structures))
    scale = changes.pop("scale", 1.0)
    rows = [
        TuningRow(f"row{i}", structure, scale * float(value), scale * sd)
        for i, (structure, value, sd) in enumerate(zip(structures, values, sds, strict=True))
    ]
    usual: dict[str, Any] = {
        "base": base,
        "current": base,
        "out": out,
        "rows": rows,
        "unit": "eV/atom",
        "epochs": 15,
        "seed": 0,
    }
    return TuningTask(**usual | changes)


def write_table(
    path: Path, structures: Sequence[Structure], values: Sequence[float | str], column: str = "heat"
) -> Path:
    """Write structures as CIF beside their values."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["cif", column])
        writer.writerows((structure.to(fmt="cif"), value) for structure, value in zip(structures, values, strict=True))
    return path
