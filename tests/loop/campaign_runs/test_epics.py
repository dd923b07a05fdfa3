"""The shipped campaign with its furnaces on EPICS, as the user runs it: in processes of their own."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.values import TrialState
from loop.storage.reader import Reader
from tests.forks import Program, athanor, be_athanor
from tests.loop.conftest import quick

pytestmark = pytest.mark.slow

LAB = {"kind": "epics", "speed": 20000.0}


def short(**changes: Any) -> str:
    """A campaign of short steps: lab time passes on the wall here."""
    data = quick(**changes)
    data["space"]["parameters"]["time"] |= {"low": 1, "high": 3}
    data["space"]["parameters"]["ramp_rate"]["levels"] = [10, 20]
    data["workflow"][2]["recipe"] = {"c_rate": "1 1/h"}
    return yaml.safe_dump(data, sort_keys=False)


def finish(folder: Path, *words: str) -> str:
    output, code = athanor(folder, *words).end()
    assert code == 0, output
    return output


def trials(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(finish(folder, "trials", "test.yaml", "--json"))
    return found


def test_the_same_plan_drives_furnaces_on_epics(tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text(short(budget={"trials": 2}))
    output = finish(tmp_path, "run", "test.yaml", "--lab", "epics")
    assert "trial 0: calcine at furnace_1 done" in output
    assert [t["state"] for t in trials(tmp_path)] == ["completed", "completed"]
    events = finish(tmp_path, "show", "0", "test.yaml")
    assert "furnace_1_peak_temperature" in events


def test_a_furnace_that_does_not_remember_leaves_its_trial_uncertain_and_the_campaign_goes_on(tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text(short(budget={"trials": 3}, lab=LAB))
    program = athanor(tmp_path, "run", "test.yaml")
    for line in program.output:
        if "trial 0: calcine at" in line or "trial 1: calcine at" in line:
            program.send_signal(signal.SIGKILL)
            break
    assert program.end()[1] == -signal.SIGKILL
    finish(tmp_path, "run", "test.yaml")
    states = [t["state"] for t in trials(tmp_path)]
    assert len(states) == 3
    assert "uncertain" in states
    assert "completed" in states
    assert set(states) <= {"uncertain", "completed"}
    reasons = [t["reason"] for t in trials(tmp_path) if t["state"] == "uncertain"]
    assert all("does not know job" in reason for reason in reasons)


def in_a_group(*words: str) -> None:
    """Be the command in a process group of its own, as a terminal makes it."""
    os.setsid()
    be_athanor(*words)


def test_ctrl_c_finishes_what_is_under_way_although_a_terminal_sends_it_to_the_whole_group(tmp_path: Path) -> None:
    (tmp_path / "test.yaml").write_text(short(budget={"trials": 4}, lab=LAB))
    program = Program(tmp_path, in_a_group, "run", "test.yaml")
    said = ""
    while "trial 0: calcine begins" not in said:
        said += program.output.readline()
    os.killpg(program.pid, signal.SIGINT)
    rest, code = program.end()
    assert (code, "Traceback" in rest) == (6, False), rest
    states = {t.state for t in Reader(f"sqlite:///{tmp_path / 'test.db'}").trials() if t.begun}
    assert states == {TrialState.COMPLETED}, "the furnaces' server has outlived it"
