"""The vectors of a pool are one mapped file: made once, whole or not at all, and found again without any structure."""

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from campaigns.errors import ModelError
from surrogates.features.embeddings import Embeddings
from surrogates.pools.pool import Pool
from surrogates.pools.pool_embeddings import embed_pool
from surrogates.structures import PoolEntry


@dataclass
class Counter:
    """An embedder that counts."""

    name: str = "a counter/of volumes"
    version: str = "1"
    energies: bool = True
    asked: list[float] = field(default_factory=list)

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
        volumes = np.array([structure.volume for structure in structures])
        self.asked += volumes.tolist()
        vectors = np.column_stack([volumes, volumes**2]).astype(np.float32)
        return Embeddings(volumes if self.energies else None, vectors)


@dataclass
class Watched(Sequence[PoolEntry]):
    """Entries that note when they are read."""

    entries: list[PoolEntry]
    read: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.entries)

    def __getitem__(self, place: Any) -> Any:
        self.read.append(place)
        return self.entries[place]


def reads(pool: Pool) -> list[int]:
    """Return the places of the entries that were read."""
    return cast(Watched, pool.entries).read


def stored_pool(folder: Path, count: int = 30) -> Pool:
    cells = [Structure(Lattice.cubic(4 + 0.01 * i), ["Cs", "Cl"], [[0, 0, 0], [0.5] * 3]) for i in range(count)]
    pool = Pool("p", Watched([PoolEntry(f"e{i}", cell) for i, cell in enumerate(cells)]), folder=folder)
    assert len(pool.keys) == count  # what a built pool keeps on disk
    reads(pool).clear()
    return pool


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))


def test_the_rows_are_those_of_the_entries_and_the_vectors_a_map_of_one_file(tmp_path: Path) -> None:
    pool, model = stored_pool(tmp_path), Counter()
    found = embed_pool(pool, model)
    volumes = [entry.structure.volume for entry in pool.entries]
    np.testing.assert_allclose(found.energy, volumes)
    assert isinstance(found.vectors, np.memmap)
    assert found.vectors.dtype == np.float32
    assert not found.vectors.flags.writeable
    np.testing.assert_allclose(found.vectors, np.column_stack([volumes, np.square(volumes)]), rtol=1e-6)


def test_a_second_call_reads_neither_structures_nor_cache(tmp_path: Path) -> None:
    first = embed_pool(stored_pool(tmp_path), Counter())
    (tmp_path / "cache" / "embeddings.sqlite").unlink()
    pool, model, seen = stored_pool(tmp_path), Counter(), []
    again = embed_pool(pool, model, progress=lambda *counts: seen.append(counts))
    assert model.asked == reads(pool) == seen == []
    assert np.array_equal(again.vectors, first.vectors)
    assert np.array_equal(again.energy, first.energy)


@pytest.mark.parametrize("other", [Counter(version="2"), Counter(name="another")])
def test_models_and_versions_have_files_of_their_own(tmp_path: Path, other: Counter) -> None:
    embed_pool(stored_pool(tmp_path), Counter())
    embed_pool(stored_pool(tmp_path), other)
    assert len(other.asked) == 30


def test_another_pool_in_the_same_folder_has_files_of_its_own(tmp_path: Path) -> None:
    embed_pool(stored_pool(tmp_path, 30), Counter())
    model = Counter()
    assert len(embed_pool(stored_pool(tmp_path, 40), model).vectors) == 40
    assert len(model.asked) == 10  # the rest was in the cache


def test_a_model_without_energies_has_none_in_the_file_either(tmp_path: Path) -> None:
    for _ in range(2):
        assert embed_pool(stored_pool(tmp_path), Counter(energies=False)).energy is None


def test_a_pool_in_memory_leaves_no_files(tmp_path: Path) -> None:
    pool = stored_pool(tmp_path)
    in_memory = Pool("p", tuple(cast(Watched, pool.entries).entries))
    assert embed_pool(in_memory, Counter()).vectors.shape == (30, 2)
    assert [file.name for file in tmp_path.iterdir()] == ["cache"]


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    embed_pool(stored_pool(tmp_path), Counter())
    for file in (tmp_path / "features").iterdir():
        file.write_bytes(b"damaged")
    with pytest.raises(ModelError, match=r"are damaged .*delete them, and they are made again"):
        embed_pool(stored_pool(tmp_path), Counter())


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "features").write_text("in the way")
    with pytest.raises(ModelError, match="make its folder writable"):
        embed_pool(stored_pool(tmp_path), Counter())


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_pool_embeddings import Counter, stored_pool
from surrogates.features import embeddings
from surrogates.pools.pool_embeddings import embed_pool
embeddings._MOST_STRUCTURES, embeddings._COMMIT_EVERY = 16, 0.0
def report(done, total):
    print(done, flush=True)
    time.sleep(60) if done == 48 else None
embed_pool(stored_pool(Path({folder!r}), 80), Counter(), progress=report)
"""


@pytest.mark.slow
def test_kill_leaves_no_half_file_and_loses_nothing_that_was_reported(tmp_path: Path) -> None:
    script = SCRIPT.format(tests=str(Path(__file__).parent), folder=str(tmp_path))
    environment = os.environ | {"PYTHONPATH": str(Path.cwd())}
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        while process.stdout.readline().strip() != "48":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    assert not (tmp_path / "features").exists()
    pool, model = stored_pool(tmp_path, 80), Counter()
    found = embed_pool(pool, model)
    assert len(model.asked) == 32
    assert reads(pool) == list(range(48, 80))
    np.testing.assert_allclose(found.energy, [entry.structure.volume for entry in pool.entries])
