"""Two copies of a store on the same instruments: both cannot be gone on with, and no result is taken for another's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from tests.shared_labs import SharedLab, write_shared_lab

pytestmark = pytest.mark.slow


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[SharedLab]:
    write_shared_lab(tmp_path, "glass")
    found = SharedLab(tmp_path)
    yield found
    found.close()


def said(shared: SharedLab, code: int, *words: str) -> str:
    """Run a command, and return what it says."""
    output, found = shared.start(*words).end()
    assert found == code, output
    return output


def made(shared: SharedLab, trial: TrialRecord) -> float:
    """Return the temperature that the oven has given to a trial's sample."""
    return float(json.loads((shared.folder / "jobs" / trial.steps[-1].token).read_text())["temperature"])


def test_only_the_branch_that_somebody_brings_back_goes_on_and_gets_samples_of_its_own(shared: SharedLab) -> None:
    one = ("run", "glass.yaml", "--max-trials", "1")
    other = ("--store", f"sqlite:///{shared.folder / 'other.db'}")
    said(shared, 0, *one)
    for name in ("copy.db", "other.db"):
        said(shared, 0, "backup", "glass.yaml", "--to", name)
    said(shared, 0, *one)

    refused = said(shared, 5, *one, *other)
    assert "is one of two branches: the instruments have begun 1 job of trials 1 for" in refused
    assert f"go on with {shared.folder / 'glass.db'}, and put this one away" in refused
    assert len(shared.begun) == 2

    (shared.folder / "other.db").unlink()
    said(shared, 0, "restore", "copy.db", "glass.yaml", *other)
    assert "numbers of later trials are used again" in said(shared, 0, *one, *other)
    branches = [shared.stored("glass").trials(), Reader(other[1]).trials()]
    assert [[trial.state for trial in trials] for trials in branches] == [[TrialState.COMPLETED] * 2] * 2
    assert len(set(shared.begun)) == len(shared.begun) == 3
    for trials in branches:
        assert made(shared, trials[1]) == trials[1].candidate.parameters["temperature"]

    refused = said(shared, 5, *one)
    assert f"go on with {shared.folder / 'other.db'}, and put this one away" in refused
    assert len(shared.begun) == 3
