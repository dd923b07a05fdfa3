"""Structures from text: CIF, POSCAR or pymatgen's JSON, told apart by what stands there."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping
from typing import Any

from pymatgen.core import Composition, Structure
from pymatgen.io.cif import CifParser
from pymatgen.io.vasp.inputs import BadPoscarWarning, Poscar

from surrogates.pools.soundness import unknown

_BLOCK = re.compile(r"^[ \t]*data_(\S*)", flags=re.MULTILINE | re.IGNORECASE)
_SYMBOL = re.compile(r"[A-Za-z]+")
_NUMBER = re.compile(r"\s*[-+.]?\d")
_SLACK = 0.01  # relative; formulas in files are rounded

_UNREADABLE = (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What the parsers raise for text that is none of theirs; they promise nothing narrower."""


class UnreadableError(ValueError):
    """A text holds no structure, or not the whole of one."""


def read_text(text: str) -> Structure:
    """Return the one structure of a text.

    Raises:
        UnreadableError: there is none, there are several, or a part of it is lost.
    """
    text = text.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if not text.strip():
        raise UnreadableError("is empty")
    kind, read = _reader(text)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            structure = read(text)
    except UnreadableError:
        raise
    except _UNREADABLE as error:
        if kind == "POSCAR" and not _has_lattice(text):
            raise UnreadableError("is neither CIF, POSCAR nor pymatgen's JSON") from error
        raise UnreadableError(f"cannot be read as {kind}: {_short(error)}") from error
    if any(issubclass(warning.category, BadPoscarWarning) for warning in caught):
        raise UnreadableError("is a POSCAR without the symbols of its elements; write them in its sixth line")
    return structure


def blocks(text: str) -> list[tuple[str, str]]:
    """Return name and text of each data block of a CIF that holds atoms."""
    starts = list(_BLOCK.finditer(text))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    parts = [(start[1], text[start.start() : end]) for start, end in zip(starts, ends, strict=True)]
    return [(name, part) for name, part in parts if "_atom_site_" in part.lower()]


def is_cif(text: str) -> bool:
    """Return whether a text is a CIF rather than a POSCAR."""
    return bool(_BLOCK.search(text)) or "_cell_length_a" in text.lower()


def _reader(text: str) -> tuple[str, Any]:
    if text.lstrip().startswith(("{", "[", '"')):
        return "pymatgen's JSON", _from_json
    return ("CIF", _from_cif) if is_cif(text) else ("POSCAR", _from_poscar)


def _has_lattice(text: str) -> bool:
    """Return whether the third to the fifth line begin with numbers, as the lattice of a POSCAR does."""
    lines = text.splitlines()[2:5]
    return len(lines) == 3 and all(_NUMBER.match(line) for line in lines)


def _from_json(text: str) -> Structure:
    data = json.loads(text)
    if isinstance(data, Mapping) and "structure" in data and "sites" not in data:
        data = data["structure"]
    if isinstance(data, str):
        return read_text(data)
    if not (isinstance(data, Mapping) and {"lattice", "sites"} <= set(data)):
        raise UnreadableError("is JSON, but no structure of pymatgen's: it has no lattice and sites")
    return Structure.from_dict(dict(data))


def _from_poscar(text: str) -> Structure:
    return Poscar.from_str(text, read_velocities=False).structure


def _from_cif(text: str) -> Structure:
    found = blocks(text)
    if len(found) > 1:
        names = ", ".join(name or "unnamed" for name, _ in found[:5])
        raise UnreadableError(f"holds {len(found)} structures ({names}); give each an entry of its own")
    if not found:
        raise UnreadableError("is a CIF without atoms")
    parser = CifParser.from_str(found[0][1], check_cif=False)
    (data,) = parser.as_dict().values()
    _check_symbols(data)
    (structure,) = parser.parse_structures(primitive=False, on_error="raise")
    _check_formula(data, structure)
    return structure


def _check_symbols(data: Mapping[str, Any]) -> None:
    """Refuse symbols of which the parser would take the first letters, or leave the site out."""
    symbols = data.get("_atom_site_type_symbol") or data.get("_atom_site_label") or ()
    for symbol in [symbols] if isinstance(symbols, str) else symbols:
        letters = _SYMBOL.match(symbol)
        if letters is None or unknown(letters[0].title()):
            raise UnreadableError(f"has a site {symbol!r}; allowed: elements from H to Pu, isotopes by their element")


def _check_formula(data: Mapping[str, Any], structure: Structure) -> None:
    """Refuse a structure that lacks atoms of its own formula, such as hydrogen that was not located."""
    text = data.get("_chemical_formula_sum")
    if not structure.is_ordered or not isinstance(text, str):
        return
    try:
        formula = Composition(text.replace("'", "")).remove_charges()
    except _UNREADABLE:
        return  # no formula that could contradict
    held = structure.composition.remove_charges()
    if not formula.fractional_composition.almost_equals(held.fractional_composition, rtol=_SLACK, atol=1e-4):
        raise UnreadableError(f"holds {held.reduced_formula}, but says that it is {text.strip()}; atoms are missing")


def _short(error: BaseException) -> str:
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 160 else words[:157] + "..."
