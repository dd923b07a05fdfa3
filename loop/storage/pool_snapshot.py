"""What a report shows of a pool, small enough for the store: its elements, a map of its materials, what was wrong.

The report is made from the store alone, so a session keeps the summary of the pool once (``SnapshotMaker.summary``),
and of each material that is proposed its structure and its place on the map (``keep_materials``).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from loop.core.events import Event, Proposed

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from loop.storage.store import Store
    from surrogates.pools.pool import Pool

POOL, MATERIAL = "pool", "material"
"""Kinds of artefacts in the store."""

_MOST_POINTS = 4000
_MOST_BYTES = 150_000  # of the sampled points as JSON
_NUMBERS = 24  # bytes of two coordinates
_MOST_BAD = 20
_LONGEST = 200  # characters of what is wrong with an entry


@dataclass(frozen=True)
class Crystal:
    """A crystal's cell.

    Attributes:
        lattice: 3 x 3, the cell's vectors in Å, one per row.
        symbols: n elements.
        coordinates: n x 3, fractional.
    """

    lattice: NDArray[np.float64]
    symbols: tuple[str, ...]
    coordinates: NDArray[np.float64]


@dataclass(frozen=True)
class MaterialSnapshot:
    """A proposed material as the store keeps it.

    Attributes:
        formula: reduced formula.
        prototype: anonymous formula and space group.
        place: on the map of the pool.
        provenance: where the cell comes from.
    """

    formula: str
    prototype: str
    place: tuple[float, float]
    crystal: Crystal
    provenance: Mapping[str, str]

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Return what ``SnapshotMaker.material`` gave."""
        symbols, coordinates = zip(*((site[0], site[1:]) for site in kept["sites"]), strict=True)
        crystal = Crystal(np.array(kept["lattice"]), symbols, np.array(coordinates))
        x, y = kept["place"]
        return cls(kept["formula"], kept["prototype"], (x, y), crystal, kept["provenance"])


@dataclass(frozen=True)
class PoolSnapshot:
    """A pool as the store keeps it.

    Attributes:
        size: number of materials.
        formulas: number of different reduced formulas.
        elements: element to the number of materials that hold it.
        view: name of the features of the map.
        shares: shares of the view's variance along the two axes of the map.
        ids: s sampled materials.
        places: s x 2, where they lie on the map.
        read: number of entries in the source; 0 where it was not counted.
        bad: number of entries that could not be used.
        duplicates: number of entries that were folded into another.
        troubles: the first bad entries, with what is wrong with them.
        unsettled: number of entries whose lattice was to be set and stays as it was given.
        kept_lattices: the first of these, with the reason.
        noted: number of notes of what was not read as written, or on trust.
        notes: the first of them.
    """

    size: int
    formulas: int
    elements: Mapping[str, int]
    view: str
    shares: tuple[float, float]
    ids: tuple[str, ...]
    places: NDArray[np.float64]
    read: int
    bad: int
    duplicates: int
    troubles: tuple[str, ...]
    unsettled: int = 0
    kept_lattices: tuple[str, ...] = ()
    noted: int = 0
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> Self:
        """Return what ``SnapshotMaker.summary`` gave."""
        first, second = kept["shares"]
        changed = {
            "shares": (first, second),
            "ids": tuple(kept["ids"]),
            "places": np.array(kept["places"]).reshape(-1, 2),
            "troubles": tuple(kept["troubles"]),
            "kept_lattices": tuple(kept.get("kept_lattices", ())),  # older stores have none
            "notes": tuple(kept.get("notes", ())),
        }
        return cls(**(dict(kept) | changed))


