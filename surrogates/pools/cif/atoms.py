"""The list of atoms of a CIF: what stands where, how full, and how exactly it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice

from surrogates.pools.cif.block import Block
from surrogates.pools.cif.number import CifNumber, parse_number
from surrogates.pools.cif.problems import UnreadableError
from surrogates.pools.structure_checks import unknown

_AXES = ("x", "y", "z")
_FRACTIONS = tuple(f"_atom_site_fract_{axis}" for axis in _AXES)
_CARTESIAN = tuple(f"_atom_site_cartn_{axis}" for axis in _AXES)
_UNKNOWN = ("?", ".", "")
_SYMBOL = re.compile(r"([A-Za-z]+)(.*)")
_PLAIN_LABEL = re.compile(r"([A-Z][a-z]?)\d+")
_CHARGE = re.compile(r"[\d.]*[+-]?|[+-][\d.]*")
_SIGNED = re.compile(r"(\d+\.?\d*)?([+-])|([+-])(\d+\.?\d*)")
_WATER = re.compile(r"O_?\(?\d*_?[WH].*|W(AT)?\d*.?", flags=re.IGNORECASE)  # OW1, O1W, OH, W2
_FORMS = {"SIVAL": "Si", "CVAL": "C"}  # names of scattering factors
_COARSEST = 0.005  # fractions; a coordinate of one or two digits is seldom rounded from another
_FARTHEST = 2.0  # cells; no file has atoms beyond, but many have Å under the heads of fractions
_FULL = 0.999
_THIRDS = 1e-4  # relative; 0.3333 is a third


@dataclass(frozen=True, slots=True)
class Atom:
    """A row of the list.

    Attributes:
        element: its symbol.
        place: fractional coordinates, 3.
        slack: how far each may be off by its digits, 3.
        occupancy: the share of the site that it fills.
        multiplicity: how many of it the file says that the cell holds; 0 where it does not.
        charge: that of its type symbol; None where there is none.
    """

    label: str
    element: str
    place: NDArray[np.float64]
    slack: NDArray[np.float64]
    occupancy: CifNumber
    multiplicity: int = 0
    charge: float | None = None


@dataclass(frozen=True, slots=True)
class Atoms:
    """The list of atoms.

    Attributes:
        outliers: what is accepted only if the file's formula confirms it.
    """

    atoms: list[Atom]
    notes: list[str] = field(default_factory=list)
    outliers: list[str] = field(default_factory=list)


def atoms_of(block: Block, lattice: Lattice) -> Atoms:
    """Return the atoms that are listed, without dummies and empty sites.

    Raises:
        UnreadableError: one is no element, has no place, or stands for several.
    """
    rows = _Rows(block, lattice)
    _check_groups(rows)
    found = Atoms([])
    for row in range(rows.count):
        if rows.is_dummy(row):
            found.notes.append(f"{rows.label(row)} is a dummy, and left out")
        elif (occupancy := _occupancy(rows, row, found)).value == 0:
            found.notes.append(f"{rows.label(row)} has the occupancy 0, and is left out")
        else:
            where = (_element(rows, row, found), *rows.place(row, found))
            told = (rows.multiplicity(row), rows.charge(row))
            found.atoms.append(Atom(rows.label(row), *where, occupancy, *told))
    if not found.atoms:
        raise UnreadableError("is a CIF without atoms")
    _suspect_water(found)
    return found


class _Rows:
    """The columns of the list, of one length."""

    def __init__(self, block: Block, lattice: Lattice) -> None:
        self._block, self._lattice = block, lattice
        self._matrix: NDArray[np.float64] | None = None
        self._places = [block.values(tag) for tag in _FRACTIONS]
        if not any(value not in ("?", "") for column in self._places for value in column):
            self._places = [block.values(tag) for tag in _CARTESIAN]
            if not any(value not in _UNKNOWN for column in self._places for value in column):
                raise UnreadableError("is a CIF without atoms")
            self._matrix = _from_cartesian(block)
        self.count = max(map(len, self._places))
        self._labels = block.values("_atom_site_label")
        self._types = block.values("_atom_site_type_symbol")
        for name, column in (
            ("label", self._labels),
            ("type_symbol", self._types),
            *zip(_AXES, self._places, strict=True),
        ):
            if len(column) != self.count and (column or name not in ("label", "type_symbol")):
                raise UnreadableError(f"has {self.count} atoms, but {len(column)} values in their column {name}")
        if not self._labels and not self._types:
            raise UnreadableError("has atoms of which it says neither _atom_site_label nor _atom_site_type_symbol")
        self.declared = _declared(block)

    def label(self, row: int) -> str:
        return self._labels[row] if self._labels else f"{self._types[row]} (atom {row + 1})"

    def type_symbol(self, row: int) -> str | None:
        return self._types[row] if self._types and self._types[row] not in _UNKNOWN else None

    def is_dummy(self, row: int) -> bool:
        return self.cell("_atom_site_calc_flag", row).lower() == "dum"

    def cell(self, tag: str, row: int) -> str:
        """Return a value of another column, ``.`` where there is none."""
        column = self._block.values(tag)
        if column and len(column) != self.count:
            raise UnreadableError(f"has {self.count} atoms, but {len(column)} values of {tag}")
        return column[row] if column else "."

    def multiplicity(self, row: int) -> int:
        for tag in ("_atom_site_site_symmetry_multiplicity", "_atom_site_symmetry_multiplicity"):
            if (value := self.cell(tag, row)).isdigit():
                return int(value)
        return 0

    def charge(self, row: int) -> float | None:
        """Return the charge of a type symbol such as O2- or Fe+3."""
        found = _SIGNED.fullmatch(_split(self.type_symbol(row) or "")[1])
        if found is None:
            return None
        size, sign = (found[1] or found[4], found[2] or found[3])
        return float(f"{sign}{size or 1}")

    def place(self, row: int, found: Atoms) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return fractional coordinates and how far they may be off.

        Raises:
            UnreadableError: one is not there.
        """
        words = [column[row] for column in self._places]
        if words == [".", ".", "."]:
            found.outliers.append(f"{self.label(row)} has the place '. . .', which was read as 0 0 0")
        given = ["0" if word == "." else word for word in words]  # the dictionary's default, as in old ICSD files
        label = self.label(row)
        numbers = [parse_number(word, f"coordinate {axis} of {label}") for axis, word in zip(_AXES, given, strict=True)]
        if self._matrix is None:
            self._check_fractions(row, max(abs(n.value) for n in numbers))
            return np.array([_third(n.value) for n in numbers]), np.array([_slack(n) for n in numbers])
        return self._matrix[:, :3] @ [n.value for n in numbers] + self._matrix[:, 3], np.full(3, 1e-3)

    def _check_fractions(self, row: int, largest: float) -> None:
        if largest > _FARTHEST:
            raise UnreadableError(
                f"has {self.label(row)} at fractions up to {largest:g}, which seem to be in Å; write fractions"
            )


