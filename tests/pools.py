"""A small pool of crystals, and a store that keeps what a report shows of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pymatgen.core import Lattice, Structure

from loop.storage.pool_snapshot import POOL, SnapshotMaker, keep_materials
from loop.storage.store import Store
from surrogates.pools.build_report import BadEntry, Duplicate, Findings, Note, Place, Unsettled
from surrogates.pools.pool import Pool, PoolEntry

A_SITES = ("Ca", "Sr", "Ba")
B_SITES = ("Ti", "Zr", "Hf", "Sn")


def perovskites() -> Pool:
    """Return twelve cubic oxides with cells of a plausible size."""
    entries = tuple(
        PoolEntry(f"{a}{b}O3", perovskite(a, b, 3.85 + 0.05 * i), provenance={"source": "<made up>"})
        for i, (a, b) in enumerate((a, b) for a in A_SITES for b in B_SITES)
    )
    bad = (BadEntry(Place("oxides.csv", 3), "atoms 0.2 Å apart <b>"), BadEntry(Place("oxides.csv", 9), "no cell"))
    stuck = Unsettled(Place("oxides.csv", 4), "BaSnO3", "the energy still falls <here>")
    note = Note(Place("oxides.csv", 5), "CaTiO3", "O1 at 0.333 <x> was read as a third")
    report = Findings(15, bad, (Duplicate(Place("oxides.csv", 12), "again", "SrTiO3"),), (stuck,), (note,))
    return Pool("oxides", entries, report=report)


def perovskite(a: str, b: str, edge: float) -> Structure:
    """Return a cubic perovskite oxide; ``edge`` in Å."""
    sites = [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.5, 0.5, 0.0), (0.5, 0.0, 0.5), (0.0, 0.5, 0.5)]
    return Structure(Lattice.cubic(edge), [a, b, "O", "O", "O"], sites)


def atlas() -> SnapshotMaker:
    """Return the pool on a plane."""
    pool = perovskites()
    return SnapshotMaker.of(pool, "chgnet", np.random.default_rng(0).normal(size=(len(pool), 5)))


def keep_pool(folder: Path, materials: list[str]) -> str:
    """Keep the pool, and the materials that were proposed, in a store, and return its URL."""
    url = f"sqlite:///{folder / 'made_up.db'}"
    store = Store(url)
    store.keep(POOL, "oxides", atlas().summary())
    keep_materials(store, atlas(), materials)
    store.close("")
    return url
