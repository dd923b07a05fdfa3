"""The cache of embeddings never computes twice, never mixes models, and survives kills and rivals."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from campaigns.errors import ModelError
from surrogates.cache import cache_folder
from surrogates.features import embeddings
from surrogates.features.embeddings import Embeddings, Keyed, embed
from surrogates.parallel import scheduling
from surrogates.parallel.processes import map_in_processes
from surrogates.structures import structure_key


@dataclass
class Counter:
    """An embedder that counts: energy is the volume, the vector two more numbers of the cell."""

    name: str = "counter"
    version: str = "1"
    asked: list[float] = field(default_factory=list)

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
        volumes = [structure.volume for structure in structures]
        self.asked += volumes
        vectors = np.array([[volume / 2, len(cell)] for volume, cell in zip(volumes, structures, strict=True)])
        return Embeddings(np.array(volumes), vectors.astype(np.float32))


@dataclass(frozen=True)
class Volumes:
    """The same in a class that other processes can import."""

    name: str = "volumes"
    version: str = "1"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
        return Counter().evaluate(structures)


def cells(count: int, first: float = 4.0) -> list[Structure]:
    return [
        Structure(Lattice.cubic(first + 0.01 * i), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]) for i in range(count)
    ]


@pytest.fixture
def small_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "_MOST_STRUCTURES", 16)
    monkeypatch.setattr(embeddings, "_COMMIT_EVERY", 0.0)


def stored(folder: Path) -> int:
    with closing(sqlite3.connect(folder / "embeddings.sqlite")) as database:
        return database.execute("SELECT count(*) FROM result").fetchone()[0]


def test_rows_come_in_the_order_of_the_structures(tmp_path: Path) -> None:
    pool = cells(40)
    result = embed(pool, Counter(), tmp_path)
    np.testing.assert_allclose(result.energy, [cell.volume for cell in pool])
    np.testing.assert_allclose(result.vectors[:, 0], result.energy / 2, rtol=1e-6)
    assert result.vectors.shape == (40, 2)


def test_nothing_is_computed_twice(tmp_path: Path) -> None:
    model = Counter()
    pool = cells(20)
    first = embed([*pool, pool[0]], model, tmp_path)
    again = embed([*reversed(pool), *cells(3, first=6.0)], model, tmp_path)
    assert len(model.asked) == 23
    assert np.array_equal(again.energy[:20][::-1], first.energy[:20])
    assert np.array_equal(again.vectors[:20][::-1], first.vectors[:20])


@pytest.mark.parametrize("other", [Counter(version="2"), Counter(name="other")])
def test_models_and_versions_do_not_mix(tmp_path: Path, other: Counter) -> None:
    embed(cells(3), Counter(), tmp_path)
    embed(cells(3), other, tmp_path)
    assert len(other.asked) == 3


def test_progress_counts_what_is_missing_and_safe(tmp_path: Path, small_commits: None) -> None:
    embed(cells(10), Counter(), tmp_path)
    seen = []

    def report(done: int, total: int) -> None:
        seen.append((done, total))
        assert stored(tmp_path) == 10 + done

    embed(cells(50), Counter(), tmp_path, progress=report)
    assert seen == [(0, 40), (16, 40), (32, 40), (40, 40)]
    embed(cells(50), Counter(), tmp_path, progress=report)
    assert len(seen) == 4  # nothing was missing


def test_an_interrupted_run_keeps_what_it_committed(tmp_path: Path, small_commits: None) -> None:
    def stop(done: int, _total: int) -> None:
        if done == 32:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embed(cells(50), Counter(), tmp_path, progress=stop)
    second = Counter()
    embed(cells(50), second, tmp_path)
    assert len(second.asked) == 18


SCRIPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_embeddings import Counter, cells
from surrogates.features import embeddings
from surrogates.features.embeddings import embed
embeddings._MOST_STRUCTURES, embeddings._COMMIT_EVERY = 16, 0.0
def report(done, total):
    print(done, flush=True)
    {between}
embed(cells({count}), Counter(), Path({folder!r}), progress=report)
"""


def start(folder: Path, count: int, between: str = "pass") -> subprocess.Popen[str]:
    tests = str(Path(__file__).parent)
    script = SCRIPT.format(tests=tests, folder=str(folder), count=count, between=between)
    command = [sys.executable, "-W", "ignore", "-c", script]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(Path.cwd())}
    )


@pytest.mark.slow
def test_kill_loses_at_most_the_last_chunk(tmp_path: Path) -> None:
    with start(tmp_path, 80, between="time.sleep(60) if done == 48 else None") as process:
        while process.stdout.readline().strip() != "48":
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
    model = Counter()
    result = embed(cells(80), model, tmp_path)
    assert len(model.asked) == 32
    np.testing.assert_allclose(result.energy, [cell.volume for cell in cells(80)])


@pytest.mark.slow
def test_two_processes_may_write_the_same_rows_at_once(tmp_path: Path) -> None:
    rivals = [start(tmp_path, 150) for _ in range(2)]
    for rival in rivals:
        with rival:
            rival.communicate()
        assert rival.returncode == 0
    model = Counter()
    result = embed(cells(150), model, tmp_path)
    assert model.asked == []
    np.testing.assert_allclose(result.energy, [cell.volume for cell in cells(150)])


