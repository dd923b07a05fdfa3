"""Pools: finite lists of candidate materials with stable ids, and predictors of a metric over a pool."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import called
from campaigns.pool_source import GeneratorPoolConfig, PoolConfig, SourcePoolConfig
from campaigns.units import check_unit
from campaigns.user_code.dotted_paths import Use
from campaigns.user_code.loading import load_object
from surrogates.pools.build_report import BadEntry, Findings, Place, RefusedError, pool_error
from surrogates.pools.pool_store import Index, StoredEntries
from surrogates.pools.structure_checks import defect
from surrogates.structures import PoolEntry, structure_key

__all__ = ["Pool", "PoolEntry", "Predictor", "in_unit", "load_pool", "structure_key"]

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_ENDING = re.compile(r"(\.csv|\.parquet|\.json|\.db)(\.gz|\.xz)?$", flags=re.IGNORECASE)


@dataclass(frozen=True)
class Pool:
    """A named, ordered list of n entries with unique ids.

    Attributes:
        entries: in memory, or read from disk when they are asked for; then go over them once, and keep no list of them.
        properties: numeric columns that were kept, n values each, NaN where there was none.
        folder: where arrays that belong to this pool may be kept; None for a pool in memory.
        report: what was found while it was made: bad entries and duplicates.

    Raises:
        ValueError: two entries share an id.
    """

    name: str
    entries: Sequence[PoolEntry]
    properties: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    folder: Path | None = None
    report: Findings = field(default_factory=Findings)

    def __post_init__(self) -> None:
        if len(self._numbers) != len(self.entries):
            repeated = sorted(name for name, count in Counter(self.ids).items() if count > 1)
            raise ValueError(f"pool {self.name!r} repeats the ids {repeated[:5]}; every entry needs an id of its own")

    @cached_property
    def ids(self) -> tuple[str, ...]:
        """The ids in the order of the entries."""
        if isinstance(self.entries, StoredEntries):
            return self.entries.known.ids
        return tuple(entry.id for entry in self.entries)

    @property
    def keys(self) -> Sequence[str]:
        """The key of each structure, as ``structure_key`` gives it."""
        return self.index.keys

    @property
    def formulas(self) -> Sequence[str]:
        """The reduced formula of each entry."""
        return self.index.formulas

    @cached_property
    def index(self) -> Index:
        """What is known of the entries without their structures."""
        return self.entries.known if isinstance(self.entries, StoredEntries) else _index(self.entries)

    @cached_property
    def prototypes(self) -> Sequence[str]:
        """The anonymous formula and the space group of each entry, such as ``ABC3 Pm-3m``."""
        if isinstance(self.entries, StoredEntries):
            return self.entries.prototypes()
        from surrogates.pools.entry_reading import prototype_of  # symmetry is looked for only if somebody asks

        return [prototype_of(entry.structure) for entry in self.entries]

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, entry_id: str) -> PoolEntry:
        """Return the entry with this id.

        Raises:
            KeyError: the pool has no such entry.
        """
        try:
            return self.entries[self._numbers[entry_id]]
        except KeyError:
            raise KeyError(f"pool {self.name!r} has no entry {entry_id!r} among its {len(self)}") from None

    def lacks(self, name: str) -> str:
        """Return why the pool has no material of this name, and which is meant; empty if it has one."""
        if name in self._numbers:
            return ""
        why = f"the pool has no material {name!r}"
        if (kept := self._folded.get(name)) is not None:
            return f"{why}: it is the same crystal as {kept!r}; name that"
        near = self._spellings.get(_spelling(name))
        return f"{why}, did you mean {near!r}" if near else why

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {each.id: each.kept for each in self.report.duplicates}

    @cached_property
    def _spellings(self) -> dict[str, str]:
        return {_spelling(name): name for name in reversed(self.ids)}

    def fingerprint(self) -> str:
        """Return the sha256 of all ids, structures and hosts, in order."""
        digest = hashlib.sha256()
        for name, key, host in zip(self.ids, self.index.keys, self.index.host_keys, strict=True):
            digest.update(f"{name}\n{key}\n{host}\n".encode())
        return digest.hexdigest()


def _spelling(name: str) -> str:
    """Return a name without what people write differently: case, spaces, and signs between words, a file's ending."""
    return re.sub(r"[\s_:./-]", "", re.sub(r"\.(cif|mcif|vasp|poscar)$", "", name.casefold().strip()))


