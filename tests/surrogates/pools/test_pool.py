from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from campaigns.errors import CampaignError, UnitError
from campaigns.pool_source import GeneratorPoolConfig
from surrogates.pools.build_report import Duplicate, Findings, Place
from surrogates.pools.pool import Pool, PoolEntry, in_unit, load_pool, structure_key


def salt(a: float = 5.64) -> Structure:
    """The primitive cell of rock salt."""
    return Structure(Lattice(a / 2 * (1 - np.eye(3))), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def two_salts() -> Pool:
    return Pool("salts", (PoolEntry("small", salt(5.6)), PoolEntry("large", salt(5.7), host=salt(5.5))))


def empty() -> Pool:
    return Pool("nothing", ())


def no_pool() -> list[int]:
    return [1]


def false_pool() -> Pool:
    return [1]  # type: ignore[return-value]


def test_entries_are_found_by_id() -> None:
    pool = two_salts()
    assert pool.ids == ("small", "large")
    assert len(pool) == 2
    assert pool["large"].host is not None
    with pytest.raises(KeyError, match="no entry 'medium' among its 2"):
        pool["medium"]


def test_names_that_are_no_ids_are_told_what_is_meant() -> None:
    report = Findings(3, duplicates=(Duplicate(Place("x.cif"), "twin", "small"),))
    pool = replace(two_salts(), report=report)
    assert pool.lacks("small") == ""
    assert pool.lacks(" Small.cif") == "the pool has no material ' Small.cif', did you mean 'small'"
    assert pool.lacks("twin") == "the pool has no material 'twin': it is the same crystal as 'small'; name that"
    assert pool.lacks("medium") == "the pool has no material 'medium'"


def offline() -> Pool:
    raise OSError("the database is down")


def test_repeated_ids_are_refused() -> None:
    with pytest.raises(ValueError, match=r"repeats the ids \['salt'\]"):
        Pool("salts", (PoolEntry("salt", salt()), PoolEntry("salt", salt(5.7))))


def test_keys_ignore_noise_and_whole_lattice_shifts_but_nothing_else() -> None:
    same, moved, shifted = salt(), salt(), salt()
    same.translate_sites([0], [1, 0, -2], to_unit_cell=False)
    moved.translate_sites([0], [0.001, 0, 0])
    shifted.translate_sites([0], [-1e-9, 0, 0], to_unit_cell=False)
    assert structure_key(salt()) == structure_key(same) == structure_key(shifted)
    assert len({structure_key(s) for s in (salt(), moved, salt(5.65), salt().replace_species({"Na": "K"}))}) == 4


def test_fingerprint_covers_ids_structures_and_hosts() -> None:
    small, large = two_salts().entries
    variants = [
        Pool("salts", (small, large)),
        Pool("salts", (large, small)),
        Pool("salts", (small, PoolEntry("big", large.structure, large.host))),
        Pool("salts", (small, PoolEntry("large", large.structure))),
        Pool("salts", (small, PoolEntry("large", salt(5.71), large.host))),
    ]
    assert len({pool.fingerprint() for pool in variants}) == len(variants)
    assert two_salts().fingerprint() == variants[0].fingerprint()


def test_predictors_carry_their_unit() -> None:
    @in_unit("g/cm^3")
    def density(pool: Pool) -> NDArray[np.float64]:
        return np.array([float(entry.structure.density) for entry in pool.entries])

    assert density.unit == "g/cm^3"
    assert density(two_salts())[0] > density(two_salts())[1]
    with pytest.raises(UnitError, match="unknown unit 'blorb'"):
        in_unit("blorb")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("surrogates.pools.prototype:cathodes", "there is no module surrogates.pools.prototype"),
        ("surrogates.pools.prototypes:anodes", "surrogates.pools.prototypes has no anodes"),
        (f"{__name__}:no_pool", r"says that it returns list\[int\]; wanted there"),
        (f"{__name__}:false_pool", "returned list; it must return"),
        (f"{__name__}:empty", "returned an empty pool"),
        (f"{__name__}:offline", r"raised OSError: the database is down \(.*test_pool\.py:\d+\)"),
        (
            f"{__name__}:Pool",
            "is a class; needed: a function without arguments",
        ),
    ],
)
def test_a_wrong_source_says_what_to_do(
    source: str, message: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setitem(__import__("sys").modules, __name__, request.module)
    with pytest.raises(CampaignError, match=message) as raised:
        load_pool(GeneratorPoolConfig(kind="generator", function=source))
    assert raised.value.problems[0].where.startswith("space.pool")


def test_a_pool_is_loaded_by_its_path(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setitem(__import__("sys").modules, __name__, request.module)
    assert load_pool(GeneratorPoolConfig(kind="generator", function=f"{__name__}:two_salts")).ids == ("small", "large")
