"""Embeddings of structures: computed once per model and version, then read from disk.

The cache is one SQLite file. Results are committed every few structures, so that a killed process loses seconds of work
and damages nothing, and several processes may use the cache at once.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import platformdirs
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import ModelError
from surrogates.features.workers import map_in_processes
from surrogates.pools.pool import structure_key

Progress = Callable[[int, int], None]
Row = tuple[float, NDArray[np.float32]]

_CHUNK = 16  # structures per commit and per report of progress: about a second
_WORTH_A_WORKER = 100  # structures: a worker takes four seconds to start, a structure 0.05 s
_MOST_WORKERS = 8  # each holds half a gigabyte
_SCHEMA = """CREATE TABLE IF NOT EXISTS embedding (
    model TEXT, version TEXT, structure TEXT, energy REAL NOT NULL, vector BLOB NOT NULL,
    PRIMARY KEY (model, version, structure)) WITHOUT ROWID"""


@dataclass(frozen=True)
class Embeddings:
    """What a model says of n structures.

    Attributes:
        energy: n, the model's scalar: eV/atom for potentials, else in the unit of the property.
        vectors: n x d, the model's last features.
    """

    energy: NDArray[np.float64]
    vectors: NDArray[np.float32]


class Embedder(Protocol):
    """A model of structures.

    It is pickled into worker processes: its class must be importable, and should load its weights on first use.
    """

    @property
    def name(self) -> str:
        """Return what the model is called in the cache."""
        ...

    @property
    def version(self) -> str:
        """Return what changes whenever its results may change, such as a hash of the weights."""
        ...

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings:
        """Return energies, n, and vectors, n x d; a structure's row must not depend on the others."""
        ...


def embed(
    structures: Sequence[Structure],
    model: Embedder,
    cache_dir: Path | None = None,
    progress: Progress | None = None,
) -> Embeddings:
    """Return what the model says of each structure, computing only what the cache does not hold.

    Args:
        structures: n crystals; equal ones are evaluated once.
        model: where the numbers come from.
        cache_dir: folder of the cache; by default the environment's ATHANOR_CACHE, else the user's cache folder.
        progress: called with how many of the missing structures are done and how many there are, after every few.

    Raises:
        ModelError: the model cannot evaluate a structure or says nothing finite, or the cache cannot be used.
    """
    keys = [structure_key(structure) for structure in structures]
    with closing(_Cache(cache_dir or cache_folder(), model)) as cache:
        rows = cache.read(keys)
        missing = {key: each for key, each in zip(keys, structures, strict=True) if key not in rows}
        for done, new in _compute(missing, model):
            cache.write(new)
            rows.update(new)
            if progress is not None:
                progress(done, len(missing))
    return Embeddings(np.array([rows[key][0] for key in keys]), np.array([rows[key][1] for key in keys]))


def cache_folder() -> Path:
    """Return the folder that ATHANOR_CACHE names, else the user's cache folder."""
    return Path(os.environ.get("ATHANOR_CACHE") or platformdirs.user_cache_path("athanor"))


def _compute(missing: Mapping[str, Structure], model: Embedder) -> Iterator[tuple[int, dict[str, Row]]]:
    """Yield how many structures are done, and the new rows."""
    keys, structures = list(missing), list(missing.values())
    starts = range(0, len(keys), _CHUNK)
    done = 0
    for index, part in _evaluate(model, [structures[start : start + _CHUNK] for start in starts]):
        names = keys[starts[index] : starts[index] + _CHUNK]
        for name, energy, vector in zip(names, part.energy, part.vectors, strict=True):
            if not (np.isfinite(energy) and np.isfinite(vector).all()):
                raise _not_finite(model, missing[name])
        done += len(names)
        yield done, dict(zip(names, zip(part.energy.tolist(), part.vectors, strict=True), strict=True))


def _not_finite(model: Embedder, structure: Structure) -> ModelError:
    formula = structure.composition.formula
    return ModelError(f"{model.name} says nothing finite of {formula}; look for atoms that overlap in this pool entry")


def _evaluate(model: Embedder, chunks: list[list[Structure]]) -> Iterator[tuple[int, Embeddings]]:
    """Evaluate in worker processes if there is enough to do, else here."""
    workers = min(_cores(), _MOST_WORKERS, len(chunks) * _CHUNK // _WORTH_A_WORKER)
    if workers > 1:
        return map_in_processes(model.evaluate, chunks, workers)
    return ((index, model.evaluate(chunk)) for index, chunk in enumerate(chunks))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Cache:
    """The rows of one model in the cache file.

    Raises:
        ModelError: the file cannot be opened, read or written.
    """

    def __init__(self, folder: Path, model: Embedder) -> None:
        self._path = folder / "embeddings.sqlite"
        self._model = (model.name, model.version)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=60)
            with self._database:
                self._database.execute(_SCHEMA)
        except (sqlite3.Error, OSError) as error:
            raise self._unusable(error) from error

    def read(self, keys: Sequence[str]) -> dict[str, Row]:
        """Return the rows that are there."""
        query = "SELECT energy, vector FROM embedding WHERE model = ? AND version = ? AND structure = ?"
        rows: dict[str, Row] = {}
        try:
            for key in dict.fromkeys(keys):
                if found := self._database.execute(query, (*self._model, key)).fetchone():
                    rows[key] = (found[0], np.frombuffer(found[1], dtype="<f4"))
        except sqlite3.Error as error:
            raise self._unusable(error) from error
        return rows

    def write(self, rows: Mapping[str, Row]) -> None:
        """Commit rows in one transaction; those that another process was quicker to write stay."""
        values = [(*self._model, key, energy, vector.astype("<f4").tobytes()) for key, (energy, vector) in rows.items()]
        try:
            with self._database:
                self._database.executemany(
                    "INSERT INTO embedding VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", values
                )
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _unusable(self, error: Exception) -> ModelError:
        return ModelError(
            f"the embedding cache {self._path} cannot be used ({error}); delete the file if it is damaged (it will be "
            "computed anew), or name another folder in the environment variable ATHANOR_CACHE"
        )