def _index(entries: Sequence[PoolEntry]) -> Index:
    return Index(
        ids=tuple(entry.id for entry in entries),
        keys=tuple(structure_key(entry.structure) for entry in entries),
        host_keys=tuple("" if entry.host is None else structure_key(entry.host) for entry in entries),
        formulas=tuple(entry.structure.composition.reduced_formula for entry in entries),
        sites=np.array([len(entry.structure) for entry in entries]),
        volumes=np.array([entry.structure.volume / len(entry.structure) for entry in entries]),
    )


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


def load_pool(config: PoolConfig, progress: Progress | None = None) -> Pool:
    """Return the pool that a campaign names; one of files is built when it is asked for the first time.

    Args:
        config: where the materials come from.
        progress: called with what is being done, how much of it is done, and how much there is.

    Raises:
        CampaignError: the source cannot be used: missing, damaged, without a usable entry, with one id for different
            structures, or, where the campaign is strict, with a bad entry.
        ModelError: the folder of built pools cannot be used, or a library is missing.
    """
    told = progress or _silent
    pool = _generated(config, told) if isinstance(config, GeneratorPoolConfig) else _of_files(config, told)
    if config.strict and pool.report.bad:
        raise RefusedError("the pool is strict, and has bad entries", pool.report.bad)
    return pool


def _of_files(config: SourcePoolConfig, progress: Progress) -> Pool:
    from surrogates.pools.build import (
        build_pool,  # the parsers take a second to import, and a generated pool needs none
    )

    return _stored(_ENDING.sub("", config.path.name), build_pool(config, progress))


def _stored(name: str, folder: Path) -> Pool:
    entries = StoredEntries(folder)
    return Pool(name, entries, entries.properties(), folder, entries.findings())


def _generated(config: GeneratorPoolConfig, progress: Progress) -> Pool:
    """Return the pool of a generator, without the entries that cannot be right."""
    made = called(load_object(config.function, "space.pool.function", Use.POOL), config.function, "space.pool")
    if not isinstance(made, Pool):
        raise pool_error(f"{config.function} returned {type(made).__name__}; it must return a surrogates.pools.Pool")
    if not made.entries:
        raise pool_error(f"{config.function} returned an empty pool; it must hold at least one entry")
    pool = _checked(made, config.function)
    if config.lattice == "given":
        return pool
    from surrogates.pools.build import build_generated

    folder = build_generated(pool.entries, pool.fingerprint(), config.function, progress)
    built = _stored(pool.name, folder)
    return replace(built, report=replace(pool.report, unsettled=built.report.unsettled))


def _checked(pool: Pool, source: str) -> Pool:
    reasons = {number: reason for number, entry in enumerate(pool.entries) if (reason := _defect(entry))}
    bad = tuple(BadEntry(Place(source, number + 1), reason) for number, reason in reasons.items())
    if len(bad) == len(pool):
        raise RefusedError("the pool holds no entry that can be used", bad)
    report = Findings(len(pool), bad)
    if not bad:
        return replace(pool, report=report)
    kept = tuple(entry for number, entry in enumerate(pool.entries) if number not in reasons)
    return Pool(pool.name, kept, report=report)


def _defect(entry: PoolEntry) -> str | None:
    cells = (entry.structure,) if entry.host is None else (entry.structure, entry.host)
    return next((f"{entry.id}: {reason}" for cell in cells if (reason := defect(cell))), None)


def _silent(doing: str, done: int, total: int) -> None:
    """Say nothing."""
