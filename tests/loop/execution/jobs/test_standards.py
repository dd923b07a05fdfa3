"""Stations show by a sample of known value that they are right, before the jobs that wait for that."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from campaigns.decisions import StationMode
from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from campaigns.user_code.module_files import open_folder
from campaigns.values import TrialState
from loop.cli.app import app
from loop.cli.reanalyse_command import reanalyse
from loop.cli.station_orders import repeat_standards, set_stations
from loop.core.events import Event, StandardMeasured, StepStarted, Warned
from loop.execution.options import RunOptions, SessionResult
from loop.report.campaign_report import write_report
from loop.service.journal_editor import open_journal_editor
from loop.storage.reader import Reader
from loop.terminal.requests_view import stored_requests, stored_standards
from loop.terminal.status_view import status_rows
from loop.terminal.trial_view import trial_parts
from tests.ruled_campaigns import write_ruled

pytestmark = pytest.mark.slow

LAB = """\
lab: {kind: virtual}
stations:
  balance:
    kind: device
    device: "scales:Scales"
    standard:
      recipe: {load: 5}
      analysis: "scales:mass"
      metric: mass
      unit: mg
      value: 0.1 g
      tolerance: 500 µg
      EVERY
      timeout: 2 h
"""
BALANCE = """\
name: weighed
seed: 1
space:
  parameters:
    load: {kind: float, unit: "1", low: 0, high: 10}
metrics:
  mass: {kind: measured, unit: mg}
objective:
  terms:
    - {goal: maximise, metric: mass, scale: 10}
planner: {initial: 9}
lab: {kind: file, path: lab.yaml}
workflow:
  - name: weigh
    stations: [balance]
    recipe: {load: $load}
    analysis: "scales:mass"
    gives: [mass]
    timeout: 2 h
budget: {trials: 4}
"""
SCALES = """\
from ophyd import Component
from campaigns.values import Measurement, MetricValue
from instruments.job_instrument import JobInstrument, Quantity

drift = []
weighed = []


class Scales(JobInstrument):
    settings = ("load",)
    load = Component(Quantity, value=0.0, unit="1", limits=(0, 10))
    shown = Component(Quantity, value=0.0, unit="mg")

    def has_job(self, token):
        return token == self.token.get()

    def progress(self):
        return str(self.state.get())

    def start(self, token):
        if not self.has_job(token):
            self.token.put(token)
            self.state.put("busy")
            self.clock.call_later(3600.0, self._end, self.name)

    def _end(self):
        weighed.append(self.sample.get())
        self.shown.put(20 * self.load.get() + sum(drift))
        self.state.put("done")


def mass(data, context):
    return Measurement({"mass": MetricValue(data["shown"], 0.1, "mg")})
