import sqlite3
from contextlib import closing
from pathlib import Path

import ase.build
import ase.db
import numpy as np
import pytest

from campaigns.errors import CampaignError
from campaigns.pool_source import AsePoolConfig
from surrogates.pools.pool import Pool, load_pool
from tests.surrogates.pools.crystal_files import reasons


def written(file: Path) -> AsePoolConfig:
    database = ase.db.connect(file)
    database.write(ase.build.bulk("NaCl", "rocksalt", a=5.64), gap=8.5)
    database.write(ase.build.molecule("H2O"))
    database.write(ase.build.graphene(vacuum=8))
    database.write(ase.Atoms("X", cell=[3, 3, 3], pbc=True))
    database.write(ase.Atoms(cell=[3, 3, 3], pbc=True))
    database.write(ase.build.bulk("Cu"))
    return AsePoolConfig(kind="ase", file=str(file))


def names(pool: Pool) -> dict[str, str]:
    return {entry.provenance["unique_id"]: entry.id for entry in pool.entries}


@pytest.mark.parametrize("ending", ["db", "json"])
def test_rows_are_entries_named_by_formula_and_unique_id(ending: str, tmp_path: Path) -> None:
    config = written(tmp_path / f"crystals.{ending}")
    pool = load_pool(config)
    assert pool.formulas == ("NaCl", "C", "Cu")
    for unique, name in names(pool).items():
        assert name.endswith(f"-{unique[:10]}")
    assert np.allclose(pool.entries[0].structure.volume, 5.64**3 / 4)
    found = {place.rpartition(" ")[2]: reason for place, reason in reasons(config).items()}
    assert "no cell of three dimensions" in found["2"]
    assert "an atom with the number 0; allowed: 1 (H) to 94 (Pu)" in found["4"]
    assert found["5"] == "holds no atoms"


def test_ids_stay_when_rows_move_to_another_database(tmp_path: Path) -> None:
    first = load_pool(written(tmp_path / "a.db"))
    with ase.db.connect(tmp_path / "b.db") as copy:
        for row in reversed(list(ase.db.connect(tmp_path / "a.db").select())):
            copy.write(row)
    assert names(load_pool(AsePoolConfig(kind="ase", file=str(tmp_path / "b.db")))) == names(first)


def test_what_is_no_database_of_ase_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    other, damaged, mapping = tmp_path / "other.db", tmp_path / "damaged.db", tmp_path / "mapping.json"
    with closing(sqlite3.connect(other)) as database:
        database.execute("CREATE TABLE trial (number)")
        database.commit()
    before = other.read_bytes()
    damaged.write_text("nothing of the kind")
    mapping.write_text('{"a": 1}')
    for file, message in ((other, "not one of ASE"), (damaged, "not a database"), (mapping, "ASE JSON database")):
        with pytest.raises(CampaignError, match=message):
            load_pool(AsePoolConfig(kind="ase", file=str(file)))
    assert other.read_bytes() == before


def test_what_is_not_periodic_is_noted(tmp_path: Path) -> None:
    pool = load_pool(written(tmp_path / "crystals.db"))
    assert [(note.place.row, note.text) for note in pool.report.notes] == [
        (3, "says that it is not periodic in all directions; read as a crystal")
    ]
