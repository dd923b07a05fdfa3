"""Which element sits on which kind of site, from the most to the least coordinated one.

A kind of site is a role (cation or anion) and a coordination number: sites of one role are of different kinds where
their coordination numbers lie apart. No radii, oxidation states or symmetry are needed, so that it holds whatever
element was put on a site, and for cells that are not relaxed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Structure

from surrogates.features import coordination, elements
from surrogates.features.coordination import Bonds, Indices, Numbers, bonds
from surrogates.features.elements import PROPERTIES, code_version, scaled_properties
from surrogates.features.embeddings import Embeddings

KINDS = 4
"""Kinds of sites that have columns of their own; where there are more, the most similar ones are merged."""

COLUMNS = tuple(
    f"kind {kind}: {name}" for kind in range(1, KINDS + 1) for name in ("share", "coordination", *PROPERTIES)
)
"""What each column of the vectors holds."""

_EXPONENTS = (3.0, 2.5)
"""Two ways to count neighbours: the first is exact for regular polyhedra, so that it tells a tetrahedron from an
octahedron in spinels; the second tells the large site of a perovskite from the octahedron in polar phases too."""

_GAP = 1.2  # ratio of coordination numbers; common polyhedra differ by 4/3 and more
_OCTAHEDRON = 6.0


@dataclass(frozen=True, slots=True)
class SiteFeatures:
    """Describe a crystal by the elements on each kind of its sites."""

    @property
    def name(self) -> str:
        """Return the name under which results are cached."""
        return "sites"

    @property
    def version(self) -> str:
        """Return what changes with the code and with the table of elements."""
        return f"pymatgen-{version('pymatgen-core')}-{code_version(__file__, elements.__file__, coordination.__file__)}"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[None]:
        """Return for each of four kinds of sites its share of the atoms, its coordination and its elements, n x d.

        Coordination numbers are divided by 6; the elements' properties are averaged over the sites of a kind, in
        standard deviations over the elements. Kinds that a crystal lacks are zeros, at the end.

        Raises:
            ModelError: a structure holds something that is no known element.
        """
        return Embeddings(None, np.array([_vector(bonds(structure)) for structure in structures], dtype=np.float32))


def site_kinds(anion: NDArray[np.bool_], counts: Numbers) -> list[Indices]:
    """Return the sites of each kind: those of cations, then those of anions, the most coordinated first.

    Args:
        anion: n, the role of each site.
        counts: e x n, coordination numbers, counted in e ways.
    """
    kinds = [kind for role in (False, True) for kind in _split(np.flatnonzero(anion == role), counts)]
    while len(kinds) > KINDS:
        kinds = _merged(kinds, anion, counts[0])
    return kinds


def _split(sites: Indices, counts: Numbers) -> list[Indices]:
    """Divide sites where either count, e x n, has a gap, the largest count first."""
    kinds = [sites] if len(sites) else []
    for row in counts:
        kinds = [part for kind in kinds for part in _at_gaps(kind, row)]
    return sorted(kinds, key=lambda kind: -float(counts[:, kind].mean()))


def _at_gaps(sites: Indices, count: Numbers) -> list[Indices]:
    ranked = sites[np.argsort(-count[sites], kind="stable")]
    larger, smaller = count[ranked[:-1]], count[ranked[1:]]
    return np.split(ranked, np.flatnonzero(larger > _GAP * smaller) + 1)


def _merged(kinds: list[Indices], anion: NDArray[np.bool_], count: Numbers) -> list[Indices]:
    """Join the two neighbours in the list that are most alike: of one role, and nearest in coordination."""

    def unlike(i: int) -> tuple[bool, float]:
        one, other = kinds[i], kinds[i + 1]
        return bool(anion[one[0]] != anion[other[0]]), float(count[one].mean() / max(count[other].mean(), 1e-9))

    i = min(range(len(kinds) - 1), key=unlike)
    return [*kinds[:i], np.concatenate(kinds[i : i + 2]), *kinds[i + 2 :]]


def _vector(around: Bonds) -> Numbers:
    """Return the columns of one crystal, d."""
    counts = np.array([around.coordination(exponent) for exponent in _EXPONENTS])
    rows = np.zeros((KINDS, 2 + len(PROPERTIES)))
    for row, sites in zip(rows, site_kinds(around.anion, counts), strict=False):
        row[0] = len(sites) / len(around.numbers)
        row[1] = counts[0, sites].mean() / _OCTAHEDRON
        row[2:] = scaled_properties()[around.numbers[sites]].mean(axis=0)
    return rows.ravel()
