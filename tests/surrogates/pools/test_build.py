import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Lattice, Structure

import surrogates.pools.build as building
from campaigns.errors import CampaignError, ModelError
from campaigns.pool_source import FolderPoolConfig, GeneratorPoolConfig, TablePoolConfig
from surrogates import relaxation as lattice
from surrogates.pools.build_report import RefusedError
from surrogates.pools.pool import Pool, load_pool
from surrogates.relaxation import Settled
from surrogates.structures import PoolEntry, structure_key
from tests.surrogates.pools.crystal_files import cif, crowded, disordered, formulas, perovskite, poscar, salt, table

ROOT = Path(__file__).parents[3]
HALIDES = [salt(m, x, a) for m in ("Na", "K", "Rb") for x in ("Cl", "Br") for a in (5.5, 6.5)]


def told() -> tuple[list[tuple[str, int, int]], object]:
    seen: list[tuple[str, int, int]] = []
    return seen, lambda *what: seen.append(what)


def rows_of(structures: list[Structure]) -> list[dict[str, str]]:
    return [{"cif": cif(structure)} for structure in structures]


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(shuffle=st.randoms(use_true_random=False), count=st.integers(1, len(HALIDES)))
def test_made_ids_depend_on_neither_order_nor_the_rest_of_the_pool(
    shuffle: random.Random, count: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("ids")
    whole = formulas(load_pool(table(folder, rows_of(HALIDES))))
    some = list(HALIDES)
    shuffle.shuffle(some)
    part = formulas(load_pool(table(folder, rows_of(some[:count]))))
    assert len(part) == count
    assert part.items() <= whole.items()


def test_made_ids_are_formula_and_hash(tmp_path: Path) -> None:
    (name,) = load_pool(table(tmp_path, rows_of([salt()]))).ids
    assert name.startswith("NaCl-")
    assert len(name) == len("NaCl-") + 10


def test_one_id_for_two_structures_names_both_rows(tmp_path: Path) -> None:
    rows = [{"n": "a", "cif": cif(salt())}, {"n": "b", "cif": cif(perovskite())}, {"n": "a", "cif": cif(salt("K"))}]
    message = "crystals.csv row 1 and crystals.csv row 3 hold different structures, and both are called 'a'"
    with pytest.raises(CampaignError, match=message):
        load_pool(table(tmp_path, rows, id="n"))


def test_an_id_hidden_by_a_duplicate_still_conflicts(tmp_path: Path) -> None:
    rows = [{"n": "a", "cif": cif(salt())}, {"n": "b", "cif": cif(salt())}, {"n": "b", "cif": cif(perovskite())}]
    with pytest.raises(CampaignError, match=r"row 2 and crystals\.csv row 3 hold different structures.*'b'"):
        load_pool(table(tmp_path, rows, id="n"))


def test_duplicates_are_folded_into_the_first_and_counted(tmp_path: Path) -> None:
    rows = [
        {"n": "a", "gap": "1", "cif": cif(salt())},
        {"n": "b", "gap": "2", "cif": cif(perovskite())},
        {"n": "c", "gap": "3", "cif": poscar(salt() * (2, 1, 2))},
        {"n": "a", "gap": "4", "cif": cif(salt())},
    ]
    pool = load_pool(table(tmp_path, rows, id="n", properties=("gap",)))
    assert pool.ids == ("a", "b")
    assert np.array_equal(pool.properties["gap"], [1.0, 2.0])
    assert [(each.place.row, each.id, each.kept) for each in pool.report.duplicates] == [(3, "c", "a"), (4, "a", "a")]


def test_charges_and_labels_make_no_other_material(tmp_path: Path) -> None:
    charged = salt().add_oxidation_state_by_element({"Na": 1, "Cl": -1})
    pool = load_pool(table(tmp_path, rows_of([salt(), charged])))
    assert len(pool) == 1
    assert str(pool.entries[0].structure[0].specie) == "Na"


def test_a_strict_pool_is_refused_for_its_bad_entries_and_another_used_without_them(tmp_path: Path) -> None:
    rows = rows_of([salt(), *[crowded()] * 12, disordered()])
    assert len(load_pool(table(tmp_path, rows))) == 1
    with pytest.raises(RefusedError) as caught:
        load_pool(table(tmp_path, rows, strict=True))
    assert len(caught.value.bad) == 13
    first, *lines = str(caught.value).splitlines()
    assert first.endswith("the pool is strict, and has bad entries:")
    assert len(lines) == 11
    assert "crystals.csv row 2: Na (site 1) and Cl (site 2) are 0.20 Å apart" in lines[0]
    assert "and 3 more; 'athanor pool check FILE' lists them all" in lines[-1]


def test_a_pool_with_nothing_left_is_an_error_and_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(RefusedError, match="no entry that can be used"):
        load_pool(table(tmp_path, rows_of([crowded(), disordered()])))
    assert list((cache / "pools").iterdir()) == []


def test_a_pool_is_built_once(tmp_path: Path) -> None:
    seen, progress = told()
    config = table(tmp_path, rows_of(HALIDES))
    first = load_pool(config, progress)  # type: ignore[arg-type]
    assert [what for what, done, total in seen if done == total] == ["reading structures", "comparing structures"]
    seen.clear()
    again = load_pool(config.model_copy(update={"strict": True}), progress)  # type: ignore[arg-type]
    assert seen == []
    assert (again.folder, again.fingerprint()) == (first.folder, first.fingerprint())


@pytest.mark.slow
def test_whatever_decides_about_a_pool_is_in_the_name_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"n": f"{i}", "gap": f"{i}", "cif": cif(s), "other": cif(s)} for i, s in enumerate(HALIDES)]
    config = table(tmp_path, rows)
    variants: list[TablePoolConfig] = [
        config,
        config.model_copy(update={"id": "n"}),
        config.model_copy(update={"structure": "other"}),
        config.model_copy(update={"properties": ("gap",)}),
    ]
    folders = [load_pool(variant).folder for variant in variants]
    folders.append(load_pool(table(tmp_path, rows[:-1])).folder)
    table(tmp_path, rows)
    monkeypatch.setattr(building, "VERSION", -1)
    folders.append(load_pool(config).folder)
    assert len(set(folders)) == len(folders)


