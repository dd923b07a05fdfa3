"""Rows of an ASE database: SQLite (.db) or ASE's own JSON."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
from ase.db import connect
from ase.io.formats import UnknownFileTypeError
from pymatgen.core import Element, Lattice, Structure

from campaigns.pool_source import AsePoolConfig
from surrogates.pools.build_report import BadEntry, Place, pool_error
from surrogates.pools.packing import pack
from surrogates.pools.sources.data_table import damaged
from surrogates.pools.sources.item import Item, PoolFiles
from surrogates.pools.structure_checks import HEAVIEST

_DAMAGED = (
    *(OSError, UnknownFileTypeError, sqlite3.Error),
    *(ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError),
)
"""What ASE raises when a database is not what it should be."""

_ID_DIGITS = 10


def ase_source(config: AsePoolConfig) -> PoolFiles:
    """Return the rows of an ASE database.

    Raises:
        CampaignError: the file is no such database, or is damaged.
    """
    _check_kind(config.path)
    try:
        database = connect(config.path, type=config.path.suffix.lower().removeprefix("."), use_lock_file=False)
        return PoolFiles(database.count(), _items(config.path, database))
    except _DAMAGED as error:
        raise damaged(config.path, error) from error


def _check_kind(path: Path) -> None:
    """Refuse what is no ASE database: ASE would write its tables into any SQLite file."""
    if path.suffix.lower() == ".json":
        return
    try:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as database:
            found = database.execute("SELECT name FROM sqlite_master WHERE name = 'systems'").fetchall()
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    if not found:
        raise pool_error(f"{path} is a database, but not one of ASE: it has no table 'systems'")


def _items(path: Path, database: Any) -> Iterator[Item | BadEntry]:
    number = 0
    try:
        for row in database.select(include_data=False):
            number = int(row.id)
            yield _item(Place(path.name, number), row)
    except _DAMAGED as error:
        raise damaged(path, error, number) from error


def _item(place: Place, row: Any) -> Item | BadEntry:
    cell, numbers = np.array(row.cell, dtype=float), np.array(row.numbers)
    if not np.isfinite(cell).all():
        return BadEntry(place, "its cell is not finite")
    if abs(np.linalg.det(cell)) < 1e-9:
        return BadEntry(place, "has no cell of three dimensions: it is a molecule, a chain or a layer without vacuum")
    if strange := [int(number) for number in numbers if not 1 <= number <= HEAVIEST]:
        return BadEntry(place, f"holds an atom with the number {strange[0]}; allowed: 1 (H) to {HEAVIEST} (Pu)")
    elements = [Element.from_Z(int(number)) for number in numbers]
    structure = Structure(Lattice(cell), elements, row.positions, coords_are_cartesian=True)
    name = f"{structure.composition.reduced_formula}-{row.unique_id[:_ID_DIGITS]}"
    notes = () if all(row.pbc) else ("says that it is not periodic in all directions; read as a crystal",)
    return Item(place, pack(structure), name, provenance={"unique_id": str(row.unique_id)}, notes=notes)
