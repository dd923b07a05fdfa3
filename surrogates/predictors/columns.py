"""Metrics that stand in a pool's table: a column that ``space.pool.properties`` keeps, as a number of each material."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from campaigns.errors import ModelError
from surrogates.pools.pool import Pool, in_unit


@in_unit("1")
def tolerance_factor(pool: Pool) -> NDArray[np.float64]:
    """Return the column ``tolerance_factor``, n: Bartel et al., Sci. Adv. 5, eaav0693 (2019).

    Raises:
        ModelError: the pool has no such column.
    """
    return column(pool, "tolerance_factor")


def column(pool: Pool, name: str) -> NDArray[np.float64]:
    """Return a column of a pool's table, n.

    Raises:
        ModelError: the pool has no such column.
    """
    if name not in pool.properties:
        kept = ", ".join(pool.properties) or "none"
        raise ModelError(f"pool {pool.name!r} keeps no column {name!r}, but {kept}; add it to space.pool.properties")
    return np.asarray(pool.properties[name], dtype=float)
