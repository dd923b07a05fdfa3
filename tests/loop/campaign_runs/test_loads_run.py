"""A campaign with loads: samples of one program together, planned to fit; killed in the middle, the same trials."""

from __future__ import annotations

import json
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from tests.forks import athanor
from tests.loop.campaign_runs.test_run import facts
from tests.loop.conftest import Bench, quick

pytestmark = pytest.mark.slow

PROGRAM = ("temperature", "time", "ramp_rate", "atmosphere")


def loaded() -> dict[str, Any]:
    """Two furnace loads of three and a rest of one; a place that fails; a cycler with two channels."""
    data = quick(budget={"trials": 7}, planner={"initial": 4})
    data["stations"] |= {"furnace_1": {"kind": "furnace", "capacity": 3}, "cycler": {"kind": "cycler", "capacity": 2}}
    del data["stations"]["furnace_2"], data["workflow"][1], data["metrics"]["phase_fraction"]
    del data["stations"]["diffractometer"], data["objective"]["terms"][1]
    data["workflow"][0]["stations"] = ["furnace_1"]
    data["lab"] = {"kind": "virtual", "faults": [{"trial": 1, "station": "furnace_1", "kind": "place"}]}
    return data


def furnace_loads(folder: Path) -> list[list[str]]:
    lines = (folder / "test.lab" / "instruments.jsonl").read_text().splitlines()
    jobs = [job for job in map(json.loads, lines) if job["instrument"] == "furnace_1"]
    return [[one["sample"] for one in job["load"]] for job in jobs]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[TrialRecord, ...]]:
    folder = tmp_path_factory.mktemp("whole")
    return folder, Bench(folder).run(loaded()).trials


def test_loads_are_filled_as_planned_and_one_bad_sample_costs_one(
    whole: tuple[Path, tuple[TrialRecord, ...]],
) -> None:
    folder, trials = whole
    assert furnace_loads(folder) == [["0", "1", "2"], ["3", "4", "5"], ["6"]]
    programs = [[t.candidate.parameters[name] for name in PROGRAM] for t in trials]
    together = [first == second for first, second in pairwise(programs)]
    assert together == [True, True, False, True, True, False]
    assert {t.number for t in trials if t.state is not TrialState.COMPLETED} == {1}
    assert all(set(t.metrics) == {"capacity", "mean_voltage"} for t in trials if t.number != 1)
    assert trials[4].proposal.reason.startswith("it fills a load with temperature ")


def test_killed_in_the_middle_of_loads_equals_uninterrupted(
    tmp_path: Path, whole: tuple[Path, tuple[TrialRecord, ...]]
) -> None:
    (tmp_path / "test.yaml").write_text(yaml.safe_dump(loaded(), sort_keys=False))
    for moment in ("trial 1: calcine begins", "trial 4: proposed"):
        process = athanor(tmp_path, "run", "test.yaml")
        for line in process.output:
            if moment in line:
                process.send_signal(signal.SIGKILL)
                break
        assert process.end()[1] == -signal.SIGKILL
    output, code = athanor(tmp_path, "run", "test.yaml").end()
    assert code == 0, output
    assert furnace_loads(tmp_path) == furnace_loads(whole[0]), "nothing is begun twice"
    assert facts(tuple(Reader(f"sqlite:///{tmp_path / 'test.db'}").trials())) == facts(whole[1])
