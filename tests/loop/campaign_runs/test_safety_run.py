"""Campaigns under a lab file: what interlocks and emergency stops do to a run, and to those that come after it."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.decisions import StationMode
from campaigns.errors import EmergencyStopError, LabInUseError
from campaigns.load import load_campaign
from campaigns.user_code.module_files import open_folder
from campaigns.values import Cause, TrialState
from instruments.emergency_stop import StopFile
from loop.cli.run_orders import abort_trial
from loop.cli.station_orders import set_stations
from loop.core.events import Event, StepStarted, TrialEnded, Warned
from loop.core.open_requests import OpenRequest
from loop.execution.options import RunOptions, SessionResult
from loop.storage.reader import Reader
from loop.terminal.requests_view import stored_requests
from loop.terminal.status_view import status_rows
from tests.ruled_campaigns import LAB, write_ruled

pytestmark = pytest.mark.slow

STAGE = """\
from ophyd import Signal
from ophyd.sim import SynAxis

door = Signal(name="door", value="closed")
quick = []
MOVES = []


class Axis(SynAxis):
    def set(self, value):
        MOVES.append(value)
        self.delay = 0.0 if value == 0 or quick else 60.0
        return super().set(value)
"""
STUCK = """

def stuck(value):
    if value == 0:
        raise OSError("it is stuck")
"""
STAGE_LAB = """\
lab: {kind: real}
stations:
  stage:
    kind: device
    device: "axis:Axis"
    setpoints: {x: {unit: mm, limits: [0, 10]}}
    units: {stage: mm}
    requires: ["door == closed"]
    safe: {x: 0}
readings:
  door: {device: "axis:door"}
"""
STAGE_CAMPAIGN = """\
name: ruled
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
lab: {kind: file, path: lab.yaml}
workflow:
  - name: go
    stations: [stage]
    recipe: {x: $x}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {place: stage}, uncertainty: {place: 0.01}}
    gives: [place]
    timeout: 5 min
