"""A campaign with loads of a plan of one's own: filled as planned; killed in one, all of it waits for people."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.core.records import TrialRecord
from loop.storage.reader import Reader
from tests.forks import Program, athanor
from tests.shared_labs import until

pytestmark = pytest.mark.slow

PLANS = """\
from collections.abc import Sequence
from pathlib import Path

from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.utils import MsgGenerator

from campaigns.errors import SampleError
from instruments.load_samples import LoadSample

HERE = Path(__file__).parent


@bpp.run_decorator(md={"plan_name": "anneal"})
def anneal(heat: float, samples: Sequence[LoadSample], stage, det) -> MsgGenerator[None]:
    with (HERE / "begun").open("a") as file:
        file.write(f"{heat:g} {','.join(one.id for one in samples)}\\n")
    for sample in samples:
        yield from bps.mv(stage, sample.settings["dose"])
        while (HERE / "hold").exists():
            yield from bps.sleep(0.02)
        if sample.id == "1":
            yield from sample.fail(SampleError("it is cracked"))
        else:
            yield from sample.mark(bps.trigger_and_read([stage]))
"""
CAMPAIGN = """\
name: test
seed: 1
space:
  parameters:
    heat: {kind: float, unit: degC, low: 100, high: 900}
    dose: {kind: float, unit: g, low: 1, high: 9}
metrics:
  mass: {kind: measured, unit: g}
objective:
  terms:
    - {goal: maximise, metric: mass, scale: 1}
planner: {initial: 9}
lab: {kind: real}
stations:
  bench:
    kind: plan
    plan: "annealing_plans:anneal"
    devices: {stage: {device: "ophyd.sim:motor"}, det: {device: "ophyd.sim:det"}}
    setpoints:
      heat: {unit: degC, limits: [0, 1000]}
      dose: {unit: g, limits: [0, 10]}
    units: {motor: g}
    capacity: 3
    shared: [heat]
workflow:
  - name: anneal
    stations: [bench]
    recipe: {heat: $heat, dose: $dose}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {mass: motor}, uncertainty: {mass: 0.01}}
    gives: [mass]
    timeout: 5 min
budget: {trials: 6}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "annealing_plans.py").write_text(PLANS)
    (tmp_path / "test.yaml").write_text(CAMPAIGN)
    return tmp_path


def run(folder: Path) -> Program:
    return athanor(folder, "run", "test.yaml")


def trials(folder: Path) -> list[TrialRecord]:
    return list(Reader(f"sqlite:///{folder / 'test.db'}").trials())


def begun(folder: Path) -> list[str]:
    """The samples of each load that the plan has begun."""
    return [line.split()[1] for line in (folder / "begun").read_text().splitlines()]


def check_measured(found: list[TrialRecord]) -> None:
    for trial in found:
        if trial.state is TrialState.COMPLETED:
            assert trial.metrics["mass"].value == pytest.approx(float(trial.candidate.parameters["dose"]))


def test_a_plan_takes_the_samples_that_fit_and_each_gets_its_own_readings(folder: Path) -> None:
    output, code = run(folder).end()
    assert code == 0, output
    found = trials(folder)
    assert begun(folder) == ["0,1,2", "3,4,5"]
    assert [t.number for t in found if t.state is not TrialState.COMPLETED] == [1]
    assert (found[1].state, str(found[1].cause)) == (TrialState.FAILED, "sample")
    check_measured(found)
    heats = [t.candidate.parameters["heat"] for t in found]
    assert heats == [heats[0]] * 3 + [heats[3]] * 3
    documents = Reader(f"sqlite:///{folder / 'test.db'}").documents(2)
    assert [one.kind for one in documents].count("start") == 2, "that of the job, and that of the plan"


def test_killed_in_a_load_all_of_it_is_uncertain_and_people_settle_each_place(folder: Path) -> None:
    (folder / "hold").touch()
    process = run(folder)
    for line in process.output:
        if "trial 2: anneal begins" in line:
            until((folder / "begun").exists)
            process.send_signal(signal.SIGKILL)
            break
    assert process.end()[1] == -signal.SIGKILL
    (folder / "hold").unlink()
    output, code = run(folder).end()
    assert code == 0, output
    found = trials(folder)
    assert [t.state for t in found[:3]] == [TrialState.UNCERTAIN] * 3
    assert all("nobody can tell how far job" in t.reason for t in found[:3])
    assert {t.state for t in found[3:]} == {TrialState.COMPLETED}
    assert begun(folder) == ["0,1,2", "3,4,5"]
    for words in (
        ("trial", "result", "0", "mass=4 g"),
        ("trial", "discard", "1"),
        ("trial", "retry", "2"),
    ):
        output, code = athanor(folder, *words, "test.yaml", "--reason", "looked").end()
        assert code == 0, output
    output, code = run(folder).end()
    assert code == 0, output
    found = trials(folder)
    assert [t.state for t in found[:3]] == [TrialState.COMPLETED, TrialState.WITHDRAWN, TrialState.COMPLETED]
    assert found[0].metrics["mass"].value == 4.0
    check_measured(found[2:])
    assert begun(folder)[:2] == ["0,1,2", "3,4,5"]
    again = ",".join(begun(folder)[2:]).split(",")
    assert set(again) - {str(t.number) for t in found[6:]} == {"2"}, "only what somebody has asked for is begun again"
    assert len(again) == len(set(again))