def _from_cartesian(block: Block) -> NDArray[np.float64]:
    """Return the 3 x 4 matrix from Cartesian to fractional coordinates.

    Raises:
        UnreadableError: the file does not say how its axes lie in the cell.
    """
    for prefix, inverse in (("_atom_sites_fract_tran", False), ("_atom_sites_cartn_tran", True)):
        words = [block.word(f"{prefix}_matrix_{i}{j}") for i in "123" for j in "123"]
        if any(word is None for word in words):
            continue
        matrix = np.array([parse_number(str(word), f"{prefix}_matrix").value for word in words]).reshape(3, 3)
        moved = [parse_number(block.word(f"{prefix}_vector_{i}") or "0", f"{prefix}_vector").value for i in "123"]
        if abs(np.linalg.det(matrix)) < 1e-12:
            raise UnreadableError(f"its {prefix}_matrix has no inverse")
        if not inverse:
            return np.column_stack([matrix, moved])
        back = np.linalg.inv(matrix)
        return np.column_stack([back, -back @ moved])
    raise UnreadableError(
        "gives its atoms by _atom_site_Cartn alone, and not how these axes lie in the cell; write _atom_site_fract, or "
        "add _atom_sites_Cartn_tran_matrix"
    )


def _third(value: float) -> float:
    """Return a third or two thirds where a number is one but for its digits."""
    return next((third for third in (1 / 3, 2 / 3) if abs(value / third - 1) <= _THIRDS), value)


def _slack(written: CifNumber) -> float:
    if written.unit == 0:
        return 0.0
    return min(max(written.unit, 3 * written.error), _COARSEST)


