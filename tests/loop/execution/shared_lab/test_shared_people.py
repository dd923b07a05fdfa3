"""A person whom several campaigns ask is asked one thing at a time, and answers each campaign from any terminal."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from campaigns.values import TrialState
from loop.cli.lab_orders import lab_rows
from loop.core.events import Event, StepEnded, StepStarted
from loop.core.records import TrialRecord
from loop.service.manual_answers import confirm
from tests.shared_labs import conducted, served

LAB = """\
lab: {kind: real}
stations:
  kim: {kind: manual, setpoints: {dose: {unit: g, limits: [1, 9]}}}
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
  - name: weigh
    stations: [kim]
    recipe: {dose: $dose}
    instructions: "weigh {dose}"
    asks: {mass: g}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {mass: mass}, uncertainty: {mass: 0.01}}
    gives: [mass]
    timeout: 1 min
budget: {trials: 3}
"""


@pytest.mark.slow
def test_a_person_is_asked_by_one_campaign_at_a_time(tmp_path: Path) -> None:
    (tmp_path / "lab.yaml").write_text(LAB, encoding="utf-8")
    found: dict[str, tuple[TrialRecord, ...]] = {}
    asked: list[str] = []
    most: list[int] = []
    shown: list[str] = []

    def run(name: str) -> None:
        def answer(event: Event) -> None:
            if isinstance(event, StepStarted):
                asked.append(name)
                most.append(len(asked))
                shown.append(dict(lab_rows(tmp_path / "lab.yaml"))["station kim"])
                list(confirm([str(event.trial), "mass=2 g"], f"sqlite:///{tmp_path / name}.db", "done"))
            if isinstance(event, StepEnded):
                asked.remove(name)

        file = tmp_path / f"{name}.yaml"
        file.write_text(CAMPAIGN.replace("NAME", name), encoding="utf-8")
        found[name] = conducted(file, answer)

    with served(tmp_path):
        runs = [threading.Thread(target=run, args=(name,)) for name in ("red", "blue")]
        for one in runs:
            one.start()
        for one in runs:
            one.join(60)
    assert [trial.state for trials in found.values() for trial in trials] == [TrialState.COMPLETED] * 6
    assert max(most) == 1
    assert all(text.startswith("waits for an answer; reserved for campaign") for text in shown), shown
