"""A load is one reservation of its station, and each of its samples has its own place, readings and end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.core.records import TrialRecord
from tests.shared_labs import conducted, served

pytestmark = pytest.mark.slow

TRAY = """\
import threading
import time
from pathlib import Path

from ophyd import Component

from instruments.job_instrument import JobInstrument, Quantity
from instruments.places import with_places

BEGUN = Path(__file__).with_name("begun")


class Single(JobInstrument):
    settings = ("dose", "heat")
    dose = Component(Quantity, value=0.0, unit="g", limits=(1, 9))
    heat = Component(Quantity, value=0.0, unit="degC", limits=(10, 99))
    mass = Component(Quantity, value=0.0, unit="g")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.jobs = set()

    def has_job(self, token):
        return token in self.jobs

    def never_began(self, token):
        return token not in self.jobs

    def start(self, token):
        if token in self.jobs:
            return
        self.jobs.add(token)
        self.token.put(token)
        self.state.put("busy")
        samples = list(self.filled.values())
        with BEGUN.open("a") as file:
            file.write(f"{token} {len(samples)}\\n")
        for place in samples:
            place.mass.put(2 * place.dose.get())
            place.state.put("fault" if place.dose.get() > 8.5 else "done")
        threading.Timer(0.02, self.state.put, ["done"]).start()

    def progress(self):
        return str(self.state.get())


Tray = with_places(Single, 3, ["dose", "mass"])
"""
LAB = """\
lab: {kind: real}
stations:
  tray: {kind: device, device: "tray_here:Tray", capacity: 3}
"""
CAMPAIGN = """\
name: NAME
seed: 1
space:
  parameters:
    dose: {kind: float, unit: g, low: 1, high: 8}
metrics:
  mass: {kind: measured, unit: g}
objective:
  terms:
    - {goal: maximise, metric: mass, scale: 10}
planner: {initial: 9}
lab: {kind: file, path: lab.yaml}
workflow:
  - name: heat
    stations: [tray]
    recipe: {dose: $dose, heat: 50 degC}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {mass: mass}, uncertainty: {mass: 0.01}}
    gives: [mass]
    timeout: 1 min
budget: {trials: 6}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The folder of a lab file that a lab process in this process serves."""
    (tmp_path / "lab.yaml").write_text(LAB, encoding="utf-8")
    (tmp_path / "tray_here.py").write_text(TRAY, encoding="utf-8")
    with served(tmp_path):
        yield tmp_path


def trials_of(folder: Path, name: str) -> tuple[TrialRecord, ...]:
    """Return the trials of a campaign that is run to its end."""
    file = folder / f"{name}.yaml"
    file.write_text(CAMPAIGN.replace("NAME", name), encoding="utf-8")
    return conducted(file)


def test_campaigns_fill_the_loads_of_a_shared_station(folder: Path) -> None:
    found: dict[str, tuple[TrialRecord, ...]] = {}
    runs = [
        threading.Thread(target=lambda one=name: found.update({one: trials_of(folder, one)}))
        for name in ("red", "blue")
    ]
    for one in runs:
        one.start()
    for one in runs:
        one.join(60)
    for trials in found.values():
        assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 6, [trial.reason for trial in trials]
        assert all(t.metrics["mass"].value == pytest.approx(2 * float(t.candidate.parameters["dose"])) for t in trials)
    begun = dict(line.split() for line in (folder / "begun").read_text().splitlines())
    tokens = {step.job for trials in found.values() for trial in trials for step in trial.steps}
    assert len(found) == 2
    assert begun == dict.fromkeys(tokens, "3"), "four loads, each of one campaign, begun once"