def _occupancy(rows: _Rows, row: int, found: Atoms) -> CifNumber:
    """Return an occupancy, 1 where the file leaves it to the dictionary."""
    word = rows.cell("_atom_site_occupancy", row)
    if word in _UNKNOWN:
        if word == "?":
            found.outliers.append(f"the occupancy of {rows.label(row)} is '?', which was read as 1")
        return CifNumber(1.0)
    occupancy = parse_number(word, f"occupancy of {rows.label(row)}")
    if not 0 <= occupancy.value < np.inf:
        raise UnreadableError(f"got {word} as occupancy of {rows.label(row)}; allowed: 0 to 1")
    return occupancy


def _element(rows: _Rows, row: int, found: Atoms) -> str:
    """Return the element of a row: its type symbol's, else that of its label.

    Raises:
        UnreadableError: it is none, or hydrogen hangs on it that is not listed.
    """
    _check_attached(rows, row)
    symbol, label = rows.type_symbol(row), rows.label(row)
    letters, rest = _split(symbol or label)
    element = _FORMS.get(letters.upper(), letters.title())
    if symbol is None and len(element) == 2 and element not in rows.declared and element[0] in rows.declared:
        found.notes.append(f"{label} was read as {element[0]}, as its formula has no {element}")
        return element[0]
    if unknown(element) or (symbol is not None and not _CHARGE.fullmatch(rest)):
        raise UnreadableError(
            f"has a site {symbol or label!r}; allowed: elements from H to Pu, isotopes by their element"
        )
    if symbol is not None and (other := _other_element(label, element)):
        found.notes.append(f"{label} is {element} by its type symbol, not {other}")
    if symbol is None and len(letters) == 2 and letters.isupper() and not rows.declared and not unknown(letters[0]):
        found.notes.append(f"{label} was read as {element}; add _atom_site_type_symbol if it is {letters[0]}")
    return element


def _suspect_water(found: Atoms) -> None:
    """Mark oxygen that is called water or hydroxyl if no hydrogen is listed."""
    if any(atom.element == "H" for atom in found.atoms):
        return
    oxygen = [atom.label for atom in found.atoms if atom.element == "O" and _WATER.fullmatch(atom.label)]
    if oxygen:
        found.outliers.append(f"{oxygen[0]} seems to be of water or a hydroxyl group, but no hydrogen is listed")


def _other_element(label: str, element: str) -> str | None:
    """Return the element that a label such as K1 names, where it is another."""
    found = _PLAIN_LABEL.fullmatch(label)
    return found[1] if found and found[1] != element and not unknown(found[1]) and found[1][0] != element else None


def _split(text: str) -> tuple[str, str]:
    found = _SYMBOL.fullmatch(text)
    return (found[1], found[2]) if found else ("", text)


def _declared(block: Block) -> frozenset[str]:
    """Return the elements that the formula, or the list of types, names."""
    formula = block.word("_chemical_formula_sum") or ""
    types = [_split(symbol)[0].title() for symbol in block.values("_atom_type_symbol")]
    return frozenset(re.findall("[A-Z][a-z]?", formula)) or frozenset(types)


def _check_attached(rows: _Rows, row: int) -> None:
    attached = rows.cell("_atom_site_attached_hydrogens", row)
    if attached not in _UNKNOWN and parse_number(attached, "_atom_site_attached_hydrogens").value > 0:
        raise UnreadableError(
            f"has {attached} hydrogen on {rows.label(row)} (_atom_site_attached_hydrogens) that are not in the list"
        )


def _check_groups(rows: _Rows) -> None:
    """Refuse alternative positions that are said to be full, as the crystal holds only one of them at a time."""
    groups: dict[str, set[str]] = {}
    for row in range(rows.count):
        group = rows.cell("_atom_site_disorder_group", row)
        occupancy = rows.cell("_atom_site_occupancy", row)
        if group not in _UNKNOWN and (occupancy in _UNKNOWN or parse_number(occupancy, "occupancy").value > _FULL):
            groups.setdefault(rows.cell("_atom_site_disorder_assembly", row), set()).add(group)
    for found in groups.values():
        if len(found) > 1 or any(group.startswith("-") for group in found):
            shown = ", ".join(sorted(found))
            raise UnreadableError(f"holds alternative positions (_atom_site_disorder_group {shown}); leave one of them")