"""


def shown(reader: Reader, number: int) -> str:
    """Return what 'athanor show' prints of a trial, with a colon between labels and values."""
    console = Console(file=io.StringIO(), width=200)
    with console.capture() as capture:
        console.print(trial_parts(reader, number))
    return re.sub(r"standard off\s+", "standard off: ", capture.get())


class Weighing:
    """A campaign on a balance with a standard of 100 mg, each job of which takes an hour."""

    def __init__(self, folder: Path, every: str, campaign: str = BALANCE) -> None:
        self.file = write_ruled(folder, lab=LAB.replace("EVERY", every), campaign=campaign)
        (folder / "scales.py").write_text(SCALES, encoding="utf-8")
        open_folder(folder)
        self.url = f"sqlite:///{self.file.with_suffix('.db')}"
        self.events: list[Event] = []
        self.drift_at: int | None = None
        self.adjusts = True
        self.recalibrated_at: int | None = None

    @property
    def weighed(self) -> list[str]:
        """The samples, in order."""
        found: list[str] = sys.modules["scales"].weighed
        return found

    @property
    def reader(self) -> Reader:
        return Reader(self.url)

    def run(self) -> SessionResult:
        from loop.run import run

        return run(load_campaign(self.file), RunOptions(self.url, self.file.read_text(encoding="utf-8")), self._take)

    def _take(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, StepStarted) and event.trial == self.drift_at:
            sys.modules["scales"].drift.append(2.0)
        if isinstance(event, StepStarted) and event.trial == self.recalibrated_at:
            sys.modules["scales"].drift.clear()
            list(repeat_standards(["balance"], self.url, "adjusted"))
        if isinstance(event, Warned) and "is off" in event.text and self.adjusts:
            self.asked = stored_requests(self.reader)
            sys.modules["scales"].drift.clear()
            list(set_stations(["balance"], self.url, "adjusted", StationMode.IN))


def test_a_standard_comes_first_and_again_after_so_many_jobs_and_is_no_trial(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path, "every_trials: 2")
    trials = weighing.run().trials
    assert weighing.weighed == ["standard", "0", "1", "standard", "2", "3"]
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert all(trial.state is TrialState.COMPLETED for trial in trials)
    rows = dict(status_rows(weighing.reader))
    assert rows["trials"].startswith("4 of 4, 4 completed")
    assert rows["standard balance"].startswith("100.00 ± 0.10 mg; expected 100.00 ± 0.50 mg, measured 20")
    assert [(run.number, run.value, run.good) for run in stored_standards(weighing.reader)] == [
        (1, 100.0, True),
        (2, 100.0, True),
    ]
    page = write_report(weighing.reader, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Calibration standards" in page
    told = [event.text for event in weighing.events if isinstance(event, StandardMeasured)]
    assert told[0] == "the standard of balance is right: 100.00 ± 0.10 mg; expected 100.00 ± 0.50 mg"


def test_a_standard_comes_again_after_its_time_whatever_was_restarted(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path, "every: 150 min")
    weighing.run()
    assert weighing.weighed == ["standard", "0", "1", "2", "standard", "3"]


def test_a_station_that_is_off_begins_no_job_until_somebody_has_adjusted_it_and_it_is_right_again(
    tmp_path: Path,
) -> None:
    weighing = Weighing(tmp_path, "every_trials: 2")
    weighing.drift_at = 1
    assert weighing.run().finished
    assert weighing.weighed == ["standard", "0", "1", "standard", "standard", "2", "3"]
    (asked,) = weighing.asked
    assert asked.what == (
        "the standard of balance is off: 102.00 ± 0.10 mg; expected 100.00 ± 0.50 mg; measured since the last good "
        "one: trials 0 and 1"
    )
    assert [answer.command for answer in asked.answers] == [
        "station in balance",
        "trial withdraw 0 1",
        "station out balance",
    ]
    assert stored_requests(weighing.reader) == []


def test_a_station_that_is_only_flagged_goes_on_and_the_trials_are_asked_about(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path, "every_trials: 2\n      then: flag")
    weighing.drift_at = 1
    weighing.adjusts = False
    weighing.run()
    assert weighing.weighed == ["standard", "0", "1", "standard", "2", "3"]
    (asked,) = stored_requests(weighing.reader)
    assert "measured since the last good one: trials 0, 1, 2 and 3" in asked.what
    said = "standard off: {} it, that of balance gave 102.00 ± 0.10 mg; expected 100.00 ± 0.50 mg"
    sides = ("after", "after", "before", "before")
    assert all(said.format(side) in shown(weighing.reader, number) for number, side in enumerate(sides))
    assert dict(status_rows(weighing.reader))["in doubt"] == "trials 0, 1, 2 and 3, as a standard was off"
    assert marked(weighing) == [0, 1, 2, 3]
    mark = "in doubt: the standard of balance was off after it"
    assert mark in write_report(weighing.reader, tmp_path / "report.html").read_text(encoding="utf-8")
    assert asked.answers[0].effect == "trials 0, 1, 2 and 3 count all the same"
    list(set_stations(["balance"], weighing.url, "2 mg do not matter", StationMode.IN))
    assert stored_requests(weighing.reader) == []
    assert marked(weighing) == []


def test_a_station_that_goes_on_is_measured_again_once_somebody_has_adjusted_it(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path, "every_trials: 2\n      then: flag", BALANCE.replace("trials: 4", "trials: 6"))
    weighing.drift_at, weighing.adjusts = 1, False
    weighing.recalibrated_at = 2
    weighing.run()
    assert weighing.weighed == ["standard", "0", "1", "standard", "2", "standard", "3", "4", "standard", "5"]
    assert [run.good for run in stored_standards(weighing.reader)] == [True, False, True, True]
    assert marked(weighing) == [0, 1, 2], "what was measured after the good one is not in doubt"
    assert stored_requests(weighing.reader) == []
    with pytest.raises(CampaignError, match="is no station"):
        list(repeat_standards(["scales"], weighing.url, "adjusted"))


def test_trials_in_doubt_are_withdrawn_where_the_lab_file_wants_that_until_somebody_lets_them_count(
    tmp_path: Path,
) -> None:
    weighing = Weighing(tmp_path, "every_trials: 2\n      then: flag\n      doubtful: withdraw")
    weighing.drift_at = 1
    weighing.adjusts = False
    states = [trial.state for trial in weighing.run().trials]
    assert states == [TrialState.WITHDRAWN] * 4
    assert "calibration standard: the standard of balance was off: 102.00" in weighing.reader.trial(0).reason
    (asked,) = stored_requests(weighing.reader)
    assert [answer.command for answer in asked.answers] == [
        "station in balance",
        "station recalibrated balance",
        "trial reanalyse 0 1 2 3",
        "station out balance",
    ]
    editor = open_journal_editor(weighing.file, None, "2 mg do not matter")
    told = list(reanalyse(editor, ["0-3"]))
    assert [trial.state for trial in weighing.reader.trials()] == [TrialState.COMPLETED] * 4, told
    weighing.run()
    assert [trial.state for trial in weighing.reader.trials()] == [TrialState.COMPLETED] * 4


def marked(weighing: Weighing) -> list[int]:
    """Return the trials that 'athanor trials' marks as in doubt."""
    output = CliRunner().invoke(app, ["trials", str(weighing.file), "--csv"]).output
    return [int(row.partition(",")[0]) for row in output.splitlines() if "in doubt: the standard" in row]


def test_a_standard_that_gives_nothing_is_off_with_the_reason(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path, "every_trials: 9\n      then: flag\n      analysis_settings: {colour: red}")
    assert weighing.run().finished
    (run,) = stored_standards(weighing.reader)
    assert not run.good
    assert "analysis failed" in run.text
