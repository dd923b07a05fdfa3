"""The pool of lithium-ion cathodes: published frameworks with charge-balanced substitutions on their metal sites."""

from __future__ import annotations

from dataclasses import dataclass

from surrogates.pools import frameworks as known
from surrogates.pools.chemistry import INERT, REDOX
from surrogates.pools.frameworks import Matrix
from surrogates.pools.pool import Pool, PoolEntry
from surrogates.pools.substitution import Family, Mix, substituted_entry

ALL = (*REDOX, *INERT)
COMMON = ("V", "Cr", "Mn", "Fe", "Co", "Ni", "Al", "Mg")
TRIVALENT = ("Ti", "V", "Cr", "Mn", "Fe", "Co", "Ni", "Nb", "Mo", "Al")
DIVALENT = ("Mn", "Fe", "Co", "Ni", "Cu", "Mg", "Zn")

ROW: Matrix = ((2, 0, 0), (0, 1, 0), (0, 0, 1))
"""Doubled cell of the layers: rows of metals."""

TRIPLE: Matrix = ((1, -2, 1), (1, 1, -2), (1, 0, 0))
"""Root-3 x root-3 cell of the layers: Koyama et al., J. Power Sources 119-121, 644 (2003)."""


@dataclass(frozen=True)
class Rejected:
    """A substitution that gave no entry.

    Attributes:
        id: the id that the entry would have had.
        family: name of the framework.
        reasons: why it is not in the pool.
    """

    id: str
    family: str
    reasons: tuple[str, ...]


def _mixes(sites: int, metals: tuple[str, ...]) -> tuple[Mix, ...]:
    """Return the pure and the half-and-half ordering of so many metal sites."""
    return Mix("A" * sites, metals), Mix("A" * (sites // 2) + "B" * (sites // 2), metals)


FAMILIES: tuple[Family, ...] = (
    Family(
        known.LAYERED,
        (Mix("A", ALL), Mix("AB", ALL, ROW), Mix("AAB", COMMON, TRIPLE), Mix("ABC", COMMON, TRIPLE)),
    ),
    Family(known.ROCKSALT, _mixes(2, ALL)),
    Family(known.ZIGZAG, _mixes(2, ALL)),
    Family(known.LITHIUM_RICH, _mixes(2, ALL)),
    Family(known.SPINEL, (*_mixes(4, ALL), Mix("AAAB", ALL))),
    Family(known.INVERSE_SPINEL, (Mix("LLAA", DIVALENT), Mix("LLAB", DIVALENT)), "V"),
    Family(known.OLIVINE, (*_mixes(4, DIVALENT), Mix("AAAB", DIVALENT)), "P"),
    Family(known.OLIVINE, _mixes(4, TRIVALENT), "Si"),
    Family(known.OLIVINE, _mixes(4, TRIVALENT), "Ge"),
    Family(known.TAVORITE, _mixes(2, ALL), "P"),
    Family(known.TAVORITE, _mixes(2, ALL), "P", terminal="O"),
    Family(known.TAVORITE, _mixes(2, DIVALENT), "S"),
    Family(known.NASICON, _mixes(4, ALL), "P"),
    Family(known.PYROXENE, _mixes(2, TRIVALENT), "Si"),
    Family(known.PYROXENE, _mixes(2, TRIVALENT), "Ge"),
    Family(known.ORTHOSILICATE, _mixes(2, DIVALENT), "Si"),
    Family(known.ORTHOSILICATE, _mixes(2, DIVALENT), "Ge"),
)


def cathodes() -> Pool:
    """Return the pool of lithium-ion cathodes."""
    return substitute_all()[0]


def substitute_all(families: tuple[Family, ...] = FAMILIES) -> tuple[Pool, tuple[Rejected, ...]]:
    """Make every substitution of every family; return those that pass all checks, and the others with their reasons."""
    entries: list[PoolEntry] = []
    rejected: list[Rejected] = []
    for recipe in (recipe for family in families for recipe in family.recipes()):
        made = substituted_entry(recipe)
        if isinstance(made, PoolEntry):
            entries.append(made)
        else:
            rejected.append(Rejected(recipe.id, recipe.family.framework.name, tuple(made)))
    return Pool("cathodes", tuple(entries)), tuple(rejected)
