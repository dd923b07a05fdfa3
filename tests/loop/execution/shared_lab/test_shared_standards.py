"""A station's standard is measured once for all campaigns on a lab file; one that is off holds all of them."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import pytest

from campaigns.decisions import StationMode
from campaigns.errors import StoreError
from campaigns.values import TrialState
from loop.cli.station_orders import set_stations
from loop.core.records import TrialRecord
from loop.storage.artefacts import STANDARD_RUN, WAITS
from loop.storage.reader import Reader
from tests.shared_labs import conducted, served, until

pytestmark = pytest.mark.slow

SCALES = """\
from pathlib import Path

from ophyd import Component

from campaigns.values import Measurement, MetricValue
from instruments.job_instrument import JobInstrument, Quantity

HERE = Path(__file__).parent


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
            self.clock.call_later(0.02, self._end, self.name)

    def _end(self):
        with (HERE / "weighed").open("a") as file:
            file.write(self.sample.get() + "\\n")
        self.shown.put(20 * self.load.get() + 50 * (HERE / "drift").exists())
        self.state.put("done")


def mass(data, context):
    return Measurement({"mass": MetricValue(data["shown"], 0.1, "mg")})
"""
LAB = """\
lab: {kind: real}
stations:
  balance:
    kind: device
    device: "shared_scales:Scales"
    standard:
      recipe: {load: 5}
      analysis: "shared_scales:mass"
      metric: mass
      unit: mg
      value: 0.1 g
      tolerance: 500 µg
      every_trials: 3
      timeout: 1 min
"""
CAMPAIGN = """\
name: NAME
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
    analysis: "shared_scales:mass"
    gives: [mass]
    timeout: 1 min
budget: {trials: 3}
"""


class Weighing:
    """Two campaigns on one balance, side by side."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "lab.yaml").write_text(LAB, encoding="utf-8")
        (folder / "shared_scales.py").write_text(SCALES, encoding="utf-8")
        self.found: dict[str, tuple[TrialRecord, ...]] = {}
        self._runs = [threading.Thread(target=self.run, args=(name,)) for name in ("red", "blue")]

    def start(self) -> None:
        for one in self._runs:
            one.start()

    def end(self) -> None:
        for one in self._runs:
            one.join(60)
        assert [t.state for trials in self.found.values() for t in trials] == [TrialState.COMPLETED] * 6

    @property
    def standards(self) -> int:
        """How often the standard was weighed."""
        return (self.folder / "weighed").read_text().split().count("standard")

    def reader(self, name: str) -> Reader:
        return Reader(f"sqlite:///{self.folder / name}.db")

    def is_held(self, name: str) -> bool:
        """Return whether a campaign waits as the standard is off."""
        try:
            reason = str(self.reader(name).artefacts(WAITS).get("balance", {}).get("reason", ""))
        except StoreError:  # there is none yet
            return False
        return reason.startswith("its standard is off: 150")

    def run(self, name: str) -> None:
        file = self.folder / f"{name}.yaml"
        file.write_text(CAMPAIGN.replace("NAME", name), encoding="utf-8")
        self.found[name] = conducted(file)


def test_the_jobs_of_all_campaigns_count_and_one_measures_for_all(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path)
    with served(tmp_path):
        weighing.start()
        weighing.end()
        for name in (
            "red",
            "blue",
        ):  # one may have ended before the second standard, and reads of it when it runs again
            weighing.run(name)
    assert weighing.standards == 2, "at first, and after three of six jobs"
    assert [len(weighing.reader(name).artefacts(STANDARD_RUN)) for name in ("red", "blue")] == [2, 2]


def test_a_standard_that_is_off_holds_all_until_somebody_tells_one_of_them(tmp_path: Path) -> None:
    weighing = Weighing(tmp_path)
    (tmp_path / "drift").touch()
    with served(tmp_path):
        weighing.start()
        for name in ("red", "blue"):
            until(partial(weighing.is_held, name))
        (tmp_path / "drift").unlink()
        list(set_stations(["balance"], f"sqlite:///{tmp_path}/red.db", "it was levelled", StationMode.IN))
        weighing.end()
    assert weighing.standards == 3, "off, right, and after three of six jobs"


def test_what_a_campaign_measured_before_another_found_the_station_off_is_in_doubt_when_it_runs_again(
    tmp_path: Path,
) -> None:
    weighing = Weighing(tmp_path)
    flagged = LAB.replace("every_trials: 3", "every_trials: 3\n      then: flag\n      doubtful: withdraw")
    (tmp_path / "lab.yaml").write_text(flagged, encoding="utf-8")
    for name in ("red", "blue"):
        (tmp_path / f"{name}.yaml").write_text(CAMPAIGN.replace("NAME", name), encoding="utf-8")
    conducted(tmp_path / "red.yaml")
    (tmp_path / "drift").touch()
    found = conducted(tmp_path / "blue.yaml")
    assert [trial.state for trial in found] == [TrialState.WITHDRAWN] * 3
    assert [trial.state for trial in conducted(tmp_path / "red.yaml")] == [TrialState.WITHDRAWN] * 3
    assert weighing.standards == 2
