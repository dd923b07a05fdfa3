"""A pool small enough to be embedded in a test."""

from __future__ import annotations

from surrogates.pools.pool import Pool
from surrogates.pools.prototypes import FAMILIES, substitute_all


def few() -> Pool:
    """Return eight layered oxides of the cathode campaign's pool."""
    pool, _ = substitute_all(FAMILIES[:1])
    return Pool("few", tuple(entry for entry in pool.entries if entry.id in NAMES))


NAMES = tuple(f"Li{metal}O2-layered" for metal in ("Ti", "V", "Cr", "Mn", "Co", "Ni", "Nb", "Mo"))
