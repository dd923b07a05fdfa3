"""Small crystals as text, and tables of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Lattice, Structure

from campaigns.pool_source import SourcePoolConfig, TablePoolConfig
from surrogates.pools.pool import Pool, load_pool


def salt(cation: str = "Na", anion: str = "Cl", a: float = 5.64) -> Structure:
    """The primitive cell of rock salt."""
    return Structure(Lattice(a / 2 * (1 - np.eye(3))), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])


def perovskite(a: str = "Sr", b: str = "Ti", x: str = "O", edge: float = 3.905) -> Structure:
    """The cubic perovskite."""
    coords = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic(edge), [a, b, x, x, x], coords)


def disordered() -> Structure:
    return Structure(Lattice.cubic(3.6), [{"Cu": 0.5, "Au": 0.5}], [[0, 0, 0]])


def crowded() -> Structure:
    return Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.05, 0, 0]])


def cif(structure: Structure) -> str:
    return str(structure.to(fmt="cif"))


def poscar(structure: Structure) -> str:
    return str(structure.to(fmt="poscar"))


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def table(folder: Path, rows: Sequence[Mapping[str, Any]], **options: Any) -> TablePoolConfig:
    """Write rows into a CSV file and return the pool that it is."""
    file = folder / "crystals.csv"
    file.write_text(table_text(rows), encoding="utf-8")
    return TablePoolConfig(kind="table", file=str(file), **options)


def reasons(config: SourcePoolConfig) -> dict[str, str]:
    """Return the place of each bad entry with what is wrong with it."""
    return {str(bad.place): bad.reason for bad in load_pool(config).report.bad}


def formulas(pool: Pool) -> dict[str, str]:
    return dict(zip(pool.ids, pool.formulas, strict=True))