budget: {trials: 2}
"""


def run(
    file: Path, on_event: Callable[[Event], None] = lambda _: None, options: RunOptions | None = None
) -> SessionResult:
    from loop.run import run as run_campaign

    open_folder(file.parent)
    chosen = options or RunOptions(f"sqlite:///{file.with_suffix('.db')}", file.read_text(encoding="utf-8"))
    return run_campaign(load_campaign(file), chosen, on_event)


def store(file: Path) -> Reader:
    return Reader(f"sqlite:///{file.with_suffix('.db')}")


def test_a_station_waits_until_its_interlock_holds_again_which_counts_as_no_failure(tmp_path: Path) -> None:
    file, warned = write_ruled(tmp_path, lab=LAB.replace("coolant > 0.5", "coolant > 1.5")), []
    shown: list[dict[str, str]] = []

    def mend() -> None:
        until(lambda: "station furnace" in dict(status_rows(store(file))))
        shown.append(dict(status_rows(store(file))))
        asked.extend(stored_requests(store(file)))
        sys.modules["hot"].coolant.put(2.0)

    asked: list[OpenRequest] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Warned):
            warned.append(event.text)
            if len(warned) == 1:
                threading.Thread(target=mend).start()

    result = run(file, on_event)
    seen = "interlock: door is closed, coolant is 1 L/min; required: door == closed and coolant > 1.5 L/min"
    assert shown[0]["station furnace"].startswith("waits since 20")
    assert shown[0]["station furnace"].endswith(f": {seen}")
    assert [(one.what, one.answers[0].command) for one in asked] == [
        (f"furnace waits, and goes on by itself once this is mended: {seen}", "station out furnace")
    ]
    assert "station furnace" not in dict(status_rows(store(file)))
    assert warned[0] == (
        "furnace: interlock: door is closed, coolant is 1 L/min; required: door == closed and coolant > 1.5 L/min"
    )
    assert warned[-1] == "furnace may be used again"
    assert [trial.state for trial in result.trials] == [TrialState.COMPLETED] * 3
    assert all(len(trial.steps) == 1 for trial in result.trials)


def test_an_emergency_stop_ends_a_run_and_keeps_every_other_from_beginning_until_it_is_cleared(tmp_path: Path) -> None:
    file, stop = write_ruled(tmp_path), StopFile(tmp_path / "lab.stop")

    def panic(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 1:
            stop.make("anna", "smoke")

    with pytest.raises(EmergencyStopError, match=r"by anna since .*: smoke; when it is safe: athanor stop"):
        run(file, panic)
    before = store(file).trials()
    assert [trial.state for trial in before if trial.state is TrialState.COMPLETED] == [TrialState.COMPLETED]
    with pytest.raises(EmergencyStopError, match="nothing moves until it is cleared"):
        run(file)
    assert dict(status_rows(store(file)))["STOPPED"].startswith("emergency stop by anna")
    stop.clear("ben", "aired")
    assert [trial.state for trial in run(file).trials].count(TrialState.COMPLETED) >= 2
    assert dict(status_rows(store(file)))["last stop"].startswith("cleared by ben")


def test_an_interlock_that_trips_during_a_job_settles_the_trial_with_its_reason(tmp_path: Path) -> None:
    file = write_ruled(tmp_path, lab=STAGE_LAB, campaign=STAGE_CAMPAIGN)
    (tmp_path / "axis.py").write_text(STAGE, encoding="utf-8")

    def trip() -> None:
        axis = sys.modules["axis"]
        until(lambda: axis.MOVES)
        axis.door.put("open")
        until(lambda: axis.MOVES[-1] == 0 and settled)
        axis.quick.append(True)
        axis.door.put("closed")

    settled: list[Event] = []

    def open_the_door(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 0:
            threading.Thread(target=trip).start()
        settled.extend([event] if isinstance(event, TrialEnded) else [])

    first, second = run(file, open_the_door).trials
    assert (first.state, first.cause) == (TrialState.UNCERTAIN, Cause.LAB)
    assert first.reason == "stage: aborted: interlock: door is open; required: door == closed"
    assert first.metrics == {}
    assert second.state is TrialState.COMPLETED
    *safe, last = sys.modules["axis"].MOVES[1:]
    assert safe == [0, 0], "at once, and when the job has ended: Bluesky stops what a plan has moved"
    assert last == second.candidate.parameters["x"]


def test_a_second_run_on_the_same_devices_is_refused_before_anything_moves(tmp_path: Path) -> None:
    file = write_ruled(tmp_path, lab=STAGE_LAB, campaign=STAGE_CAMPAIGN.replace("trials: 2", "trials: 1"))
    (tmp_path / "axis.py").write_text(STAGE.replace("quick = []", "quick = [True]"), encoding="utf-8")
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text(encoding="utf-8").replace("name: ruled", "name: other"), encoding="utf-8")
    refused = []

    def try_another(event: Event) -> None:
        if isinstance(event, StepStarted):
            with pytest.raises(LabInUseError) as caught:
                run(other)
            refused.append(str(caught.value))

    assert run(file, try_another).trials[0].state is TrialState.COMPLETED
    assert "the run of campaign ruled (process" in refused[0]
    assert store(other).trials() == []
    assert run(other).trials[0].state is TrialState.COMPLETED


def test_a_safe_state_that_is_not_reached_is_asked_about_until_somebody_settles_it_by_name(tmp_path: Path) -> None:
    file, stop = write_ruled(tmp_path, lab=STAGE_LAB, campaign=STAGE_CAMPAIGN), StopFile(tmp_path / "lab.stop")
    (tmp_path / "axis.py").write_text(STAGE.replace("MOVES.append", "stuck(value) or MOVES.append"), encoding="utf-8")
    with (tmp_path / "axis.py").open("a", encoding="utf-8") as module:
        module.write(STUCK)
    warned: list[str] = []

    def panic() -> None:
        until(lambda: sys.modules["axis"].MOVES)
        stop.make("anna", "smoke")

    def on_event(event: Event) -> None:
        warned.extend([event.text] if isinstance(event, Warned) else [])
        if isinstance(event, StepStarted) and not warned:
            threading.Thread(target=panic).start()

    with pytest.raises(EmergencyStopError):
        run(file, on_event)
    assert "stage is NOT in its safe state: x: OSError: it is stuck; look at it now" in warned, "although the run ends"
    stop.clear("ben", "aired")
    assert "NOT in its safe state since 20" in dict(status_rows(store(file)))["station stage"]
    asked, uncertain = stored_requests(store(file))
    assert asked.what == "look at it now: stage is NOT in its safe state: x: OSError: it is stuck"
    assert [one.command for one in asked.answers] == ["station in stage", "station out stage"]
    axis, url = sys.modules["axis"], f"sqlite:///{file.with_suffix('.db')}"
    axis.quick.append(True)
    moves = len(axis.MOVES)
    said: list[str] = []

    def settle(event: Event) -> None:
        if isinstance(event, Warned) and "NOT in its safe state" in event.text:
            assert len(axis.MOVES) == moves, "nothing begins before"
            said.extend(set_stations(["stage"], url, "I moved it by hand", StationMode.IN))

    assert run(file, settle).trials[-1].state is TrialState.COMPLETED
    assert said == ["amendment 1: stage is in use: it is used again"]
    assert "station stage" not in dict(status_rows(store(file)))
    assert [one.what for one in stored_requests(store(file))] == [uncertain.what]


def until(reached: Callable[[], object]) -> None:
    """Wait for a condition, and end at once."""
    ends = time.monotonic() + 30
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_whoever_gives_up_a_job_brings_its_station_into_the_safe_state_that_it_declares(tmp_path: Path) -> None:
    file = write_ruled(tmp_path, lab=STAGE_LAB, campaign=STAGE_CAMPAIGN)
    (tmp_path / "axis.py").write_text(STAGE, encoding="utf-8")
    url = f"sqlite:///{file.with_suffix('.db')}"
    options = RunOptions(url, file.read_text(encoding="utf-8"))
    actions = {0: lambda: list(abort_trial(0, file, url, "smoke")), 1: options.abort.set}

    def once_it_moves(trial: int) -> None:
        while len(sys.modules["axis"].MOVES) <= 2 * trial:
            time.sleep(0.02)
        actions[trial]()

    def give_up(event: Event) -> None:
        if isinstance(event, StepStarted):
            threading.Thread(target=once_it_moves, args=(event.trial,)).start()

    first, second = run(file, give_up, options).trials
    assert first.state is TrialState.UNCERTAIN
    assert "gave it up: smoke" in first.reason
    assert not second.state.ended, "the next run asks what became of it"
    moves = sys.modules["axis"].MOVES
    assert [value == 0 for value in moves] == [False, True, False, True]
