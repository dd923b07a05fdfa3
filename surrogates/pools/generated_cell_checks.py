"""Checks of generated cells: distances, coordination numbers, overlaps and charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from surrogates.pools.chemistry import Balance, bond, total_charge

REACH = 3.2  # Å; every bond and every overlap is shorter
SHELL = 1.25  # a neighbour farther than this times the expected bond is in the next shell
MEAN_TOLERANCE = 0.10
SHORTEST = 0.80

CLOSEST_ANIONS = 2.25
"""Å. The edge of SO4, the shortest of the oxyanions here, is 2.40 Å: S-O is 1.473 Å on average and the angle is
tetrahedral (Gagne and Hawthorne, Acta Cryst. B74, 63 (2018))."""

CLOSEST_CATIONS = 2.2
"""Å. Shorter than any distance between cations in face-sharing octahedra, 2.3 Å (Pauling's third rule, 1929)."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What should surround a cation.

    Attributes:
        ion: element and oxidation state.
        coordination: number of anions in the first shell.
    """

    ion: tuple[str, int]
    coordination: int

    @property
    def bond(self) -> float:
        """Return the expected mean distance to the anions in Å: the sum of Shannon's radii."""
        return bond(self.ion, self.coordination)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of sites closer than ``REACH``, each in both directions: p first sites, second sites, distances in Å."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    distance: NDArray[np.float64]


def faults(structure: Structure, expected: Sequence[Neighbourhood | None]) -> list[str]:
    """Return why a cell cannot be right; an empty list when nothing is wrong.

    The mean bond must lie within 10 % and the shortest within 20 % of the sum of Shannon's radii; that is wider than
    the spread of mean octahedral and tetrahedral bonds in oxides (Gagne and Hawthorne, IUCrJ 7, 581 (2020)) and far
    narrower than the errors of a wrong setting of the space group.

    Args:
        structure: n sites.
        expected: n entries, None on anions.
    """
    first, second, _, distance = structure.get_neighbor_list(REACH)
    pairs = _Pairs(np.asarray(first), np.asarray(second), np.asarray(distance))
    anion = np.array([around is None for around in expected])
    return [*_overlaps(pairs, anion), *_shells(structure, pairs, anion, expected)]


def charge_faults(balance: Balance, framework_charge: int) -> list[str]:
    """Return why the charges do not add up to zero, lithiated and delithiated.

    Args:
        balance: states of the metals in the cell.
        framework_charge: charge of everything in the cell but lithium and these metals.
    """
    sides = (
        ("lithiated", balance.lithiated, balance.lithium),
        ("delithiated", balance.delithiated, balance.lithium - balance.removed),
    )
    sums = ((name, framework_charge + lithium + total_charge(metals)) for name, metals, lithium in sides)
    return [f"the {name} cell has a charge of {charge:+d}; it must be 0" for name, charge in sums if charge]


def _overlaps(pairs: _Pairs, anion: NDArray[np.bool_]) -> list[str]:
    both, neither = anion[pairs.first] & anion[pairs.second], ~anion[pairs.first] & ~anion[pairs.second]
    kinds = (("anions", both, CLOSEST_ANIONS), ("cations", neither, CLOSEST_CATIONS))
    found = []
    for name, mask, limit in kinds:
        closest = float(np.min(pairs.distance[mask], initial=np.inf))
        if closest < limit:
            found.append(f"two {name} are {closest:.2f} Å apart; at least {limit} Å is allowed")
    return found


def _shells(
    structure: Structure, pairs: _Pairs, anion: NDArray[np.bool_], expected: Sequence[Neighbourhood | None]
) -> list[str]:
    length = np.array([np.inf if around is None else around.bond for around in expected])
    near = ~anion[pairs.first] & anion[pairs.second] & (pairs.distance < SHELL * length[pairs.first])
    found: Mapping[str, None] = dict.fromkeys(
        fault
        for site, around in enumerate(expected)
        if around is not None
        for fault in _shell(str(structure[site].specie), pairs.distance[near & (pairs.first == site)], around)
    )
    return list(found)


def _shell(name: str, bonds: NDArray[np.float64], around: Neighbourhood) -> list[str]:
    if len(bonds) != around.coordination:
        return [
            f"{name} has {len(bonds)} anions within {SHELL * around.bond:.2f} Å; {around.coordination} are expected"
        ]
    found = []
    if abs(bonds.mean() / around.bond - 1) > MEAN_TOLERANCE:
        found.append(f"{name} has a mean bond of {bonds.mean():.2f} Å; {around.bond:.2f} Å ± 10 % is expected")
    if bonds.min() < SHORTEST * around.bond:
        found.append(f"{name} has a bond of {bonds.min():.2f} Å; at least {SHORTEST * around.bond:.2f} Å is allowed")
    return found
