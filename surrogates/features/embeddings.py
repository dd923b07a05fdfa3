"""Embeddings of structures: computed once per model and version, then read from disk.

Results are committed about twice a second, so that a killed process loses seconds of work and damages nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure
from typing_extensions import TypeVar

from campaigns.errors import ModelError
from campaigns.lab.laboratory import ComputeConfig
from surrogates.cache import Cache, Row, cache_folder
from surrogates.parallel.scheduling import HERE, spread
from surrogates.structures import structure_key

Progress = Callable[[int, int], None]
Energies = NDArray[np.float64]
Energy = TypeVar("Energy", bound=Energies | None, covariant=True, default=Energies)

_COMMIT_EVERY = 0.5  # seconds
_MOST_STRUCTURES, _MOST_ATOMS = 64, 500  # of one task: below a second or two for the slowest models


@dataclass(frozen=True)
class Embeddings(Generic[Energy]):
    """What a model says of n structures.

    Attributes:
        energy: n, the model's scalar: eV/atom for potentials, else in the unit of the property; None without any.
        vectors: n x d, the model's last features.
    """

    energy: Energy
    vectors: NDArray[np.float32]


class Embedder(Protocol[Energy]):
    """A model of structures; ``Embedder[None]`` has no energy, and ``AnyEmbedder`` is any.

    It is pickled into worker processes: its class must be importable, and should load its weights on first use.
    """

    @property
    def name(self) -> str:
        """Return what the model is called in the cache."""
        ...

    @property
    def version(self) -> str:
        """Return what changes whenever its results may: hash of the weights, version of the library, settings."""
        ...

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Energy]:
        """Return the energies, n or None, and the vectors, n x d; a row must not depend on the other structures."""
        ...


AnyEmbedder = Embedder[Energies | None]


@dataclass(frozen=True)
class Keyed:
    """Structures whose keys are known, so that one whose result is in the cache is never loaded.

    Attributes:
        load: from a place, 0 to n - 1, to the structure; called in rising order, and not kept.
        keys: n, as ``structure_key`` makes them.
    """

    load: Callable[[int], Structure]
    keys: Sequence[str]


def embed(
    structures: Sequence[Structure] | Keyed,
    model: Embedder[Energy],
    cache_dir: Path | None = None,
    progress: Progress | None = None,
    compute: ComputeConfig = HERE,
) -> Embeddings[Energy]:
    """Return what the model says of each structure, computing only what the cache does not hold.

    Args:
        structures: n crystals; equal ones are evaluated once.
        model: where the numbers come from.
        cache_dir: folder of the cache; by default the environment's ATHANOR_CACHE, else the user's cache folder.
        progress: called with how many of the missing structures are done and how many there are: at the beginning,
            and after each commit, so that what is reported is safe; never if nothing is missing.
        compute: where missing ones are computed.

    Raises:
        ModelError: the model cannot evaluate a structure or returns what no embedder may, or the cache or the cluster
            cannot be used.
    """
    crystals = structures if isinstance(structures, Keyed) else _keyed(structures)
    table = _Table(model.name, crystals.keys)
    with Cache(cache_dir or cache_folder(), model.name, model.version) as cache:
        table.put(cache.read(list(table.places)))
        missing = table.missing()
        new = _in_commits(_compute(crystals, missing, model, compute))
        for rows in _reported(new, len(missing), progress) if missing else ():
            cache.write(rows)
            table.put(rows)
    return cast(Embeddings[Energy], table.embeddings())


def _keyed(structures: Sequence[Structure]) -> Keyed:
    return Keyed(lambda place: structures[place], [structure_key(structure) for structure in structures])


class _Table:
    """The rows of n structures, equal ones alike; filled in any order.

    Raises:
        ModelError: rows do not fit together.
    """

    def __init__(self, model: str, keys: Sequence[str]) -> None:
        self.places: dict[str, int] = {}
        for place, key in enumerate(keys):
            self.places.setdefault(key, place)
        self._model, self._keys = model, keys
        self._known = np.zeros(len(keys), dtype=bool)
        self._energy, self._vectors = np.full(len(keys), np.nan), np.zeros((0, 0), np.float32)
        self._has_energy: bool | None = None

    def put(self, rows: Iterable[Row]) -> None:
        """Take in rows."""
        for key, energy, vector in rows:
            if self._has_energy is None:
                self._has_energy = energy is not None
                self._vectors = np.zeros((len(self._known), len(vector)), np.float32)
            self._check(energy, vector)
            place = self.places[key]
            self._energy[place] = np.nan if energy is None else energy
            self._vectors[place] = vector
            self._known[place] = True

    def missing(self) -> list[int]:
        """Return the place of each structure whose row is not there."""
        return [place for place in self.places.values() if not self._known[place]]

    def embeddings(self) -> Embeddings[Energies | None]:
        """Return all rows, in the order of the keys."""
        energy, vectors = self._energy, self._vectors
        if len(self.places) < len(self._keys):
            order = [self.places[key] for key in self._keys]
            energy, vectors = energy[order], vectors[order]
        return Embeddings(None if self._has_energy is False else energy, vectors)

    def _check(self, energy: float | None, vector: NDArray[np.float32]) -> None:
        if len(vector) != self._vectors.shape[1]:
            got = f"got vectors of {self._vectors.shape[1]} and {len(vector)} numbers; all need the same length"
            raise _misfit(self._model, f"{got}; when that is corrected, give it another version")
        if (energy is not None) != self._has_energy:
            raise _misfit(self._model, "got rows with and without an energy; give one for every structure or for none")


def _in_commits(parts: Iterable[list[Row]]) -> Iterator[list[Row]]:
    """Join small parts, so that a commit costs little beside what it keeps."""
    rows: list[Row] = []
    latest = time.monotonic()
    for part in parts:
        rows += part
        if time.monotonic() - latest >= _COMMIT_EVERY:
            yield rows
            rows, latest = [], time.monotonic()
    if rows:
        yield rows


def _reported(commits: Iterable[list[Row]], total: int, progress: Progress | None) -> Iterator[list[Row]]:
    """Say how many rows are done: none at first, then those that the caller has kept."""
    report = progress or (lambda _done, _total: None)
    done = 0
    report(done, total)
    for rows in commits:
        yield rows
        done += len(rows)
        report(done, total)


def _compute(crystals: Keyed, missing: list[int], model: AnyEmbedder, compute: ComputeConfig) -> Iterator[list[Row]]:
    """Yield the rows of missing structures, some at a time."""
    under_way: list[list[int]] = []

    def tasks() -> Iterator[list[Structure]]:
        for task in _tasks(crystals.load, missing):
            under_way.append([place for place, _ in task])
            yield [structure for _, structure in task]

    for index, part in spread(model.evaluate, tasks(), len(missing), compute):
        places = under_way[index]
        energies, bad = _checked(part, model.name, len(places))
        if bad:
            raise _not_finite(model.name, crystals.load(places[bad[0]]))
        keys = [crystals.keys[place] for place in places]
        yield list(zip(keys, energies, np.asarray(part.vectors, np.float32), strict=True))


def _checked(part: Any, model: str, count: int) -> tuple[list[float | None], list[int]]:
    """Return the energies, and which rows hold numbers that are not finite.

    Raises:
        ModelError: these are no embeddings of so many structures.
    """
    if not isinstance(part, Embeddings):
        raise _misfit(model, f"got {type(part).__name__}; evaluate must return {Embeddings.__module__}.Embeddings")
    try:
        vectors, energy = np.asarray(part.vectors), None if part.energy is None else np.asarray(part.energy)
    except (TypeError, ValueError, RuntimeError) as error:  # the last is torch's, of tensors that want a gradient
        raise _misfit(model, f"got what numpy cannot read ({error}); n x d numbers are needed, n = {count}") from error
    if vectors.ndim != 2 or len(vectors) != count or vectors.dtype.kind not in "fiu":
        got = f"vectors of shape {vectors.shape} and type {vectors.dtype}"
        raise _misfit(model, f"got {got} for {count} structures; n x d numbers are needed, n = {count}")
    if energy is not None and (energy.shape != (count,) or energy.dtype.kind not in "fiu"):
        raise _misfit(model, f"got energies of shape {energy.shape} for {count} structures; {count} numbers or None")
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and refused
        finite = np.isfinite(vectors.astype(np.float32)).all(axis=1)
    if energy is None:
        return [None] * count, np.flatnonzero(~finite).tolist()
    return energy.tolist(), np.flatnonzero(~(finite & np.isfinite(energy))).tolist()


def _misfit(model: str, message: str) -> ModelError:
    return ModelError(f"the embedder {model!r} does not keep to its interface: {message}")


def _not_finite(model: str, structure: Structure) -> ModelError:
    said = f"{model} says nothing finite of {structure.composition.formula}"
    return ModelError(f"{said}; look for atoms that overlap in this pool entry, or for an error in the model")


def _tasks(load: Callable[[int], Structure], places: Iterable[int]) -> Iterator[list[tuple[int, Structure]]]:
    """Yield structures with their places, some at a time, loaded only then."""
    task: list[tuple[int, Structure]] = []
    atoms = 0
    for place in places:
        structure = load(place)
        task.append((place, structure))
        atoms += len(structure)
        if len(task) == _MOST_STRUCTURES or atoms >= _MOST_ATOMS:
            yield task
            task, atoms = [], 0
    if task:
        yield task
