"""From an entry's text to what a pool keeps of it; runs in worker processes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import spglib
from pymatgen.core import Structure

from surrogates.pools.build_report import BadEntry, Place
from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.duplicates import Likeness, neighbour_distances
from surrogates.pools.packing import pack, plain_cell, unpack
from surrogates.pools.sources.item import Item
from surrogates.pools.structure_checks import crowding, defect
from surrogates.pools.structure_parsing import ParsedStructure, read_noted
from surrogates.structures import PoolEntry, structure_key

os.environ.setdefault("SPGLIB_WARNING", "OFF")  # its C code writes to standard error when it finds no symmetry

SYMPREC = 0.1
"""Å. How far atoms may be from where the symmetry wants them, for relaxed cells."""

_LARGEST = 200  # sites; the search for symmetry takes minutes for thousands

_HASH_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Read:
    """An entry that can be used.

    Attributes:
        cell: the packed structure.
        host: the packed host, and ``host_key`` its key, in a pool of electrodes.
        sites: number of atoms in the cell.
        prototype: anonymous formula and space group.
        notes: what was not taken as it stands in the source.
    """

    place: Place
    id: str
    cell: bytes
    sites: int
    prototype: str
    likeness: Likeness
    values: tuple[float, ...]
    provenance: dict[str, str]
    host: bytes | None = None
    host_key: str = ""
    notes: tuple[str, ...] = ()


def read_all(items: Sequence[Item]) -> list[Read | BadEntry]:
    """Read a few entries."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # degenerate cells divide by zero; what is wrong with them is told below
        return [_read(item) for item in items]


def read_entry(entry: PoolEntry, place: Place) -> Read:
    """Return what a pool keeps of an entry that was generated."""
    structure, host = plain_cell(entry.structure), None if entry.host is None else plain_cell(entry.host)
    read = _kept(structure, Item(place, "", entry.id, provenance=dict(entry.provenance)))
    return read if host is None else replace(read, host=pack(host), host_key=structure_key(host))


def likeness_of(structure: Structure) -> Likeness:
    """Return what can be compared without a structure."""
    formula = structure.composition.reduced_formula
    volume = float(structure.volume) / len(structure)
    return Likeness(structure_key(structure), formula, volume, neighbour_distances(structure))


def prototype_of(structure: Structure) -> str:
    """Return anonymous formula and space group, such as ``ABC3 Pm-3m``; large cells have the formula alone."""
    formula = str(structure.composition.anonymized_formula)
    if len(structure) > _LARGEST:
        return formula
    cell = (structure.lattice.matrix, structure.frac_coords, structure.atomic_numbers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # spglib announces that it will raise where it returns None
        group = spglib.get_spacegroup(cell, symprec=SYMPREC)
    return formula if group is None else f"{formula} {group.split(' ')[0]}"


def _read(item: Item) -> Read | BadEntry:
    try:
        found = ParsedStructure(unpack(item.content)) if isinstance(item.content, bytes) else read_noted(item.content)
    except UnreadableError as error:
        return BadEntry(item.place, str(error))
    trouble = defect(found.structure)
    if trouble is not None:
        return BadEntry(item.place, trouble)
    near = crowding(found.structure)
    notes = (*item.notes, *found.notes, *([near] if near else []))
    return replace(_kept(plain_cell(found.structure), item), notes=notes)


def _kept(structure: Structure, item: Item) -> Read:
    likeness = likeness_of(structure)
    name = item.id or f"{likeness.formula}-{likeness.key[:_HASH_DIGITS]}"
    facts = (pack(structure), len(structure), prototype_of(structure), likeness)
    return Read(item.place, name, *facts, item.values, item.provenance)
