import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from loop.storage.pool_snapshot import MATERIAL, POOL, MaterialSnapshot, PoolSnapshot, SnapshotMaker, keep_materials
from loop.storage.reader import Reader
from loop.storage.store import Store
from surrogates.pools.pool import Pool, PoolEntry
from tests.pools import atlas, keep_pool, perovskite, perovskites


def test_the_map_is_that_of_the_principal_components() -> None:
    vectors = np.random.default_rng(3).normal(size=(12, 4)) * [1.0, 5.0, 0.1, 2.0]
    found = SnapshotMaker.of(perovskites(), "chgnet", vectors)
    centred = vectors - vectors.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * values[:2] / (left[:, 0] * values[0]).std()
    assert_allclose(np.abs(found.places), np.abs(expected), atol=1e-9)
    assert_allclose(found.shares, (values**2 / (values**2).sum())[:2])


@pytest.mark.parametrize("vectors", [np.zeros((12, 3)), np.arange(12.0).reshape(12, 1)])
def test_a_view_of_no_or_one_dimension_has_a_map_too(vectors: np.ndarray) -> None:
    found = SnapshotMaker.of(perovskites(), "simple", vectors)
    assert found.places.shape == (12, 2)
    assert np.isfinite(found.places).all()
    assert not found.places[:, 1].any()


def test_the_summary_comes_back_from_the_store(tmp_path: Path) -> None:
    reader = Reader(keep_pool_in_campaign(tmp_path, ["SrTiO3"]))
    pool = PoolSnapshot.of(reader.artefacts(POOL)["oxides"])
    assert (pool.size, pool.formulas, pool.read, pool.bad, pool.duplicates) == (12, 12, 15, 2, 1)
    assert pool.elements == {"O": 12, "Ca": 4, "Sr": 4, "Ba": 4, "Ti": 3, "Zr": 3, "Hf": 3, "Sn": 3}
    assert pool.ids == perovskites().ids
    assert_allclose(pool.places, atlas().places, atol=1e-3)
    assert pool.troubles[1] == "oxides.csv row 9: no cell"
    assert (pool.unsettled, pool.kept_lattices) == (1, ("oxides.csv row 4, BaSnO3: the energy still falls <here>",))
    assert (pool.noted, pool.notes) == (1, ("oxides.csv row 5, CaTiO3: O1 at 0.333 <x> was read as a third",))


def test_a_summary_that_is_older_than_lattices_can_be_read() -> None:
    kept = {k: v for k, v in atlas().summary().items() if k not in ("unsettled", "kept_lattices", "noted", "notes")}
    assert PoolSnapshot.of(kept).unsettled == PoolSnapshot.of(kept).noted == 0


def test_a_material_comes_back_from_the_store(tmp_path: Path) -> None:
    reader = Reader(keep_pool_in_campaign(tmp_path, ["SrTiO3"]))
    picture = MaterialSnapshot.read(reader.artefacts(MATERIAL)["SrTiO3"])
    entry = perovskites()["SrTiO3"]
    assert (picture.formula, picture.prototype) == ("SrTiO3", "ABC3 Pm-3m")
    assert picture.crystal.symbols == ("Sr", "Ti", "O", "O", "O")
    assert_allclose(picture.crystal.lattice, entry.structure.lattice.matrix, atol=1e-4)
    assert_allclose(picture.crystal.coordinates, entry.structure.frac_coords)
    assert_allclose(picture.place, atlas().places[perovskites().ids.index("SrTiO3")], atol=1e-3)


def test_materials_are_kept_once_and_only_proposed_ones(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    keep_materials(store, atlas(), ["SrTiO3", None, "CaTiO3", "SrTiO3"])
    store.keep(MATERIAL, "SrTiO3", {"kept": "as it was"})
    keep_materials(store, atlas(), ["SrTiO3", "BaTiO3"])
    assert list(store.artefacts(MATERIAL)) == ["BaTiO3", "CaTiO3", "SrTiO3"]
    assert store.artefacts(MATERIAL)["SrTiO3"] == {"kept": "as it was"}
    store.close("")


@pytest.mark.slow
@pytest.mark.parametrize("length", [8, 200])
def test_the_summary_of_a_large_pool_is_small(length: int) -> None:
    structure = perovskite("Sr", "Ti", 3.9)
    count = 20_000
    pool = Pool("large", tuple(PoolEntry(f"{i:0{length}d}", structure) for i in range(count)))
    pool.__dict__["index"] = _Index(("SrTiO3",) * count)  # hashing 20,000 cells takes seconds
    summary = SnapshotMaker.of(pool, "chgnet", np.random.default_rng(0).normal(size=(count, 3))).summary()
    assert len(json.dumps(summary)) < 200_000
    assert summary["size"] == count
    assert 600 < len(summary["ids"]) <= 4000
    assert summary["elements"] == {"Sr": count, "Ti": count, "O": count}


class _Index:
    def __init__(self, formulas: tuple[str, ...]) -> None:
        self.formulas = formulas


def keep_pool_in_campaign(folder: Path, materials: list[str]) -> str:
    from tests.stores import fill

    fill(folder)
    (folder / "small.db").rename(folder / "made_up.db")
    return keep_pool(folder, materials)
