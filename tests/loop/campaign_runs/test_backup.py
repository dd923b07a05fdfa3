"""Backups at random instants of a run, and campaigns that go on from them: whole, and nothing is repeated."""

import random
import threading
from collections import Counter
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.core.events import Event, Proposed, Warned
from loop.core.records import TrialRecord
from loop.storage.integrity.backup import back_up, restore_backup
from loop.storage.integrity.damage import check_whole
from loop.storage.reader import Reader
from simulators.job_ledger import JobLedger
from tests.loop.conftest import Bench, quick

pytestmark = pytest.mark.slow

CAMPAIGN = quick(budget={"trials": 8})


class Copier:
    """Backs up a store at random instants, from the first proposal on until it is told that the run has ended."""

    def __init__(self, store: Path, folder: Path, seed: int) -> None:
        folder.mkdir()
        self._store, self._folder, self._chance, self._ended = store, folder, random.Random(seed), threading.Event()
        self._thread = threading.Thread(target=self._copy)

    def hear(self, event: Event) -> None:
        if isinstance(event, Proposed) and not self._thread.is_alive():
            self._thread.start()

    def copies(self) -> list[Path]:
        self._ended.set()
        self._thread.join()
        return sorted(self._folder.iterdir())

    def _copy(self) -> None:
        for number in range(1000):
            if self._ended.wait(self._chance.uniform(0.0, 0.2)):
                return
            back_up(self._store, self._folder / f"{number:03}.db")


def same_samples(bench: Bench, trials: tuple[TrialRecord, ...]) -> bool:
    """Return whether each trial's sample was made as its candidate says, by the last furnace that it was in."""
    ledger = JobLedger(bench.folder / "test.lab" / "instruments.jsonl")
    made = {job.sample: job.recipe["temperature"] for job in ledger if job.step == "calcine"}
    ledger.close()
    return all(trial.candidate.parameters["temperature"] == made[str(trial.number)] for trial in trials)


def test_a_backup_at_any_instant_is_whole_and_a_campaign_goes_on_from_it(bench: Bench) -> None:
    store = bench.folder / "test.db"
    copier = Copier(store, bench.folder / "copies", seed=0)
    bench.run(CAMPAIGN, copier.hear)
    counts: dict[Path, int] = {}
    for copy in copier.copies():
        check_whole(copy)
        counts[copy] = Reader(f"sqlite:///{copy}").count()
    assert len(set(counts.values())) > 2
    copy = random.Random(0).choice([copy for copy, count in counts.items() if count < 8])
    restore_backup(copy, store)
    bench.events.clear()
    outcome = bench.run(CAMPAIGN)
    assert any("that the store does not: it is an earlier copy" in text for text in warnings(bench))
    assert [trial.state for trial in outcome.trials] == [TrialState.COMPLETED] * 8
    assert same_samples(bench, outcome.trials)
    assert begun_once(bench, counts[copy])


def warnings(bench: Bench) -> list[str]:
    return [event.text for event in bench.events if isinstance(event, Warned)]


def begun_once(bench: Bench, count: int) -> bool:
    """Return whether no step of a trial that a copy of ``count`` trials knew was ever begun twice."""
    ledger = JobLedger(bench.folder / "test.lab" / "instruments.jsonl")
    found = Counter((job.sample, job.step) for job in ledger if job.sample in map(str, range(count)))
    ledger.close()
    return set(found.values()) == {1}
