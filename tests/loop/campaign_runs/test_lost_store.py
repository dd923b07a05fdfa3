"""A store that goes away in the midst of a run."""

import pytest

from campaigns.errors import StoreError
from loop.core.events import Event, StepEnded
from loop.storage.integrity.backup import restore_backup
from simulators.job_ledger import JobLedger
from tests.loop.campaign_runs.test_run import begun_once
from tests.loop.conftest import Bench, quick

pytestmark = pytest.mark.slow


def jobs(bench: Bench) -> int:
    ledger = JobLedger(bench.folder / "test.lab" / "instruments.jsonl")
    count = len(list(ledger))
    ledger.close()
    return count


def test_nothing_is_begun_after_the_store_is_gone_and_the_run_goes_on_from_what_was_rescued(bench: Bench) -> None:
    data, store = quick(budget={"trials": 3}), bench.folder / "test.db"
    counted: list[int] = []

    def delete(event: Event) -> None:
        if isinstance(event, StepEnded) and not counted:
            for path in bench.folder.glob("test.db*"):
                path.unlink()
            counted.append(jobs(bench))

    with pytest.raises(StoreError, match=r"test.db was deleted.*'athanor restore "):
        bench.run(data, delete)
    assert jobs(bench) - counted[0] <= 1  # a station may just have begun one
    with pytest.raises(StoreError, match=r"test.db is missing, but its campaign was run.*'athanor restore .*rescued"):
        bench.run(data)
    (rescued,) = bench.folder.glob("test.rescued-*.db")
    restore_backup(rescued, store)
    assert bench.run(data).finished
    assert begun_once(bench)
