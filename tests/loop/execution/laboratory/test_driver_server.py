"""A driver in a process of its own: what crashes or hangs there costs the job that it was at, and nothing else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ophyd.utils import DisconnectedError

from campaigns.errors import CampaignError, Problem, SampleError, StepError
from instruments.devices.answer_line import portable
from instruments.devices.driver_process import DriverProcess
from instruments.devices.process_instrument import ProcessInstrument
from instruments.job import Fate, Job
from instruments.run_context import RunContext
from tests.labs import Crew
from tests.loop.execution.built_stations import Floor, StationBuilder, write_module

pytestmark = pytest.mark.slow

OURS = """\
import os
import threading
import time

from bluesky import plan_stubs as bps
from bluesky.plans import count
from ophyd import Component, Signal

from instruments.job_instrument import JobInstrument, Quantity


class Mill(JobInstrument):
    \"\"\"A mill whose jobs are files: it grinds on, whatever becomes of its driver.\"\"\"

    settings = ("speed",)
    speed = Component(Quantity, value=0.0, unit="1/min", limits=(0, 900))
    size = Component(Quantity, value=0.0, unit="µm")

    def has_job(self, token):
        return os.path.exists(token)

    def start(self, token):
        if self.speed.get() == 13:
            time.sleep(60)
        if not self.has_job(token):
            with open(token, "w") as file:
                file.write(str(self.speed.get()))
        self.speed.put(float(open(token).read()))
        self.token.put(token)
        self.state.put("busy")
        threading.Thread(target=self.grind, daemon=True).start()

    def grind(self):
        while self.speed.get() == 300 and not os.path.exists("ground"):
            time.sleep(0.02)
        self.size.put(1000 / self.speed.get())
        self.state.put("done")

    def progress(self):
        return "grinding"


class Valve(Signal):
    def put(self, value, **kwargs):
        super().put(value, **kwargs)


def turn(x, valve):
    valve.put(x)
    yield from bps.null()
    raise RuntimeError("a bug")


def look(x, det):
    print("looking")
    yield from count([det])
    yield from bps.sleep(60 if x > 4 else 0)
"""


Build = Callable[..., Crew[Floor]]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """A function from what a campaign file says of a station to the crew of its lab, with a driver in a process."""
    write_module(tmp_path, "proc_parts", OURS, monkeypatch)
    monkeypatch.chdir(tmp_path)
    builder = StationBuilder("place", tmp_path / "test.lab")

    def make(context: RunContext | None = None, **config: Any) -> Crew[Floor]:
        crew = builder.build({"kind": "device", "process": True} | config, context)
        assert isinstance(crew.lab.stage, ProcessInstrument)
        return crew

    yield make
    builder.close()


def job(number: int, **recipe: Any) -> Job:
    return Job(number, "place", 1, f"t{number}", str(number), None, recipe, 30.0)


def kill(crew: Crew[Floor]) -> None:
    """Kill the driver's process once it is at a job."""
    driver = crew.lab.stage._driver
    assert isinstance(driver, DriverProcess)
    assert driver.pid is not None
    os.kill(driver.pid, signal.SIGKILL)


def until(holds: Callable[[], bool]) -> None:
    ends = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.02)


def test_a_job_outlasts_the_driver_that_is_killed_and_one_that_hangs_costs_its_job(built: Build) -> None:
    crew = built(device="proc_parts:Mill", response_timeout="4 s")
    mill = crew.lab.stage
    assert (mill.unit_of("speed"), mill.limits.ranges) == ("1/min", {"speed": (0, 900)})
    crew.submit(job(1, speed=300.0))
    until(lambda: Path("t1").exists() and mill.state.get() == "busy")
    kill(crew)
    until(lambda: mill.state.get() != "busy")
    Path("ground").touch()
    result = crew.wait()
    assert result.ok, result.error
    data = crew.events()[0]["data"]
    assert (data["place_speed"], data["place_size"], data["place_token"]) == (300.0, pytest.approx(10 / 3), "t1")
    hung = crew.run(job(2, speed=13.0))[0]
    assert (hung.ok, hung.fate) == (False, Fate.UNKNOWN)
    assert "does not know job t2" in (hung.error or "")
    assert crew.run(job(3, speed=500.0))[0].ok


def test_a_plan_is_heard_of_and_one_that_is_killed_leaves_an_uncertain_job(built: Build, tmp_path: Path) -> None:
    heard: list[tuple[str, dict[str, Any]]] = []
    context = RunContext({"campaign": "test"}, iter([41, 42]).__next__, lambda name, body: heard.append((name, body)))
    crew = built(
        context,
        kind="plan",
        plan="proc_parts:look",
        devices={"det": {"device": "ophyd.sim:noisy_det"}},
        setpoints={"x": {"unit": "mm", "limits": [0, 5]}},
    )
    assert crew.run(job(1, x=1.0))[0].ok
    assert [name for name, _ in heard] == ["start", "descriptor", "event", "stop"]
    assert (heard[0][1]["scan_id"], heard[0][1]["campaign"], heard[0][1]["sample"]) == (41, "test", "1")
    assert [name for name, _ in crew.lab.stage.documents("t1")] == [name for name, _ in heard]
    assert "looking" in (tmp_path / "test.drivers" / "place.log").read_text()
    crew.submit(job(2, x=5.0))
    until(lambda: len(heard) == 8)
    kill(crew)
    lost = crew.wait()
    assert (lost.ok, lost.fate) == (False, Fate.UNKNOWN)
    assert "nobody can tell how far job t2 came" in (lost.error or "")


def test_what_a_plan_has_set_between_its_messages_is_not_repeated(built: Build) -> None:
    devices = {"valve": {"device": "proc_parts:Valve"}}
    crew = built(
        kind="plan", plan="proc_parts:turn", devices=devices, setpoints={"x": {"unit": "mm", "limits": [0, 5]}}
    )
    failed = crew.run(job(1, x=1.0))[0]
    assert (failed.ok, failed.fate) == (False, Fate.UNKNOWN)
    assert "a bug" in (failed.error or "")


def test_errors_cross_to_another_process_as_they_are_or_in_words() -> None:
    assert isinstance(portable(SampleError("it has melted")), SampleError)
    silent = portable(DisconnectedError("oven is disconnected"))
    assert (type(silent), str(silent)) == (ConnectionError, "DisconnectedError: oven is disconnected")
    assert type(portable(TimeoutError("no answer"))) is TimeoutError
    missing = portable(CampaignError([Problem("stations.place", "states no limits")]))
    assert isinstance(missing, CampaignError)
    assert missing.problems[0].where == "stations.place"
    with pytest.raises(KeyError) as caught:
        dict[str, int]()["a bug"]
    told = portable(caught.value)
    assert isinstance(told, StepError)
    assert "the driver raised KeyError: 'a bug'" in str(told)
