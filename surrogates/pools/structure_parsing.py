"""Structures from text: CIF, POSCAR or pymatgen's JSON, distinguished by the content."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pymatgen.core import Structure

from surrogates.pools.cif.block import blocks, has_blocks
from surrogates.pools.cif.crystal import read_cif
from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.poscar import read_poscar
from surrogates.pools.pymatgen_json import check_twice, formula_notes, structure_of

_NUMBER = re.compile(r"\s*[-+.]?\d")

_UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the parsers raise for text that is none of theirs; they promise nothing narrower."""


@dataclass(frozen=True, slots=True)
class ParsedStructure:
    """What a text was read as.

    Attributes:
        notes: what was not taken as it stands, and what was taken on trust.
    """

    structure: Structure
    notes: tuple[str, ...] = ()


def parse_structure(text: str) -> Structure:
    """Return the one structure of a text.

    Raises:
        UnreadableError: there is none, there are several, a part of it is lost, or it contradicts itself.
    """
    return read_noted(text).structure


def read_noted(text: str) -> ParsedStructure:
    """Return the one structure of a text, with what was not taken as it stands.

    Raises:
        UnreadableError: there is none, there are several, a part of it is lost, or it contradicts itself.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UnreadableError("is empty")
    kind, read = _reader(text)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they fear for is checked here
            return read(text)
    except UnreadableError:
        raise
    except _UNREADABLE as error:
        if kind == "POSCAR" and not _has_lattice(text):
            raise UnreadableError("is neither CIF, POSCAR nor pymatgen's JSON") from error
        raise UnreadableError(f"cannot be read as {kind}: {_short(error)}") from error


def is_cif(text: str) -> bool:
    """Return whether a text is a CIF rather than a POSCAR."""
    return has_blocks(text) or "_cell_length_a" in text.lower() or "_cell.length_a" in text.lower()


def _reader(text: str) -> tuple[str, Callable[[str], ParsedStructure]]:
    if text.lstrip().startswith(("{", "[", '"')):
        return "pymatgen's JSON", _from_json
    return ("CIF", _from_cif) if is_cif(text) else ("POSCAR", _from_poscar)


def _has_lattice(text: str) -> bool:
    """Return whether the third to the fifth line begin with numbers, as the lattice of a POSCAR does."""
    lines = text.splitlines()[2:5]
    return len(lines) == 3 and all(_NUMBER.match(line) for line in lines)


def _from_json(text: str) -> ParsedStructure:
    data = json.loads(text)
    if isinstance(data, Mapping) and "structure" in data and "sites" not in data:
        found = _from_json_value(data["structure"])
        return replace(found, notes=(*found.notes, *formula_notes(data, found.structure)))
    return _from_json_value(data)


def _from_json_value(data: object) -> ParsedStructure:
    if isinstance(data, str):
        return read_noted(data)
    if not (isinstance(data, Mapping) and {"lattice", "sites"} <= set(data)):
        raise UnreadableError("is JSON, but no structure of pymatgen's: it has no lattice and sites")
    check_twice(data)
    structure = structure_of(data)
    whole = all(structure.lattice.pbc)
    return ParsedStructure(
        structure, () if whole else ("says that it is not periodic in all directions; read as a crystal",)
    )


def _from_poscar(text: str) -> ParsedStructure:
    return ParsedStructure(*read_poscar(text))


def _from_cif(text: str) -> ParsedStructure:
    found = blocks(text)
    if len(found) > 1:
        names = ", ".join(name or "unnamed" for name, _ in found[:5])
        raise UnreadableError(f"holds {len(found)} structures ({names}); give each an entry of its own")
    if found:
        return ParsedStructure(*read_cif(found[0][1]))
    if has_blocks(text):
        raise UnreadableError("is a CIF without atoms")
    structure, notes = read_cif(f"data_\n{text}")
    return ParsedStructure(structure, ("has no data_ line; read as one data block", *notes))


def _short(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 160 else words[:157] + "..."