@dataclass(frozen=True, eq=False)
class SnapshotMaker:
    """A pool, and where each of its n materials lies on a plane.

    Attributes:
        view: name of the features.
        places: n x 2, their first two principal components, scaled to a standard deviation of one along the first.
        shares: shares of the variance along the two.
    """

    pool: Pool
    view: str
    places: NDArray[np.float64]
    shares: tuple[float, float]

    @classmethod
    def of(cls, pool: Pool, view: str, vectors: NDArray[np.floating[Any]]) -> Self:
        """Return the map of a pool by one view, n x e."""
        centred = vectors - vectors.mean(axis=0, dtype=np.float64)
        values, loadings = np.linalg.eigh(centred.T @ centred)
        order = np.argsort(-values)[:2]
        signs = np.sign(loadings[np.abs(loadings[:, order]).argmax(axis=0), order])
        found = np.zeros((len(vectors), 2))
        found[:, : len(order)] = centred @ (loadings[:, order] * signs)
        parts = np.zeros(2)
        parts[: len(order)] = np.clip(values[order], 0.0, None) / max(float(np.trace(centred.T @ centred)), 1e-300)
        return cls(pool, view, found / (float(found[:, 0].std()) or 1.0), (float(parts[0]), float(parts[1])))

    def summary(self) -> dict[str, Any]:
        """Return what the store keeps of the pool, below 200 kB however large the pool is."""
        pool, report = self.pool, self.pool.report
        elements = Counter(e for formula in pool.formulas for e in set(re.findall("[A-Z][a-z]?", formula)))
        sample = self._sample()
        return {
            "size": len(pool),
            "formulas": len(set(pool.formulas)),
            "elements": dict(elements.most_common()),
            "view": self.view,
            "shares": list(self.shares),
            "ids": [pool.ids[i] for i in sample],
            "places": np.round(self.places[sample], 3).tolist(),
            "read": report.read,
            "bad": len(report.bad),
            "duplicates": len(report.duplicates),
            "troubles": [str(each)[:_LONGEST] for each in report.bad[:_MOST_BAD]],
            "unsettled": len(report.unsettled),
            "kept_lattices": [str(each)[:_LONGEST] for each in report.unsettled[:_MOST_BAD]],
            "noted": len(report.notes),
            "notes": [str(each)[:_LONGEST] for each in report.notes[:_MOST_BAD]],
        }

    def material(self, material: str) -> dict[str, Any]:
        """Return what the store keeps of one material of the pool.

        Raises:
            KeyError: there is no such material.
        """
        from surrogates.pools.entry_reading import prototype_of

        entry = self.pool[material]
        return {
            "formula": entry.structure.composition.reduced_formula,
            "prototype": prototype_of(entry.structure),
            "place": np.round(self.places[self.pool.ids.index(material)], 3).tolist(),
            "provenance": dict(entry.provenance),
            **_cell(entry.structure),
        }

    def _sample(self) -> NDArray[np.int64]:
        """Return the places of materials that stand for all of them, the same each time."""
        size = len(self.pool)
        longest = _NUMBERS + sum(len(name.encode()) for name in self.pool.ids) // max(size, 1)
        count = min(size, _MOST_POINTS, _MOST_BYTES // longest)
        return np.sort(np.random.default_rng(0).permutation(size)[:count])


def keeping_snapshots(maker: SnapshotMaker, store: Store, on_event: Callable[[Event], None]) -> Callable[[Event], None]:
    """Keep what a report shows of a pool and of its trials' materials; what is returned adds each proposed one.

    Args:
        maker: of the pool.
        store: where it is kept.
        on_event: told of each event first.
    """
    if not store.artefacts(POOL):
        store.keep(POOL, maker.pool.name, maker.summary())
    keep_materials(store, maker, (trial.candidate.material for trial in store.trials()))

    def keeping(event: Event) -> None:
        on_event(event)
        if isinstance(event, Proposed):
            keep_materials(store, maker, [event.candidate.material])

    return keeping


def keep_materials(store: Store, maker: SnapshotMaker, materials: Iterable[str | None]) -> None:
    """Keep what the report shows of proposed materials, of those that the store does not hold yet."""
    wanted = {material for material in materials if material is not None} - store.artefacts(MATERIAL).keys()
    for material in sorted(wanted):
        store.keep(MATERIAL, material, maker.material(material))


def _cell(structure: Structure) -> dict[str, Any]:
    sites = [[site.specie.symbol, *np.round(site.frac_coords, 5).tolist()] for site in structure]
    return {"lattice": np.round(structure.lattice.matrix, 5).tolist(), "sites": sites}
