"""Campaigns on plain ophyd devices: a kill costs nothing that is known, and repeats nothing; motors over EPICS move."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.storage.reader import Reader
from simulators.epics_lab import LOOPBACK, unused_port
from tests.forks import Program, athanor

pytestmark = pytest.mark.slow

STAGE = """\
import os
import time

from ophyd.sim import SynAxis


class Axis(SynAxis):
    \"\"\"An axis that writes down where it is sent, and takes long for some way.\"\"\"

    def set(self, value):
        with open("moves.txt", "a") as file:
            file.write(f"{value}\\n")
        self.delay = 60 if os.path.exists("slow") else 0
        return super().set(value)
"""
CAMPAIGN = """\
name: test
seed: 1
space:
  parameters:
    x: {kind: float, unit: mm, low: 1, high: 9}
metrics:
  place: {kind: measured, unit: mm}
objective:
  terms:
    - {goal: target, metric: place, low: 4, high: 5, scale: 1}
planner: {initial: 9}
lab: {kind: real}
stations:
  stage: {kind: device, device: "stage:Axis", setpoints: {x: {unit: mm, limits: [0, 10]}}, units: {stage: mm}}
workflow:
  - name: go
    stations: [stage]
    recipe: {x: $x}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {place: stage}, uncertainty: {place: 0.01}}
    gives: [place]
    timeout: 5 min
budget: {trials: 4}
"""


def run(folder: Path) -> Program:
    return athanor(folder, "run", "test.yaml")


def moves(folder: Path) -> list[str]:
    file = folder / "moves.txt"
    return file.read_text().split() if file.exists() else []


def test_a_kill_in_the_middle_of_a_move_repeats_nothing(tmp_path: Path) -> None:
    (tmp_path / "stage.py").write_text(STAGE)
    (tmp_path / "test.yaml").write_text(CAMPAIGN)
    process = run(tmp_path)
    for line in process.output:
        if "trial 0: completed" in line:
            (tmp_path / "slow").touch()
        if "begins at stage" in line and (tmp_path / "slow").exists():
            before = len(moves(tmp_path))
            while len(moves(tmp_path)) == before and before < 2:
                pass
            process.send_signal(signal.SIGKILL)
            break
    assert process.end()[1] == -signal.SIGKILL
    (tmp_path / "slow").unlink()
    output, code = run(tmp_path).end()
    assert code == 0, output
    trials = Reader(f"sqlite:///{tmp_path / 'test.db'}").trials()
    states = Counter(trial.state for trial in trials)
    assert states[TrialState.UNCERTAIN] == 1
    assert states[TrialState.COMPLETED] == len(trials) - 1
    (lost,) = [trial for trial in trials if trial.state is TrialState.UNCERTAIN]
    assert "nobody can tell how far job" in lost.reason
    assert max(Counter(moves(tmp_path)).values()) == 1
    assert len(moves(tmp_path)) == len(trials)


@pytest.fixture
def motor_port() -> Iterator[int]:
    """The port of a server of simulated motor records, with the prefix ``sim:``."""
    port = unused_port()
    environment = os.environ | LOOPBACK | {"EPICS_CA_SERVER_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "caproto.ioc_examples.fake_motor_record", "--prefix", "sim:"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield port
    process.kill()
    process.wait()


def test_a_motor_over_epics_is_moved_and_read(tmp_path: Path, motor_port: int) -> None:
    text = CAMPAIGN.replace("kind: real", f"kind: real, epics_servers: ['127.0.0.1:{motor_port}']")
    text = text.replace('"stage:Axis"', '"ophyd:EpicsMotor", settings: {prefix: "sim:mtr1"}')
    text = text.replace("trials: 4", "trials: 2").replace(
        "limits: [0, 10]", "limits: [0, 10], tolerance: 0.05 mm, timeout: 1 min"
    )
    (tmp_path / "test.yaml").write_text(text)
    output, code = run(tmp_path).end()
    assert code == 0, output
    trials = Reader(f"sqlite:///{tmp_path / 'test.db'}").trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 2
    for trial in trials:
        assert trial.metrics["place"].value == pytest.approx(float(trial.candidate.parameters["x"]), abs=0.05)


WATCHED = """\
lab: {kind: real, epics_servers: ['127.0.0.1:PORT']}
stations:
  stage:
    kind: device
    device: "ophyd:EpicsMotor"
    settings: {prefix: "sim:mtr1"}
    setpoints: {x: {unit: mm, limits: [0, 10], tolerance: 0.05 mm, timeout: 1 min}}
    units: {stage: mm}
    requires: ["flow > 5 L/min"]
readings:
  flow: {device: "ophyd:EpicsSignalRO", settings: {read_pv: "sim:mtr2.VELO"}, unit: L/min}
"""


def put(port: int, motor: int, velocity: float) -> None:
    """Set the velocity of a simulated motor."""
    environment = os.environ | LOOPBACK | {"EPICS_CA_ADDR_LIST": f"127.0.0.1:{port}"}
    command = [sys.executable, "-m", "caproto.commandline.put", f"sim:mtr{motor}.VELO", str(velocity)]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def test_an_interlock_on_a_process_variable_holds_a_station_and_ends_its_job(tmp_path: Path, motor_port: int) -> None:
    text = CAMPAIGN.replace("lab: {kind: real}", "lab: {kind: file, path: lab.yaml}").replace("trials: 4", "trials: 1")
    text = text.replace("stations:\n  stage: {kind", "stations: {}\nunused: {kind")
    lines = [line for line in text.splitlines() if not line.startswith("unused")]
    (tmp_path / "test.yaml").write_text("\n".join(lines))
    (tmp_path / "lab.yaml").write_text(WATCHED.replace("PORT", str(motor_port)))
    put(motor_port, 1, 0.05)  # so that the first move lasts until it is ended
    put(motor_port, 2, 2.0)
    process, seen = run(tmp_path), []
    for line in process.output:
        seen.append(line)
        if "warning: stage: interlock: flow is 2 L/min; required: flow > 5 L/min" in line:
            put(motor_port, 2, 10.0)
        if "trial 0: go begins at stage" in line:
            put(motor_port, 2, 1.0)
    assert process.end()[1] == 0, "".join(seen)
    (trial,) = Reader(f"sqlite:///{tmp_path / 'test.db'}").trials()
    assert trial.state is TrialState.UNCERTAIN
    assert trial.reason == "stage: aborted: interlock: flow is 1 L/min; required: flow > 5 L/min"


def test_a_motor_that_does_not_answer_is_a_fault_of_the_lab(tmp_path: Path) -> None:
    text = CAMPAIGN.replace(
        "kind: real", f"kind: real, epics_servers: ['127.0.0.1:{unused_port()}'], connection_timeout: 0.5 s"
    ).replace('"stage:Axis"', '"ophyd:EpicsMotor", settings: {prefix: "sim:mtr1"}')
    (tmp_path / "test.yaml").write_text(text)
    output, code = run(tmp_path).end()
    assert code == 3, output
    assert "stage (ophyd:EpicsMotor) does not answer within 0.5 s" in output
    assert "Traceback" not in output
