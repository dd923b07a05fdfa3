"""Which crystals are the same: a cheap description that sorts out most pairs, and pymatgen's matcher for the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np
from numpy.typing import NDArray
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Structure
from scipy.spatial import KDTree

from surrogates.pools.chirality import mirrored

REACH = 2.2  # mean spacings; within lie some 45 neighbours of an atom
FEWEST, MOST = 4, 40  # nearest neighbours that count, of each pair of elements: the fewer pairs, the more of them
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
APART = 0.05  # mean spacings: no distance of equal crystals differs more
VOLUMES = 1.1  # ratio of volumes per atom beyond which crystals are distinguished


@dataclass(frozen=True, slots=True)
class Likeness:
    """What can be compared without a structure.

    Attributes:
        key: content hash of the structure.
        formula: reduced formula.
        volume: Å3 per atom.
        distances: what ``describe`` says of it, k numbers; as many for crystals of one formula.
    """

    key: str
    formula: str
    volume: float
    distances: NDArray[np.float32]


def neighbour_distances(structure: Structure) -> NDArray[np.float32]:
    """Return the distances to the nearest neighbours of each pair of elements: their quartiles over the sites.

    They are in units of the cube root of the volume per atom, and cut off at 2.2 of them. They are the same for every
    choice of the cell and every order of the sites, and change by at most twice the largest move of an atom: after the
    average minimum distances of Widdowson et al., MATCH Commun. Math. Comput. Chem. 87, 529 (2022).

    Args:
        structure: n sites of elements.
    """
    spacing = (structure.volume / len(structure)) ** (1 / 3)
    first, second, _, distance = structure.get_neighbor_list(REACH * spacing)
    names = np.array([site.specie.symbol for site in structure])
    of_first, of_second = names[first], names[second]
    pairs = list(combinations_with_replacement(sorted(set(names.tolist())), 2))
    count = max(FEWEST, MOST // len(pairs))
    parts = []
    for one, other in pairs:
        chosen = (of_first == one) & (of_second == other)
        sites = np.flatnonzero(names == one)
        table = _nearest(np.searchsorted(sites, first[chosen]), distance[chosen] / spacing, (len(sites), count))
        parts.append(np.quantile(table, QUARTILES, axis=0, method="inverted_cdf").ravel())
    return np.concatenate(parts).astype(np.float32)


def _nearest(site: NDArray[np.int64], distance: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the nearest distances of each site in ascending order, filled up with the reach."""
    order = np.lexsort((distance, site))
    site, distance = site[order], distance[order]
    rank = np.arange(len(site)) - np.searchsorted(site, site)
    table = np.full(shape, REACH)
    near = rank < shape[1]
    table[site[near], rank[near]] = distance[near]
    return table


def duplicates(
    all_of_them: Sequence[Likeness],
    structure_of: Callable[[int], Structure],
    progress: Callable[[int, int], None],
) -> dict[int, int]:
    """Return for each crystal that equals an earlier one which one that is.

    Equal are crystals of one reduced formula that pymatgen's StructureMatcher finds equal with its own tolerances,
    whose volumes per atom differ by at most 10 % and whose distances by at most a twentieth of the mean spacing (some
    0.1 Å), unless they are mirror images of each other, which the matcher takes for equal. The matcher alone would
    take hours for thousands of crystals of one element.

    Args:
        all_of_them: n crystals.
        structure_of: returns a structure by its number.
        progress: called with how many crystals are done, of those that share their formula with others.
    """
    groups = defaultdict(list)
    for number, each in enumerate(all_of_them):
        groups[each.formula].append(number)
    several = [group for group in groups.values() if len(group) > 1]
    found: dict[int, int] = {}
    done, total = 0, sum(map(len, several))
    for group in several:
        tree = KDTree([_place(all_of_them[number]) for number in group])
        for earlier in group:
            if earlier not in found:
                near = tree.query_ball_point(_place(all_of_them[earlier]), 1.0, p=np.inf)
                later = [group[i] for i in sorted(near) if group[i] > earlier and group[i] not in found]
                found.update(dict.fromkeys(_equal(earlier, later, all_of_them, structure_of), earlier))
            done += 1
            progress(done, total)
    return found


def _place(crystal: Likeness) -> NDArray[np.float64]:
    """Return a point whose coordinates differ by at most 1 from those of an equal crystal."""
    return np.append(crystal.distances / APART, np.log(crystal.volume) / np.log(VOLUMES))


def _equal(
    earlier: int, later: Sequence[int], crystals: Sequence[Likeness], structure_of: Callable[[int], Structure]
) -> list[int]:
    """Return which of the later crystals equal the earlier one."""
    same = [number for number in later if crystals[number].key == crystals[earlier].key]
    others = sorted(set(later).difference(same))
    if not others:
        return same
    matcher, reference = StructureMatcher(), structure_of(earlier)
    for number in others:
        structure = structure_of(number)
        if matcher.fit(reference, structure) and not mirrored(reference, structure):
            same.append(number)
    return same
