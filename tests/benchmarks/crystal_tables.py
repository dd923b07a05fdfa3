"""Small tables of made-up crystals, and tasks on them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from benchmarks.pools.crystals import Crystals, View
from benchmarks.pools.suite import GAP, HEAT, TASKS
from benchmarks.pools.tasks import Setting

METALS = ("Mg", "Ca", "Sr", "Ba", "Ti", "Zr", "V", "Nb", "Cr", "Mn", "Fe", "Co")
_CORNERS = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]


def perovskite(a: str, b: str, anions: str = "OOO") -> Structure:
    """Return a cubic cell."""
    return Structure(Lattice.cubic(4.0), [a, b, *anions], _CORNERS)


def crystals(size: int = 132, seed: int = 0) -> Crystals:
    """Return crystals whose properties follow from their features, smoothly."""
    generator = np.random.default_rng(seed)
    pairs = [(a, b) for a in METALS for b in METALS if a != b][:size]
    features = generator.standard_normal((len(pairs), 5))
    columns = {HEAT.column: features[:, 0] + 0.3 * features[:, 1], GAP.column: np.maximum(features[:, 2] - 1.0, 0.0)}
    return Crystals(
        "made up",
        tuple(f"{a}-{b}" for a, b in pairs),
        tuple(perovskite(a, b, "OON" if index % 2 else "OOO") for index, (a, b) in enumerate(pairs)),
        columns,
        dict.fromkeys(View, features),
        -features[:, 0],
    )


def setting(name: str, size: int = 132) -> Setting:
    """Return one of the suite's tasks on made-up crystals."""
    task = next(task for task in TASKS if task.name == name)
    pool = crystals(size)
    return Setting(task, pool, pool.take(np.array([], dtype=np.int64)))


def constant(name: str) -> Setting:
    """Return a task on crystals whose features are all the same."""
    made = setting(name, 20)
    return replace(made, pool=replace(made.pool, views=dict.fromkeys(View, np.ones((20, 3)))))


def write_table(file: Path, rows: list[tuple[str, str, str, float]]) -> None:
    """Write a table of cells A, B, anions and their heat."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ["material_id,cif,formula,heat_all,dir_gap"]
    for index, (a, b, anions, heat) in enumerate(rows):
        cif = str(perovskite(a, b, anions).to(fmt="cif")).replace('"', "'")
        lines.append(f'{file.stem}{index},"{cif}",{a}{b},{heat},0.0')
    file.write_text("\n".join(lines) + "\n")


def write_carbon(file: Path, energies: list[float]) -> None:
    """Write a table of diamonds that differ in nothing but their size and energy."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = ["id,cif,energy_per_atom"]
    for index, energy in enumerate(energies):
        cell = Structure(Lattice.cubic(3.5 + 0.02 * index), ["C"] * 2, [[0, 0, 0], [0.25, 0.25, 0.25]])
        lines.append(f'{index},"{str(cell.to(fmt="cif")).replace(chr(34), chr(39))}",{energy}')
    file.write_text("\n".join(lines) + "\n")
