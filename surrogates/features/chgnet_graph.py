"""The graph that CHGNet sees: atoms, bonds between them, and the angles between short bonds that share an atom."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

_COLLINEAR = 1 - 1e-6  # CHGNet's factor on cosines: it was trained with angles that never reach 0 or pi
_COINCIDENT = 1e-3  # Å
_DIRECTION = np.array([1e8, 1e4, 1.0])  # the sign of an image's product with it tells an image from its opposite


@dataclass(frozen=True, slots=True)
class CrystalGraph:
    """A crystal of n atoms with b bonds, of which the first s are short, and a angles.

    An angle is an ordered pair of the two directions of short bonds that leave one atom.

    Attributes:
        numbers: n, atomic numbers.
        lengths: b, in Å.
        short: s, how many bonds have angles.
        edges: 3 x 2b, for both directions of each bond: its atom, the atom it leads to, the bond.
        angles: 3 x a, for each angle: its first bond, its second bond, the atom between them.
        pairs: a, the number of the unordered pair that each angle belongs to.
        spread: a/2, the angle of each unordered pair, in radians.
    """

    numbers: Integers
    lengths: Floats
    short: int
    edges: Integers
    angles: Integers
    pairs: Integers
    spread: Floats


@dataclass(frozen=True, slots=True)
class _Bonds:
    """Bonds, each once: the two atoms, b, the lattice vectors between them, b x 3, and the lengths, b, in Å."""

    start: Integers
    end: Integers
    images: Floats
    lengths: Floats

    def take(self, which: NDArray[np.bool_] | Integers) -> _Bonds:
        return _Bonds(self.start[which], self.end[which], self.images[which], self.lengths[which])


def crystal_graph(structure: Structure, cutoff: float, short: float) -> CrystalGraph:
    """Find all bonds up to ``cutoff`` Å, and all angles between bonds below ``short`` Å.

    Raises:
        ValueError: a site is shared by several elements, two atoms are in the same place, or an atom has no neighbour.
    """
    if not structure.is_ordered:
        raise ValueError("several elements share a site")
    numbers = np.array([site.specie.Z for site in structure], dtype=np.int64)
    bonds = _bonds(structure, cutoff, short)
    edges = np.array(
        [np.append(bonds.start, bonds.end), np.append(bonds.end, bonds.start), np.tile(np.arange(len(bonds.start)), 2)]
    )
    lonely = len(numbers) - np.count_nonzero(np.bincount(edges[0], minlength=len(numbers)))
    if lonely:
        raise ValueError(f"atoms without a neighbour within {cutoff:g} Å: {lonely}")
    if bonds.lengths.min() < _COINCIDENT:
        raise ValueError("two atoms are in the same place")
    count = int(np.count_nonzero(bonds.lengths < short))
    return CrystalGraph(numbers, bonds.lengths, count, edges, *_angles(structure, bonds, count))


def _bonds(structure: Structure, cutoff: float, short: float) -> _Bonds:
    """Return each pair of neighbours once, short bonds first."""
    bonds = _Bonds(*structure.get_neighbor_list(r=cutoff))
    forward = (bonds.start < bonds.end) | ((bonds.start == bonds.end) & (bonds.images @ _DIRECTION > 0))
    bonds = bonds.take(forward)
    return bonds.take(np.argsort(bonds.lengths >= short, kind="stable"))


def _angles(structure: Structure, bonds: _Bonds, short: int) -> tuple[Integers, Integers, Floats]:
    """Return angles, pairs and spread of the graph."""
    directions, atoms = _directions(structure, bonds.take(np.arange(short)))
    by_atom = np.argsort(atoms, kind="stable")
    degree = np.bincount(atoms, minlength=len(structure))
    first = np.cumsum(degree) - degree
    rank = np.empty_like(by_atom)
    rank[by_atom] = np.arange(len(atoms)) - first[atoms[by_atom]]
    partners = degree[atoms] - 1
    begin = np.cumsum(partners) - partners
    left = np.repeat(np.arange(len(atoms)), partners)
    place = np.arange(len(left)) - begin[left]
    right = by_atom[first[atoms[left]] + place + (place >= rank[left])]
    forward = np.flatnonzero(left < right)
    one, other = left[forward], right[forward]
    pairs = np.empty_like(left)
    pairs[forward] = np.arange(len(forward))
    pairs[begin[other] + rank[one] - (rank[one] > rank[other])] = pairs[forward]
    cosines = np.einsum("ij,ij->i", directions[one], directions[other])
    return np.stack([left // 2, right // 2, atoms[left]]), pairs, np.arccos(cosines * _COLLINEAR)


def _directions(structure: Structure, bonds: _Bonds) -> tuple[Floats, Integers]:
    """Return unit vectors, 2s x 3, of both directions of each bond in turn, and the atoms, 2s, that they leave."""
    positions = structure.cart_coords
    vectors = positions[bonds.end] - positions[bonds.start] + bonds.images @ structure.lattice.matrix
    units = vectors / bonds.lengths[:, None]
    return np.stack([units, -units], axis=1).reshape(-1, 3), np.stack([bonds.start, bonds.end], axis=1).ravel()
