"""A built pool on disk: one SQLite file with what is known of each entry, and its structure as a packed cell.

Only ids, keys, formulas and a few numbers are held in memory; structures are read when they are asked for. A connection
is opened for each read, so that a pool may be used from any thread and sent to other processes.
"""

from __future__ import annotations

import json
import os
import sqlite3
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import ModelError
from surrogates.pools.build_report import BadEntry, Duplicate, Findings, Note, Place, Unsettled
from surrogates.pools.cleanup import FILE, hold_open
from surrogates.pools.packing import unpack
from surrogates.structures import PoolEntry

_BATCH = 256  # entries read at once when all are asked for
_ENTRY = "SELECT id, cell, host, provenance FROM entry"
SCHEMA = """
CREATE TABLE entry (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL, key TEXT NOT NULL, host_key TEXT NOT NULL, formula TEXT NOT NULL,
    prototype TEXT NOT NULL, sites INTEGER NOT NULL, volume REAL NOT NULL, provenance TEXT NOT NULL,
    cell BLOB NOT NULL, host BLOB);
CREATE TABLE property (name TEXT PRIMARY KEY, vals BLOB NOT NULL);
CREATE TABLE about (name TEXT PRIMARY KEY, text TEXT NOT NULL);
"""


@dataclass(frozen=True, slots=True)
class Index:
    """What is known of n entries without their structures.

    Attributes:
        keys: keys of the structures.
        host_keys: keys of the hosts, empty where there is none.
        formulas: reduced formulas.
        sites: number of atoms in each cell, n.
        volumes: Å3 per atom, n.
    """

    ids: tuple[str, ...]
    keys: tuple[str, ...]
    host_keys: tuple[str, ...]
    formulas: tuple[str, ...]
    sites: NDArray[np.int64]
    volumes: NDArray[np.float64]


class StoredEntries(Sequence[PoolEntry]):
    """The entries of a built pool, n, each read from disk when it is asked for.

    Raises:
        ModelError: the file cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self._path = (folder / FILE).absolute()
        self._hold()
        with self._reading() as database:
            columns = "number, id, key, host_key, formula, sites, volume"
            rows = database.execute(f"SELECT {columns} FROM entry ORDER BY number").fetchall()
        numbers, ids, keys, host_keys, formulas, sites, volumes = zip(*rows, strict=True)
        self._numbers = np.array(numbers, dtype=np.int64)
        self.known = Index(ids, keys, host_keys, formulas, np.array(sites), np.array(volumes))

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> PoolEntry: ...

    @overload
    def __getitem__(self, place: slice) -> tuple[PoolEntry, ...]: ...

    def __getitem__(self, place: int | slice) -> PoolEntry | tuple[PoolEntry, ...]:
        """Return one entry, or some."""
        if isinstance(place, slice):
            return tuple(self[number] for number in range(*place.indices(len(self))))
        with self._reading() as database:
            row = database.execute(f"{_ENTRY} WHERE number = ?", (int(self._numbers[place]),)).fetchone()
            return _entry(row)

    def __iter__(self) -> Iterator[PoolEntry]:
        """Yield all entries in order, a few of them in memory at a time."""
        for start in range(0, len(self), _BATCH):
            part = self._numbers[start : start + _BATCH]
            with self._reading() as database:
                condition = "WHERE number BETWEEN ? AND ? ORDER BY number"
                rows = database.execute(f"{_ENTRY} {condition}", (int(part[0]), int(part[-1]))).fetchall()
            yield from (_entry(row) for row in rows)

    def prototypes(self) -> tuple[str, ...]:
        """Return anonymous formula and space group of each entry."""
        with self._reading() as database:
            return tuple(row[0] for row in database.execute("SELECT prototype FROM entry ORDER BY number"))

    def properties(self) -> dict[str, NDArray[np.float64]]:
        """Return the numeric properties that were kept, n values each."""
        with self._reading() as database:
            rows = database.execute("SELECT name, vals FROM property").fetchall()
        return {name: np.frombuffer(values, dtype="<f8") for name, values in rows}

    def findings(self) -> Findings:
        """Return what was found while the pool was built."""
        with self._reading() as database:
            (text,) = database.execute("SELECT text FROM about WHERE name = 'findings'").fetchone()
        return _findings(json.loads(text))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is sent to another process, which holds the pool for itself."""
        return {name: value for name, value in vars(self).items() if name != "_held"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take up what was sent."""
        vars(self).update(state)
        self._hold()

    def _hold(self) -> None:
        """Keep the pool from being removed while this object lives."""
        try:
            self._held = weakref.finalize(self, os.close, hold_open(self._path))
        except OSError as error:
            raise ModelError(f"the built pool {self._path} cannot be opened ({error}); try again") from error

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(f"{self._path.as_uri()}?mode=ro&immutable=1", uri=True)) as database:
                yield database
        except (sqlite3.Error, zlib.error, ValueError, TypeError) as error:
            raise ModelError(
                f"the built pool {self._path} cannot be read ({error}); delete its folder, and it is built again"
            ) from error


class Writer:
    """Writes a pool into a new file; nobody reads it before it is finished."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / FILE)
        self._database.executescript(f"PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; {SCHEMA}")

    def add(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Add entries, each with its columns in the order of the table."""
        self._database.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def replace_cells(self, rows: Sequence[tuple[Any, ...]]) -> None:
        """Replace cell, host, their keys, the volume and the provenance of entries; the last column is the number."""
        change = "cell = ?, host = ?, key = ?, host_key = ?, volume = ?, provenance = ?"
        self._database.executemany(f"UPDATE entry SET {change} WHERE number = ?", rows)

    def remove(self, numbers: Sequence[int]) -> None:
        """Take entries out."""
        self._database.executemany("DELETE FROM entry WHERE number = ?", [(number,) for number in numbers])

    def entry(self, number: int) -> PoolEntry:
        """Return an entry that was added."""
        return _entry(self._database.execute(f"{_ENTRY} WHERE number = ?", (number,)).fetchone())

    def finish(self, properties: dict[str, NDArray[np.float64]], findings: Findings) -> None:
        """Write properties, one value for each entry that is left, and findings; the file is then complete."""
        values = [(name, column.astype("<f8").tobytes()) for name, column in properties.items()]
        self._database.executemany("INSERT INTO property VALUES (?, ?)", values)
        self._database.execute("INSERT INTO about VALUES ('findings', ?)", (json.dumps(astuple(findings)),))
        self._database.commit()
        self._database.execute("VACUUM")

    def close(self) -> None:
        """Close the file."""
        self._database.close()


def _entry(row: tuple[str, bytes, bytes | None, str]) -> PoolEntry:
    name, cell, host, provenance = row
    return PoolEntry(name, unpack(cell), None if host is None else unpack(host), json.loads(provenance))


def _findings(plain: Sequence[Any]) -> Findings:
    read, bad, duplicates, unsettled, notes = plain
    return Findings(
        read,
        tuple(BadEntry(Place(*place), reason) for place, reason in bad),
        tuple(Duplicate(Place(*place), name, kept) for place, name, kept in duplicates),
        tuple(Unsettled(Place(*place), name, reason) for place, name, reason in unsettled),
        tuple(Note(Place(*place), name, text) for place, name, text in notes),
    )
