"""The stages in which a pool is built: read and check, set lattices, fold duplicates."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import TYPE_CHECKING

import numpy as np
from pymatgen.core import Lattice, Structure

from surrogates.parallel.scheduling import HERE, spread
from surrogates.pools.build_report import (
    BadEntry,
    Duplicate,
    Findings,
    Note,
    Place,
    RefusedError,
    Unsettled,
    pool_error,
)
from surrogates.pools.duplicates import Likeness, duplicates
from surrogates.pools.entry_reading import Read, likeness_of, read_all, read_entry
from surrogates.pools.packing import pack, plain_cell
from surrogates.pools.pool_store import Writer
from surrogates.pools.sources.item import Item, PoolFiles
from surrogates.structures import PoolEntry, structure_key

if TYPE_CHECKING:
    from surrogates.relaxation import Settled

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

Numbered = Iterator[tuple[int, Read | BadEntry]]
"""Entries with their numbers in the source, in any order."""

_CHUNK = 64  # entries: a tenth of a second


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done with the entries.

    Attributes:
        fold: fold duplicates.
        lattice: set the lattices by CHGNet.
        properties: names of the numeric properties.
    """

    fold: bool
    lattice: bool
    properties: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Known:
    """What is held in memory of an entry while a pool is built."""

    place: Place
    id: str
    likeness: Likeness
    values: tuple[float, ...]
    notes: tuple[str, ...]


def read_files(source: PoolFiles, progress: Progress) -> Numbered:
    """Read and check the entries of a source, on all cores where there are many."""
    bad: dict[int, BadEntry] = {}
    numbers: dict[int, list[int]] = {}  # of the entries of each task

    def tasks() -> Iterator[list[Item]]:
        usable = _usable(enumerate(source.items), bad)
        for task in count():
            chunk = list(islice(usable, _CHUNK))
            if not chunk:
                return
            numbers[task] = [number for number, _ in chunk]
            yield [item for _, item in chunk]

    done = 0
    for index, results in spread(read_all, tasks(), source.total, HERE):
        yield from zip(numbers.pop(index), results, strict=True)
        done += len(results)
        progress("reading structures", min(done + len(bad), source.total), source.total)
    yield from bad.items()


def read_entries(entries: Sequence[PoolEntry], source: str, progress: Progress) -> Numbered:
    """Read entries that a generator made and that were checked."""
    for number, entry in enumerate(entries):
        yield number, read_entry(entry, Place(source, number + 1))
        progress("reading structures", number + 1, len(entries))


def write_pool(entries: Numbered, writer: Writer, plan: Plan, progress: Progress) -> None:
    """Write a pool.

    Raises:
        CampaignError: no entry can be used, or one id stands for different structures.
    """
    known, bad = _written(entries, writer)
    if not known:
        raise RefusedError("the pool holds no entry that can be used", bad) if bad else pool_error("the pool is empty")
    unsettled: tuple[Unsettled, ...] = ()
    if plan.lattice:
        known, unsettled = _set_lattices(known, writer, progress)
    same = _duplicates(known, writer, progress) if plan.fold else {}
    _check_ids(known, same)
    writer.remove(list(same))
    kept = [each for number, each in known.items() if number not in same]
    properties = {name: np.array([each.values[i] for each in kept]) for i, name in enumerate(plan.properties)}
    folded = tuple(Duplicate(known[n].place, known[n].id, known[earlier].id) for n, earlier in same.items())
    notes = tuple(Note(each.place, each.id, text) for each in known.values() for text in each.notes)
    writer.finish(properties, Findings(len(known) + len(bad), bad, folded, unsettled, notes))


def _usable(items: Iterable[tuple[int, Item | BadEntry]], bad: dict[int, BadEntry]) -> Iterator[tuple[int, Item]]:
    """Yield the entries that can be read, and put the others into ``bad``."""
    for number, item in items:
        if isinstance(item, BadEntry):
            bad[number] = item
        else:
            yield number, item


