"""Pools: finite lists of candidate materials with stable ids, and predictors of a metric over a pool."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from campaigns.errors import CampaignError, Problem
from campaigns.pool import GeneratorPoolConfig, PoolConfig
from campaigns.units import check_unit


@dataclass(frozen=True, slots=True)
class PoolEntry:
    """One candidate material.

    Attributes:
        id: readable and unique name that depends on neither the order nor the rest of the pool.
        structure: the crystal; the lithiated one in a pool of electrodes.
        host: the delithiated cell of the same framework; None in a pool that holds no electrodes.
        provenance: where the cell comes from: prototype, source, substitution, oxidation states.
    """

    id: str
    structure: Structure
    host: Structure | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Pool:
    """A named, ordered list of entries with unique ids.

    Raises:
        ValueError: two entries share an id.
    """

    name: str
    entries: tuple[PoolEntry, ...]
    _by_id: dict[str, PoolEntry] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_id = {entry.id: entry for entry in self.entries}
        if len(by_id) != len(self.entries):
            seen = [entry.id for entry in self.entries]
            repeated = sorted({name for name in seen if seen.count(name) > 1})
            raise ValueError(f"pool {self.name!r} repeats the ids {repeated[:5]}; every entry needs an id of its own")
        object.__setattr__(self, "_by_id", by_id)

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the ids in the order of the entries."""
        return tuple(entry.id for entry in self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, entry_id: str) -> PoolEntry:
        """Return the entry with this id.

        Raises:
            KeyError: the pool has no such entry.
        """
        try:
            return self._by_id[entry_id]
        except KeyError:
            raise KeyError(f"pool {self.name!r} has no entry {entry_id!r} among its {len(self)}") from None

    def fingerprint(self) -> str:
        """Return the sha256 of all ids, structures and hosts, in order."""
        digest = hashlib.sha256()
        for entry in self.entries:
            host = "" if entry.host is None else structure_key(entry.host)
            digest.update(f"{entry.id}\n{structure_key(entry.structure)}\n{host}\n".encode())
        return digest.hexdigest()


def structure_key(structure: Structure) -> str:
    """Return a content hash of species, lattice (Å) and fractional coordinates, rounded to 1e-6.

    Equal cells written down in the same order of sites have the same key on every machine.
    """
    species = ";".join(site.species_string for site in structure)
    wrapped = np.round(structure.frac_coords, 6) % 1.0
    numbers = np.concatenate([np.round(structure.lattice.matrix, 6), wrapped]) + 0.0
    micro = np.rint(numbers * 1e6).astype("<i8")
    return hashlib.sha256(species.encode() + micro.tobytes()).hexdigest()


class Predictor(Protocol):
    """A function from a pool to one value per entry, n, in ``unit``."""

    unit: str

    def __call__(self, pool: Pool) -> NDArray[np.float64]:
        """Return one value per entry, n, in the order of the pool."""
        ...


def in_unit(unit: str) -> Callable[[Callable[[Pool], NDArray[np.float64]]], Predictor]:
    """Declare the unit of a predictor.

    Raises:
        UnitError: the unit is unknown.
    """
    check_unit(unit)

    def declare(function: Callable[[Pool], NDArray[np.float64]]) -> Predictor:
        predictor = cast(Predictor, function)
        predictor.unit = unit
        return predictor

    return declare


def load_pool(config: PoolConfig) -> Pool:
    """Return the pool that a campaign names.

    Raises:
        CampaignError: the path is malformed, names nothing that can be called, or returns no pool.
    """
    if not isinstance(config, GeneratorPoolConfig):
        raise _pool_error(f"{config.kind} is not wired yet")
    source = config.function
    module_name, _, name = source.partition(":")
    pool = _generator(module_name, name)()
    if not isinstance(pool, Pool):
        raise _pool_error(f"{source} returned {type(pool).__name__}; it must return a surrogates.pools.Pool")
    if not pool.entries:
        raise _pool_error(f"{source} returned an empty pool; it must hold at least one entry")
    return pool


def _generator(module_name: str, name: str) -> Callable[[], object]:
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        raise _pool_error(f"cannot import {module_name!r} ({error}); check the spelling or install it") from error
    generator = getattr(module, name, None)
    if not callable(generator):
        raise _pool_error(f"{module_name!r} has no function {name!r}; name one that takes nothing and returns a Pool")
    return cast(Callable[[], object], generator)


def _pool_error(message: str) -> CampaignError:
    return CampaignError([Problem("space.pool", message)])
