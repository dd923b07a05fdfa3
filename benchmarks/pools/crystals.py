"""Pools of crystals with known properties, read from the tables of a data folder.

A sub-folder of the data folder is a pool if its tables have a column ``cif`` and at least one column of numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pymatgen.core import Structure

from benchmarks.errors import DataError

_CIF = "cif"
_IDS = ("material_id", "id")
_NOT_PROPERTIES = ("", "Unnamed: 0", *_IDS)

Progress = Callable[[int, int], None]


class View(StrEnum):
    """What the peers get of a crystal."""

    COMPOSITION = "composition"
    SITES = "sites"
    CHGNET = "chgnet"


@dataclass(frozen=True, eq=False)
class Crystals:
    """Crystals and what is known of them.

    Attributes:
        name: the folder they come from.
        ids: n unique names.
        structures: n crystals.
        columns: n numbers for each property, without noise.
        views: n x d features, raw; empty until they are computed.
        energy: n, CHGNet's energy in eV/atom; empty until it is computed.
    """

    name: str
    ids: tuple[str, ...]
    structures: tuple[Structure, ...]
    columns: Mapping[str, NDArray[np.float64]]
    views: Mapping[View, NDArray[np.float64]] = field(default_factory=dict)
    energy: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: NDArray[np.int64]) -> Crystals:
        """Return the crystals of these rows."""
        return replace(
            self,
            ids=tuple(self.ids[row] for row in rows),
            structures=tuple(self.structures[row] for row in rows),
            columns={name: values[rows] for name, values in self.columns.items()},
            views={view: values[rows] for view, values in self.views.items()},
            energy=self.energy[rows] if len(self.energy) else self.energy,
        )


def read_pools(folder: Path, say: Callable[[str], None], progress: Progress) -> tuple[Crystals, ...]:
    """Return every pool below a folder.

    Args:
        folder: holds a sub-folder for each pool, with one or more tables (``*.csv``, ``*.csv.gz``, ``*.csv.xz``).
        say: called with everything that is left out, and why.
        progress: called with how many crystals of the pool at hand are read, and how many there are.

    Raises:
        DataError: there is no pool.
    """
    pools = tuple(_pools(folder, say, progress))
    if not pools:
        raise DataError(f"no pool in {folder}: none of its sub-folders has a table with a column 'cif' and numbers")
    return pools


def _pools(folder: Path, say: Callable[[str], None], progress: Progress) -> Iterator[Crystals]:
    for sub in sorted(path for path in folder.iterdir() if path.is_dir()):
        tables = [pd.read_csv(file) for file in sorted(sub.glob("*.csv*")) if _is_pool(file)]
        if tables:
            yield _crystals(sub.name, pd.concat(tables, ignore_index=True), say, progress)
        else:
            say(f"{sub.name}: skipped, no table with a column 'cif'")


def _is_pool(file: Path) -> bool:
    return _CIF in pd.read_csv(file, nrows=0).columns


def _crystals(name: str, table: pd.DataFrame, say: Callable[[str], None], progress: Progress) -> Crystals:
    """Return the rows that can be used, and say how many cannot."""
    names = [str(c) for c in table.select_dtypes("number").columns if c not in _NOT_PROPERTIES]
    if not names:
        raise DataError(f"the tables of {name} have no column of numbers beside {', '.join(map(repr, table.columns))}")
    whole = table.drop_duplicates(_CIF).dropna(subset=[_CIF])
    parsed = {row: s for row, s in _structures(whole[_CIF].astype(str).tolist(), progress) if s is not None}
    if len(parsed) < len(table):
        left = len(table) - len(parsed)
        say(f"{name}: {left} of {len(table)} rows left out: repeated, disordered or unreadable cells")
    kept = whole.iloc[list(parsed)]
    columns = {column: kept[column].to_numpy(dtype=float) for column in names}
    return Crystals(name, _ids(kept), tuple(parsed.values()), columns)


def _ids(table: pd.DataFrame) -> tuple[str, ...]:
    column = next((c for c in _IDS if c in table.columns and table[c].is_unique), None)
    return tuple(map(str, table.index if column is None else table[column]))


def _structures(cifs: Sequence[str], progress: Progress) -> Iterator[tuple[int, Structure | None]]:
    for row, text in enumerate(cifs):
        yield row, _structure(text)
        progress(row + 1, len(cifs))


def _structure(text: str) -> Structure | None:
    """Return the crystal of a CIF; None if it cannot be read or its sites are shared."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pymatgen's remarks on rounding
        try:
            structure = Structure.from_str(text, fmt="cif")
        except (ValueError, KeyError, IndexError):
            return None
    return structure if structure.is_ordered else None
