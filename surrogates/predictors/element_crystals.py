"""Crystals of the elements, as references of formation energies: the stable structure, or one of nearly its energy.

Prototypes and parameters are those of Wyckoff, Crystal Structures, 2nd edition, vol. 1 (1963), rounded; volumes follow
from pymatgen's molar volumes. Both are only where a search for the lowest energy begins. What is simplified:

- Diatomic molecules (H, N, O, F, Cl, Br, I) stand in the cubic structure of solid nitrogen; how they are packed counts
  for a few hundredths of an eV.
- Sulphur has the helical chains of selenium, not rings of eight.
- Manganese and the actinides beyond thorium are body-centred cubic, indium and mercury face-centred; lanthanides whose
  layers are stacked otherwise are hexagonal close-packed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Element, Lattice, Structure

from campaigns.errors import ModelError

_Site = tuple[float, float, float]
_PER_ATOM = 10 / 6.02214076  # Å3, in a cm3/mol
_BONDS: Mapping[str, float] = {"H": 0.74, "N": 1.10, "O": 1.21, "F": 1.42, "Cl": 1.99, "Br": 2.28, "I": 2.67}  # Å


@dataclass(frozen=True, slots=True)
class _Prototype:
    """A primitive cell, up to its volume.

    Attributes:
        lattice: its shape.
        sites: fractional coordinates.
        elements: that have this structure.
    """

    lattice: Lattice
    sites: tuple[_Site, ...]
    elements: str


def element_crystal(element: str) -> Structure:
    """Return a crystal of an element, at about its volume.

    Raises:
        ModelError: there is none; neither was there any among the crystals that CHGNet was trained on.
    """
    if element in _BONDS:
        return _crystal(element, Lattice.cubic(1), _molecules(_BONDS[element] / _edge(element)))
    if element not in _BY_ELEMENT:
        known = ", ".join(sorted({*_BONDS, *_BY_ELEMENT}))
        raise ModelError(
            f"there is no reference energy of {element}, so that its compounds have no formation energy; take them out "
            f"of the pool, or use no prior from formation energies; known are {known}"
        )
    prototype = _BY_ELEMENT[element]
    return _crystal(element, prototype.lattice, prototype.sites)


def _crystal(element: str, lattice: Lattice, sites: tuple[_Site, ...]) -> Structure:
    return Structure(lattice.scale(len(sites) * _volume(element)), [element] * len(sites), sites)


def _volume(element: str) -> float:
    """Return the volume of an atom in the liquid or solid, in Å3."""
    return float(Element(element).molar_volume) * _PER_ATOM


def _edge(element: str) -> float:
    """Return the edge of a cube of eight atoms, in Å."""
    return float(np.cbrt(8 * _volume(element)))


def _molecules(bond: float) -> tuple[_Site, ...]:
    """Return the four molecules of solid nitrogen, for a bond length in units of the cubic edge."""
    x = bond / (2 * 3**0.5)
    return _mirrored((x, x, x), (0.5 + x, 0.5 - x, -x), (-x, 0.5 + x, 0.5 - x), (0.5 - x, -x, 0.5 + x))


def _puckered(y: float, z: float) -> tuple[_Site, ...]:
    """Return site 8f (0, y, z) of Cmce in the primitive cell."""
    return _mirrored((-y, y, z), (y - 0.5, 0.5 - y, 0.5 + z))


def _icosahedron(x: float, z: float) -> tuple[_Site, ...]:
    """Return site 6h (x, x, z) of R-3m in rhombohedral axes."""
    return _mirrored((x, x, z), (x, z, x), (z, x, x))


def _helix(x: float) -> tuple[_Site, ...]:
    """Return site 3a (x, 0, 1/3) of P3_121."""
    return ((x, 0, 1 / 3), (0, x, 2 / 3), (-x, -x, 0))


def _mirrored(*sites: _Site) -> tuple[_Site, ...]:
    return (*sites, *((-x, -y, -z) for x, y, z in sites))


def _base_centred(a: float, b: float, c: float) -> Lattice:
    return Lattice([[a / 2, -b / 2, 0], [a / 2, b / 2, 0], [0, 0, c]])


def _body_centred(a: float, c: float) -> Lattice:
    return Lattice([[-a / 2, a / 2, c / 2], [a / 2, -a / 2, c / 2], [a / 2, a / 2, -c / 2]])


_FACE_CENTRED = Lattice([[0, 1, 1], [1, 0, 1], [1, 1, 0]])
_PROTOTYPES = (
    _Prototype(_FACE_CENTRED, ((0, 0, 0),), "Ne Al Ar Ca Ni Cu Kr Sr Rh Pd Ag In Xe Ce Yb Ir Pt Au Hg Pb Ac Th"),
    _Prototype(_body_centred(1, 1), ((0, 0, 0),), "Li Na K V Cr Mn Fe Rb Nb Mo Cs Ba Eu Ta W Pa U Np Pu"),
    _Prototype(
        Lattice.hexagonal(1, 1.62),
        _mirrored((1 / 3, 2 / 3, 0.25)),
        "He Be Mg Sc Ti Co Zn Y Zr Tc Ru Cd La Pr Nd Pm Sm Gd Tb Dy Ho Er Tm Lu Hf Re Os Tl",
    ),
    _Prototype(_FACE_CENTRED, ((0, 0, 0), (0.25, 0.25, 0.25)), "Si Ge"),
    _Prototype(Lattice.hexagonal(2.46, 6.71), _mirrored((0, 0, 0.25), (1 / 3, 2 / 3, 0.25)), "C"),
    _Prototype(Lattice.rhombohedral(1, 58.1), (*_icosahedron(0.010, 0.653), *_icosahedron(0.221, 0.631)), "B"),
    _Prototype(_base_centred(3.31, 10.5, 4.38), _puckered(0.102, 0.081), "P"),
    _Prototype(_base_centred(4.52, 7.66, 4.53), _puckered(0.153, 0.079), "Ga"),
    _Prototype(Lattice.rhombohedral(1, 55.5), _mirrored((0.23, 0.23, 0.23)), "As Sb Bi"),
    _Prototype(Lattice.hexagonal(4.37, 4.95), _helix(0.225), "S Se"),
    _Prototype(Lattice.hexagonal(4.46, 5.93), _helix(0.264), "Te"),
    _Prototype(_body_centred(5.83, 3.18), ((0, 0, 0), (0.75, 0.25, 0.5)), "Sn"),
)
_BY_ELEMENT: Mapping[str, _Prototype] = {
    element: prototype for prototype in _PROTOTYPES for element in prototype.elements.split()
}
