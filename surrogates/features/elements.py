"""Properties of the elements as one table, without gaps.

Values are those of pymatgen's periodic table (Ong et al., Comput. Mater. Sci. 68, 314 (2013)); covalent radii are those
of Cordero et al., Dalton Trans. 2832 (2008).
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.molecule_structure_comparator import CovalentRadius
from pymatgen.core import Element, Structure

from campaigns.errors import ModelError

HEAVIEST = 103
"""Lawrencium; beyond it nearly nothing is known."""

Table = NDArray[np.float64]


def _datum(key: str) -> Callable[[Element], float | None]:
    return lambda element: element.data.get(key)


def _electrons(orbital: str) -> Callable[[Element], float]:
    """Return how many electrons outside the noble-gas core are in s, p, d or f orbitals."""

    def count(element: Element) -> float:
        shells = re.findall(rf"\d{orbital}(\d+)", str(element.data["Electronic structure"]["0"]))
        return float(sum(int(electrons) for electrons in shells))

    return count


PROPERTIES: Mapping[str, Callable[[Element], float | None]] = {
    "Mendeleev number": _datum("Mendeleev no"),
    "atomic mass": _datum("Atomic mass"),
    "group": lambda element: element.group,
    "row": lambda element: element.row,
    "electronegativity": _datum("X"),
    "covalent radius": lambda element: CovalentRadius.radius.get(element.symbol),
    "molar volume": _datum("Molar volume"),
    "melting point": _datum("Melting point"),
    "first ionisation energy": lambda element: (element.data.get("Ionization energies") or [None])[0],
    "electron affinity": _datum("Electron affinity"),
    "s electrons": _electrons("s"),
    "p electrons": _electrons("p"),
    "d electrons": _electrons("d"),
    "f electrons": _electrons("f"),
}


@functools.cache
def properties() -> Table:
    """Return all properties, 104 x p, a row for each atomic number; row 0 is of no element and zero.

    Where a value is unknown stands that of the element of the same group in the nearest row that has one, else that of
    the element with the nearest atomic number: electronegativities of He, Ne and Ar (of Kr), and some values of At, Fr
    and the actinides.
    """
    elements = [Element.from_Z(number) for number in range(1, HEAVIEST + 1)]
    columns = [_filled(elements, [of(element) for element in elements]) for of in PROPERTIES.values()]
    return np.vstack([np.zeros(len(columns)), np.column_stack(columns)])


@functools.cache
def scaled_properties() -> Table:
    """Return all properties, 104 x p, less their mean over the elements and over their standard deviation."""
    table = properties()
    scaled = np.zeros_like(table)
    scaled[1:] = (table[1:] - table[1:].mean(axis=0)) / table[1:].std(axis=0)
    return scaled


def property_values(name: str) -> Table:
    """Return one property, 104 values by atomic number."""
    return properties()[:, list(PROPERTIES).index(name)]


def atomic_numbers(structure: Structure) -> NDArray[np.int64]:
    """Return the atomic number of each site, n.

    Raises:
        ModelError: a site is shared by several elements, or holds none that is known.
    """
    try:
        numbers = np.array([site.specie.Z for site in structure], dtype=np.int64)
    except AttributeError as error:
        formula = structure.composition.formula
        raise ModelError(f"{formula} has sites that several elements share; give an ordered cell") from error
    unknown = sorted({str(structure[int(i)].specie) for i in np.flatnonzero((numbers < 1) | (numbers > HEAVIEST))})
    if unknown:
        raise ModelError(
            f"got {', '.join(unknown)}; elements from H to Lr are known; take such entries out of the pool"
        )
    return numbers


@functools.cache
def table_hash() -> str:
    """Return a hash of the table, which other versions of pymatgen may change."""
    return hashlib.sha256(properties().tobytes() + "".join(PROPERTIES).encode()).hexdigest()[:12]


@functools.cache
def code_version(*files: str) -> str:
    """Return a hash of source files and of the table: what features made by this code depend on."""
    code = b"".join(Path(file).read_bytes() for file in files)
    return hashlib.sha256(code + table_hash().encode()).hexdigest()[:12]


def _filled(elements: list[Element], values: list[float | None]) -> Table:
    known = [i for i, value in enumerate(values) if value is not None]

    def nearest(i: int) -> int:
        here = elements[i]
        return min(known, key=lambda k: (elements[k].group != here.group, abs(elements[k].row - here.row), abs(k - i)))

    return np.array([values[nearest(i)] if value is None else value for i, value in enumerate(values)], dtype=float)
