"""The cache of features: one SQLite file, read in bulk, that several processes may write at once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import platformdirs
from numpy.typing import NDArray

from campaigns.errors import ModelError

Row = tuple[str, float | None, NDArray[np.float32]]
"""A structure's key, its energy if the model gives one, and its vector."""

_BATCH = 500  # keys per query; old builds of SQLite allow 999 variables
_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS model (id INTEGER PRIMARY KEY, name TEXT, version TEXT, UNIQUE (name, version))",
    # Rows are appended and their index is small, so that writing stays quick when there are many.
    """CREATE TABLE IF NOT EXISTS result
    (model INTEGER, structure TEXT, energy REAL, vector BLOB NOT NULL, UNIQUE (model, structure))""",
)


def cache_folder() -> Path:
    """Return the folder that ATHANOR_CACHE names, else the user's cache folder."""
    return Path(os.environ.get("ATHANOR_CACHE") or platformdirs.user_cache_path("athanor"))


class Cache:
    """The rows of one model, by name and version, in the cache file of a folder.

    Raises:
        ModelError: the file cannot be opened, read or written.
    """

    def __init__(self, folder: Path, name: str, version: str) -> None:
        self._path = folder / "embeddings.sqlite"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=60)
            with self._database:
                for statement in _SCHEMA:
                    self._database.execute(statement)
                self._database.execute("INSERT OR IGNORE INTO model (name, version) VALUES (?, ?)", (name, version))
            query = "SELECT id FROM model WHERE name = ? AND version = ?"
            self._model = int(self._database.execute(query, (name, version)).fetchone()[0])
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def read(self, keys: Sequence[str]) -> Iterator[Row]:
        """Yield the rows that are there, in no particular order."""
        for start in range(0, len(keys), _BATCH):
            batch = keys[start : start + _BATCH]
            places = ", ".join("?" * len(batch))
            query = f"SELECT structure, energy, vector FROM result WHERE model = ? AND structure IN ({places})"
            try:
                found = self._database.execute(query, (self._model, *batch)).fetchall()
            except sqlite3.Error as error:
                raise self._unusable(error) from error
            for key, energy, vector in found:
                yield key, energy, np.frombuffer(vector, dtype="<f4")

    def write(self, rows: Sequence[Row]) -> None:
        """Commit rows in one transaction; those that another process was quicker to write stay."""
        values = [(self._model, key, energy, vector.astype("<f4").tobytes()) for key, energy, vector in rows]
        try:
            with self._database:
                self._database.executemany("INSERT OR IGNORE INTO result VALUES (?, ?, ?, ?)", values)
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> ModelError:
        return ModelError(
            f"the embedding cache {self._path} cannot be used ({error}); delete the file if it is damaged (it will be "
            "computed again), or name another folder in the environment variable ATHANOR_CACHE"
        )
