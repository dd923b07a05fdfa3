"""kill -9 of a real process, then the same command: nothing lost, nothing repeated, the same trials."""

import signal
from pathlib import Path

import pytest
import yaml

from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from tests.forks import Program, athanor
from tests.loop.campaign_runs.test_run import begun_once, facts
from tests.loop.conftest import Bench, quick

pytestmark = pytest.mark.slow

MOMENTS = ("trial 2: calcine begins", "trial 3: diffract at", "trial 6: proposed")


def run(folder: Path) -> Program:
    return athanor(folder, "run", "test.yaml")


def kill_at(folder: Path, moment: str) -> None:
    process = run(folder)
    for line in process.output:
        if moment in line:
            process.send_signal(signal.SIGKILL)
            break
    assert process.end()[1] == -signal.SIGKILL


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrialRecord, ...]:
    return Bench(tmp_path_factory.mktemp("whole")).run(quick(budget={"trials": 8})).trials


def test_killed_and_resumed_equals_uninterrupted(tmp_path: Path, expected: tuple[TrialRecord, ...]) -> None:
    data = quick(budget={"trials": 8})
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    for moment in MOMENTS:
        kill_at(tmp_path, moment)
    output, code = run(tmp_path).end()
    assert code == 0, output
    reader = Reader(f"sqlite:///{tmp_path / 'test.db'}")
    trials = tuple(reader.trials())
    assert [s.outcome == "" for s in reader.sessions()] == [True] * len(MOMENTS) + [False]
    assert all(t.state is TrialState.COMPLETED for t in trials)
    assert begun_once(Bench(tmp_path))
    assert facts(trials) == facts(expected)
