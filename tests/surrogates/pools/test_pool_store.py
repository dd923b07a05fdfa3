import gc
import pickle
import threading
import weakref
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest

from campaigns.errors import ModelError
from surrogates.pools.cleanup import FILE
from surrogates.pools.pool import Pool, load_pool, structure_key
from surrogates.pools.pool_store import StoredEntries
from tests.surrogates.pools.crystal_files import cif, perovskite, salt, table


@pytest.fixture
def stored(tmp_path: Path) -> Pool:
    metals = ("Na", "K", "Rb", "Cs", "Ag")
    rows = [{"name": f"{m}-{a}", "cif": cif(salt(m, a=a))} for m in metals for a in (4.5, 5.2, 6.1, 7.3)]
    return load_pool(table(tmp_path, rows, id="name"))


@pytest.mark.slow
def test_a_stored_pool_equals_one_in_memory(stored: Pool) -> None:
    held = Pool(stored.name, tuple(stored.entries))
    assert isinstance(stored.entries, StoredEntries)
    assert (stored.ids, stored.keys, stored.formulas) == (held.ids, held.keys, held.formulas)
    assert stored.fingerprint() == held.fingerprint()
    assert stored.prototypes == tuple(held.prototypes)
    assert np.array_equal(stored.index.sites, held.index.sites)
    assert np.allclose(stored.index.volumes, held.index.volumes)


def test_structures_come_back_to_the_last_bit(stored: Pool) -> None:
    for entry, key in zip(stored.entries, stored.keys, strict=True):
        assert structure_key(entry.structure) == key
    first = stored.entries[0].structure
    assert np.array_equal(first.lattice.matrix, stored[stored.ids[0]].structure.lattice.matrix)


def test_entries_are_a_sequence(stored: Pool) -> None:
    entries = stored.entries
    ids = [entry.id for entry in entries]
    assert ids == list(stored.ids)
    assert entries[-1].id == ids[-1]
    assert [entry.id for entry in entries[3:9:2]] == ids[3:9:2]
    assert entries[len(ids) :] == ()
    with pytest.raises(IndexError):
        entries[len(ids)]


@pytest.mark.slow
def test_going_over_a_stored_pool_keeps_few_structures_in_memory(tmp_path: Path) -> None:
    metals = ("Sr", "Ba", "Ca", "La", "Y", "K", "Na", "Rb")
    pool = load_pool(table(tmp_path, [{"cif": cif(perovskite(a, b))} for a, b in permutations(metals, 2)]))
    seen = [weakref.ref(entry.structure) for entry in pool.entries]
    seen += [weakref.ref(pool[name].structure) for name in pool.ids]
    gc.collect()
    assert len(seen) == 2 * 56
    assert sum(each() is not None for each in seen) <= 2


def test_a_stored_pool_can_be_read_from_threads_and_sent_to_processes(stored: Pool) -> None:
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(stored[stored.ids[2]].structure.formula))
    thread.start()
    thread.join()
    again = pickle.loads(pickle.dumps(stored))
    assert seen == [again[stored.ids[2]].structure.formula]


def test_a_damaged_file_says_what_to_delete(stored: Pool) -> None:
    assert stored.folder is not None
    file = stored.folder / FILE
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelError, match="delete its folder, and it is built again"):
        list(stored.entries)
    with pytest.raises(ModelError, match="delete its folder"):
        StoredEntries(stored.folder)


def test_an_unknown_id_is_a_key_error(stored: Pool) -> None:
    with pytest.raises(KeyError, match="no entry 'none' among its 20"):
        stored["none"]