def _written(entries: Numbered, writer: Writer) -> tuple[dict[int, _Known], tuple[BadEntry, ...]]:
    """Write the cells; return what is known of the entries, and the bad ones, both in the order of the source."""
    known: dict[int, _Known] = {}
    bad: dict[int, BadEntry] = {}
    for number, each in entries:
        if isinstance(each, BadEntry):
            bad[number] = each
        else:
            writer.add([_row(number, each)])
            known[number] = _Known(each.place, each.id, each.likeness, each.values, each.notes)
    return dict(sorted(known.items())), tuple(bad[number] for number in sorted(bad))


def _row(number: int, read: Read) -> tuple[object, ...]:
    like = read.likeness
    origin = {"file": read.place.file} | ({} if read.place.row is None else {"row": str(read.place.row)})
    provenance = json.dumps(origin | read.provenance)
    facts = (read.id, like.key, read.host_key, like.formula, read.prototype, read.sites, like.volume, provenance)
    return (number, *facts, read.cell, read.host)


def _set_lattices(
    known: Mapping[int, _Known], writer: Writer, progress: Progress
) -> tuple[dict[int, _Known], tuple[Unsettled, ...]]:
    """Set each cell to the lattice that CHGNet prefers, and each host with it; return also where there is none."""
    from surrogates.relaxation import relax_volumes

    waiting: deque[tuple[int, PoolEntry]] = deque()

    def structures() -> Iterator[Structure]:
        for number in known:
            waiting.append((number, writer.entry(number)))
            yield waiting[-1][1].structure

    changed, unsettled = dict(known), []
    for done, settled in enumerate(relax_volumes(structures()), 1):
        number, entry = waiting.popleft()
        if settled.problem is not None:
            unsettled.append(Unsettled(known[number].place, entry.id, settled.problem))
        likeness = _written_cell(number, entry, settled, writer)
        changed[number] = replace(known[number], likeness=likeness)
        progress("setting lattices", done, len(known))
    return changed, tuple(unsettled)


def _written_cell(number: int, entry: PoolEntry, settled: Settled, writer: Writer) -> Likeness:
    """Write the cell that an entry has now, with its host and the word where it comes from."""
    structure = plain_cell(settled.structure)
    likeness = likeness_of(structure)
    host = None if entry.host is None else _with_lattice(entry.host, entry.structure.lattice, structure.lattice)
    cells = (pack(structure), None if host is None else pack(host))
    keys = (likeness.key, "" if host is None else structure_key(host))
    source = "chgnet" if settled.problem is None else "given"
    provenance = json.dumps(dict(entry.provenance) | {"lattice": source})
    writer.replace_cells([(*cells, *keys, likeness.volume, provenance, number)])
    return likeness


def _with_lattice(host: Structure, old: Lattice, new: Lattice) -> Structure:
    """Return the host, deformed as its lithiated cell was."""
    deformed = host.lattice.matrix @ np.linalg.solve(old.matrix, new.matrix)
    return Structure(Lattice(deformed), host.species, host.frac_coords)


def _duplicates(known: Mapping[int, _Known], writer: Writer, progress: Progress) -> dict[int, int]:
    """Return the number of each duplicate with that of the entry that it equals."""
    numbers = list(known)
    same = duplicates(
        [each.likeness for each in known.values()],
        lambda index: writer.entry(numbers[index]).structure,
        lambda done, total: progress("comparing structures", done, total),
    )
    return {numbers[later]: numbers[earlier] for later, earlier in sorted(same.items())}


def _check_ids(known: Mapping[int, _Known], same: Mapping[int, int]) -> None:
    """Check that no id stands for two different structures.

    Raises:
        CampaignError: one does; all that do, the first ten by name.
    """
    owner: dict[str, int] = {}
    conflicts = []
    for number, each in known.items():
        first = owner.setdefault(each.id, number)
        if same.get(number, number) != same.get(first, first):
            conflicts.append(
                f"{known[first].place} and {each.place} hold different structures, and both are called {each.id!r}; "
                "name them apart"
            )
    if conflicts:
        more = [f"and {len(conflicts) - 10} more"] if len(conflicts) > 10 else []
        raise pool_error(*conflicts[:10], *more)
