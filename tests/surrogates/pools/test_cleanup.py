"""Built pools go when they have long not been used or there are too many, and never while they are open."""

import os
import time
from pathlib import Path

import pytest
from pymatgen.core import Structure

from surrogates.pools import cleanup as upkeep
from surrogates.pools.cleanup import built_pools, remove_pool, unused_since
from surrogates.pools.pool import Pool, load_pool
from tests.surrogates.pools.crystal_files import cif, salt, table

DAY = 86_400


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def built(folder: Path, *structures: Structure) -> Pool:
    folder.mkdir(exist_ok=True)
    return load_pool(table(folder, [{"cif": cif(structure)} for structure in structures]))


def aged(folder: Path | None, days: float) -> Path:
    assert folder is not None
    os.utime(folder, (time.time() - days * DAY,) * 2)
    return folder


def test_only_the_latest_versions_of_a_file_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_VERSIONS", 2)
    first, second = (aged(built(tmp_path, salt(a=a)).folder, days) for a, days in ((5.5, 3), (5.6, 2)))
    other = aged(built(tmp_path / "other", salt("K")).folder, 9)
    third = built(tmp_path, salt(a=5.7)).folder
    assert [pool.folder for pool in built_pools()] == [other, second, third]
    assert not first.exists()


def test_what_stood_there_before_is_as_good_as_new_when_it_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "_VERSIONS", 2)
    first, second = (aged(built(tmp_path, salt(a=a)).folder, days) for a, days in ((5.5, 3), (5.6, 2)))
    assert built(tmp_path, salt(a=5.5)).folder == first
    built(tmp_path, salt(a=5.7))
    assert first.exists()
    assert not second.exists()


def test_a_pool_that_another_file_has_too_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_VERSIONS", 1)
    shared = built(tmp_path / "a", salt()).folder
    assert built(tmp_path / "b", salt()).folder == shared
    built(tmp_path / "a", salt("K"))
    assert aged(shared, 1).exists()
    built(tmp_path / "b", salt("Rb"))
    assert not shared.exists()


def test_beyond_the_limit_what_has_not_been_used_longest_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ages = (("Na", 1), ("K", 3), ("Rb", 2))
    folders = [aged(built(tmp_path / metal, salt(metal)).folder, days) for metal, days in ages]
    sizes = [pool.size for pool in built_pools()]
    monkeypatch.setattr(upkeep, "_MOST_BYTES", sum(sizes) + sizes[0] // 2)
    latest = built(tmp_path / "Li", salt("Li")).folder
    assert [pool.folder for pool in built_pools()] == [folders[2], folders[0], latest]


def test_an_open_pool_is_never_removed(tmp_path: Path) -> None:
    pool = built(tmp_path, salt())
    aged(pool.folder, 40)
    (found,) = unused_since(30)
    assert not remove_pool(found)
    assert len(pool.entries[0].structure) == len(salt())
    del pool
    assert remove_pool(found)
    assert built_pools() == []


def test_a_pool_that_is_found_again_is_not_removed(tmp_path: Path) -> None:
    aged(built(tmp_path, salt()).folder, 40)
    (found,) = unused_since(30)
    built(tmp_path, salt())
    assert not remove_pool(found)
    assert unused_since(30) == []