def test_a_file_in_a_folder_that_changes_changes_the_pool(tmp_path: Path) -> None:
    config = FolderPoolConfig(kind="folder", folder=str(tmp_path))
    (tmp_path / "a.cif").write_text(cif(salt()))
    first = load_pool(config)
    (tmp_path / "a.cif").write_text(cif(perovskite()))
    assert formulas(first) == {"a": "NaCl"}
    assert formulas(load_pool(config)) == {"a": "SrTiO3"}


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"cannot be kept in.*ATHANOR_CACHE"):
        load_pool(table(tmp_path, rows_of([salt()])))


def test_an_error_while_building_leaves_nothing(tmp_path: Path, cache: Path) -> None:
    def interrupt(what: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_pool(table(tmp_path, rows_of(HALIDES)), interrupt)
    assert list((cache / "pools").iterdir()) == []


SLOW = """
import sys, time
from campaigns.pool_source import TablePoolConfig
from surrogates.pools.pool import load_pool
def progress(what, done, total):
    print(what, flush=True)
    if what == "comparing structures":
        time.sleep(600)
load_pool(TablePoolConfig(kind="table", file=sys.argv[1]), progress)
"""


@pytest.fixture
def killed(tmp_path: Path, cache: Path) -> TablePoolConfig:
    """A pool whose building was killed after all its entries had been read."""
    config = table(tmp_path, rows_of(HALIDES))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ATHANOR_CACHE": str(cache)}
    command = [sys.executable, "-c", SLOW, str(config.path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert any("comparing" in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    return config


@pytest.mark.slow
def test_a_build_that_was_killed_leaves_nothing_that_is_used(killed: TablePoolConfig, cache: Path) -> None:
    (left,) = (cache / "pools").iterdir()
    assert left.suffix == ".tmp"
    pool = load_pool(killed)
    assert len(pool) == len(HALIDES)
    assert pool.folder != left
    old = time.time() - 100_000
    os.utime(left, (old, old))
    load_pool(
        killed.model_copy(update={"structure": "cif", "properties": (), "id": "cif"}).model_copy(update={"id": None})
    )
    assert left.exists()  # nothing was built, so nothing was cleared
    load_pool(table(killed.path.parent, rows_of(HALIDES[:2])))
    assert not left.exists()


@pytest.mark.slow
def test_the_quicker_of_two_builds_wins_and_the_other_uses_it(tmp_path: Path, cache: Path) -> None:
    config = table(tmp_path, rows_of(HALIDES))
    folders = []

    def meanwhile(what: str, done: int, total: int) -> None:
        if what == "comparing structures" and done == total:
            folders.append(load_pool(config).folder)

    pool = load_pool(config, meanwhile)
    assert pool.folder == folders[0]
    assert len(pool) == len(HALIDES)
    assert [path.name for path in (cache / "pools").iterdir()] == [folders[0].name]


def generated() -> Pool:
    host = salt().copy()
    host.remove_sites([0])
    entries = (
        PoolEntry("good", salt(), host, {"family": "salt"}),
        PoolEntry("bad", crowded()),
        PoolEntry("potash", salt("K")),
    )
    return Pool("made", entries)


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    monkeypatch.setitem(sys.modules, __name__, request.module)
    return f"{__name__}:generated"


def test_entries_of_a_generator_are_checked_too(function: str) -> None:
    pool = load_pool(GeneratorPoolConfig(kind="generator", function=function))
    assert (pool.ids, pool.folder) == (("good", "potash"), None)
    (bad,) = pool.report.bad
    assert str(bad).startswith(f"{__name__}:generated row 2: bad: Na (site 1) and Cl (site 2) are 0.20 Å apart")
    with pytest.raises(RefusedError):
        load_pool(GeneratorPoolConfig(kind="generator", function=function, strict=True))


def larger(structures: Iterable[Structure]) -> Iterator[Settled]:
    """Stand for CHGNet: every edge grows by a tenth, but for potassium, of which it knows nothing better."""
    for structure in structures:
        if "K" in structure.symbol_set:
            yield Settled(structure, 1.0, "potassium is not known")
            continue
        grown = Structure(Lattice(1.1 * structure.lattice.matrix), structure.species, structure.frac_coords)
        yield Settled(grown, 1.1, None)


@pytest.fixture
def lattices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lattice, "relax_volumes", larger)


@pytest.mark.usefixtures("lattices")
def test_lattices_are_set_before_duplicates_are_looked_for_and_recorded(tmp_path: Path) -> None:
    config = table(tmp_path, rows_of([salt(), perovskite(), salt()]))
    given, changed = load_pool(config), load_pool(config.model_copy(update={"lattice": "chgnet"}))
    assert given.folder != changed.folder
    assert given.ids == changed.ids  # made from what stands in the file
    assert given.keys != changed.keys
    assert len(changed.report.duplicates) == 1
    assert np.allclose(changed.index.volumes, 1.331 * given.index.volumes)
    assert changed.entries[1].structure.volume == pytest.approx(1.331 * given.entries[1].structure.volume)
    assert [structure_key(entry.structure) for entry in changed.entries] == list(changed.keys)
    assert changed.entries[0].provenance == {"file": "crystals.csv", "row": "1", "lattice": "chgnet"}


@pytest.mark.usefixtures("lattices")
def test_a_cell_that_stays_as_it_is_says_so(tmp_path: Path) -> None:
    pool = load_pool(table(tmp_path, rows_of([salt(), salt("K")]), lattice="chgnet"))
    assert [entry.provenance["lattice"] for entry in pool.entries] == ["chgnet", "given"]
    (left,) = pool.report.unsettled
    assert (left.place.row, left.id, left.reason) == (2, pool.ids[1], "potassium is not known")


@pytest.mark.usefixtures("lattices")
def test_the_hosts_of_a_generator_follow_their_lattices(function: str) -> None:
    given = load_pool(GeneratorPoolConfig(kind="generator", function=function))["good"]
    pool = load_pool(GeneratorPoolConfig(kind="generator", function=function, lattice="chgnet"))
    entry = pool["good"]
    assert given.host is not None
    assert entry.host is not None
    assert np.allclose(entry.host.lattice.matrix, 1.1 * given.host.lattice.matrix)
    assert np.allclose(entry.host.frac_coords, given.host.frac_coords)
    assert (entry.provenance["family"], entry.provenance["lattice"]) == ("salt", "chgnet")
    assert len(pool.report.bad) == 1
    assert [each.id for each in pool.report.unsettled] == ["potash"]
    assert pool.fingerprint() == Pool("made", tuple(pool.entries)).fingerprint()
    assert pool.index.host_keys == (structure_key(entry.host), "")