def test_a_value_that_is_not_finite_is_refused_and_not_kept(tmp_path: Path) -> None:
    class Broken(Counter):
        def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
            return Embeddings(np.full(len(structures), np.nan), np.zeros((len(structures), 2), np.float32))

    with pytest.raises(ModelError, match="nothing finite of Cs1 Cl1"):
        embed(cells(1), Broken(), tmp_path)
    model = Counter()
    embed(cells(1), model, tmp_path)
    assert len(model.asked) == 1


@dataclass
class Silent(Counter):
    """One without energies."""

    name: str = "silent"

    def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
        return Embeddings(None, super().evaluate(structures).vectors)


def test_a_model_without_energies_gives_none_now_and_from_the_cache(tmp_path: Path) -> None:
    for _ in range(2):
        found = embed(cells(3), Silent(), tmp_path)
        assert found.energy is None
        assert found.vectors.shape == (3, 2)


def test_what_is_cached_is_not_loaded(tmp_path: Path) -> None:
    pool = cells(12)
    keys = [structure_key(cell) for cell in pool]
    embed(pool[4:8], Counter(), tmp_path)
    loaded = []

    def load(place: int) -> Structure:
        loaded.append(place)
        return pool[place]

    found = embed(Keyed(load, keys), Counter(), tmp_path)
    assert loaded == [0, 1, 2, 3, 8, 9, 10, 11]
    np.testing.assert_allclose(found.energy, [cell.volume for cell in pool])
    embed(Keyed(load, [*keys, keys[0]]), Counter(), tmp_path)
    assert len(loaded) == 8


def test_few_structures_are_held_at_a_time(tmp_path: Path, small_commits: None) -> None:
    pool = cells(100)
    taken: list[int] = []

    def take(place: int) -> Structure:
        taken.append(place)
        return pool[place]

    class Watching(Counter):
        def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
            assert len(taken) - len(self.asked) <= 16
            return super().evaluate(structures)

    embed(Keyed(take, [structure_key(c) for c in pool]), Watching(), tmp_path)


@pytest.mark.slow
def test_worker_processes_take_over_where_that_is_quicker_and_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_commits: None
) -> None:
    here = embed(cells(150), Volumes(), tmp_path / "here")
    monkeypatch.setattr(scheduling, "_WORTH_A_WORKER", 0.0)
    monkeypatch.setattr(scheduling, "cores", lambda: 2)
    processes: list[int] = []

    def counting(*args: Any) -> Iterable[Any]:
        processes.append(args[2])
        return map_in_processes(*args)

    monkeypatch.setattr(scheduling, "map_in_processes", counting)
    there = embed(cells(150), Volumes(), tmp_path / "there")
    assert processes == [2]
    assert np.array_equal(there.energy, here.energy)
    assert np.array_equal(there.vectors, here.vectors)


def doubles(count: int) -> Any:
    vectors: Any = np.zeros((count + 1, 2))
    return Embeddings(None, vectors)


WRONG: dict[str, Callable[[int], Any]] = {
    "got list; evaluate must return": lambda n: [1.0] * n,
    r"vectors of shape \(3,\)": lambda n: Embeddings(None, np.zeros(n, np.float32)),
    r"vectors of shape \(4, 2\) and type float64 for 3 structures": doubles,
    "type <U1 for 3 structures": lambda n: Embeddings(None, np.full((n, 2), "a")),
    r"energies of shape \(1,\) for 3 structures": lambda n: Embeddings(np.zeros(1), np.zeros((n, 2), np.float32)),
    "nothing finite of Cs1 Cl1": lambda n: Embeddings(None, np.full((n, 2), 1e300)),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_breaks_the_interface_is_refused(tmp_path: Path, message: str) -> None:
    class Own(Counter):
        def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
            found: Embeddings[Any] = WRONG[message](len(structures))
            return found

    with pytest.raises(ModelError, match=message):
        embed(cells(3), Own(), tmp_path)


def test_rows_of_different_lengths_and_of_different_kinds_are_refused(tmp_path: Path, small_commits: None) -> None:
    class Growing(Counter):
        def evaluate(self, structures: Sequence[Structure]) -> Embeddings[Any]:
            self.asked += structures
            return Embeddings(None, np.zeros((len(structures), len(self.asked)), np.float32))

    with pytest.raises(ModelError, match="vectors of 16 and 20 numbers; all need the same length"):
        embed(cells(20), Growing(), tmp_path)
    embed(cells(3), Counter(), tmp_path / "mixed")
    with pytest.raises(ModelError, match="with and without an energy"):
        embed(cells(6), Silent(name="counter"), tmp_path / "mixed")


def test_a_damaged_cache_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "embeddings.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(ModelError, match="delete the file if it is damaged"):
        embed(cells(1), Counter(), tmp_path)


def test_a_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="ATHANOR_CACHE"):
        embed(cells(1), Counter(), tmp_path / "file" / "cache")


def test_the_environment_names_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATHANOR_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    embed(cells(1), Counter())
    assert stored(tmp_path / "cache") == 1
