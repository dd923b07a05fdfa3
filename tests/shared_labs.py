"""A laboratory of one oven that two campaigns share: the oven goes on whatever becomes of who drives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from campaigns.errors import StoreError
from campaigns.load import load_campaign
from campaigns.user_code.module_files import open_folder
from loop.core.events import Event
from loop.core.records import TrialRecord
from loop.execution.options import RunOptions
from loop.execution.session import CampaignResources
from loop.execution.shared_lab.lab_process import run_lab
from loop.execution.shared_lab.socket_file import is_served
from loop.planning.planner import Planner
from loop.planning.pool_data import build_encoder
from loop.run import conduct
from loop.storage.artefacts import WAITS
from loop.storage.reader import Reader
from tests.forks import Program, athanor

OVEN = """\
import json
import threading
import time
from pathlib import Path

from ophyd import Component

from instruments.job_instrument import JobInstrument, Quantity

JOBS = Path(__file__).parent / "jobs"
SLOW = JOBS / "slow"


class Oven(JobInstrument):
    settings = ("temperature",)
    temperature = Component(Quantity, value=0.0, unit="degC", limits=(0, 1000))
    mass = Component(Quantity, value=0.0, unit="g")

    def __init__(self, prefix="", *, seconds=0.05, **kwargs):
        super().__init__(prefix, **kwargs)
        self.seconds = seconds
        JOBS.mkdir(exist_ok=True)

    def job(self, token):
        return json.loads((JOBS / token).read_text())

    def has_job(self, token):
        return (JOBS / token).exists()

    def never_began(self, token):
        return not self.has_job(token)

    def is_over(self, token):
        return time.time() > self.job(token)["began"] + self.seconds and not SLOW.exists()

    def start(self, token):
        if not self.has_job(token):
            if under_way := [one.name for one in JOBS.glob("*-heat-*") if not self.is_over(one.name)]:
                raise SystemError(f"the oven is at {under_way}")
            settings = {"temperature": self.temperature.get(), "began": time.time()}
            (JOBS / token).write_text(json.dumps(settings))
            with (JOBS / "begun").open("a") as file:
                file.write(f"{token}\\n")
        self.temperature.put(self.job(token)["temperature"])
        self.token.put(token)
        self.state.put("busy")
        threading.Thread(target=self.wait, args=(token,), daemon=True).start()

    def wait(self, token):
        while not self.is_over(token):
            time.sleep(0.01)
        self.mass.put(100 - (self.temperature.get() - 400) ** 2 / 1e4)
        self.state.put("done")

    def progress(self):
        return str(self.state.get())
"""
LAB = """\
lab: {kind: real}
stations:
  oven:
    kind: device
    device: "oven:Oven"
    limits: {temperature: {unit: degC, low: 50, high: 950}}
"""
CAMPAIGN = """\
name: NAME
seed: 1
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 100, high: 900}
metrics:
  mass: {kind: measured, unit: g}
objective:
  terms:
    - {goal: maximise, metric: mass, scale: 10}
planner: {initial: 9}
lab: {kind: file, path: lab.yaml}
workflow:
  - name: heat
    stations: [oven]
    recipe: {temperature: $temperature}
    analysis: instruments.analyses.plain_readings:metrics
    analysis_settings: {signals: {mass: mass}, uncertainty: {mass: 0.01}}
    gives: [mass]
    timeout: 1 min
budget: {trials: 3}
"""


def write_shared_lab(folder: Path, *campaigns: str) -> None:
    """Write a lab file, the module of its oven, and campaigns on it."""
    (folder / "oven.py").write_text(OVEN, encoding="utf-8")
    (folder / "lab.yaml").write_text(LAB, encoding="utf-8")
    for name in campaigns:
        (folder / f"{name}.yaml").write_text(CAMPAIGN.replace("NAME", name), encoding="utf-8")


class SharedLab:
    """A folder with a lab file and campaigns on it, and the processes that were started there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._started = folder, list[Program]()

    def start(self, *words: str) -> Program:
        """Start a command in the folder."""
        self._started.append(athanor(self.folder, *words))
        return self._started[-1]

    def open(self) -> Program:
        """Start the lab process, and return it once campaigns can attach."""
        process = self.start("lab", "run", "lab.yaml")
        until(lambda: is_served(self.folder / "lab.yaml"))
        return process

    def close(self) -> None:
        """End what is still running, as after a test that fails."""
        for one in self._started:
            one.close()

    @property
    def begun(self) -> list[str]:
        """The tokens of the jobs that the oven has begun, in order."""
        file = self.folder / "jobs" / "begun"
        return file.read_text(encoding="utf-8").split() if file.exists() else []

    def stored(self, campaign: str) -> Reader:
        """Return the store of a campaign."""
        return Reader(f"sqlite:///{self.folder / campaign}.db")

    def waits(self, campaign: str) -> str:
        """Return why the oven has to be waited for, by the store of a campaign; empty if it says nothing."""
        try:
            return str(self.stored(campaign).artefacts(WAITS).get("oven", {}).get("reason", ""))
        except StoreError:  # there is none yet
            return ""


@contextmanager
def served(folder: Path) -> Iterator[None]:
    """Serve the lab file of a folder, in this process."""
    stop, abort = threading.Event(), threading.Event()
    process = threading.Thread(target=run_lab, args=(folder / "lab.yaml", lambda _: None, stop, abort))
    process.start()
    try:
        until(lambda: is_served(folder / "lab.yaml"))
        yield
    finally:
        abort.set()
        process.join()


def conducted(file: Path, on_event: Callable[[Event], None] = lambda _: None) -> tuple[TrialRecord, ...]:
    """Run the campaign of a file to its end, in this process; return its trials."""
    campaign = load_campaign(file)
    open_folder(file.parent)
    parts = CampaignResources(campaign, None, Planner(campaign, build_encoder(campaign, None), ()))
    options = RunOptions(f"sqlite:///{file.with_suffix('.db')}", file.read_text(encoding="utf-8"))
    return conduct(parts, options, on_event).trials


def until(holds: Callable[[], object]) -> None:
    """Wait for a condition, and end at once."""
    ends = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)
