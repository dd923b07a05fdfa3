"""A plan of one's own for several samples: one run, an event for each, and what is wrong with one costs that one."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from campaigns.values import Cause
from instruments.devices.driver_process import DriverProcess
from instruments.devices.process_instrument import ProcessInstrument
from instruments.job import Fate, Job, LoadMember
from instruments.load_columns import of_place
from instruments.places import failed_members
from tests.labs import Crew
from tests.loop.execution.built_stations import Floor, StationBuilder, write_module

pytestmark = pytest.mark.slow

PLANS = """\
from collections.abc import Sequence
from pathlib import Path

from bluesky import plan_stubs as bps
from bluesky import plans as bp
from bluesky import preprocessors as bpp
from bluesky.utils import MsgGenerator
from ophyd import Signal

from campaigns.errors import SampleError, StepError
from instruments.load_samples import LoadSample

BEGUN = Path(__file__).with_name("begun")


@bpp.run_decorator(md={"plan_name": "anneal"})
def anneal(heat: float, samples: Sequence[LoadSample], stage, det, token) -> MsgGenerator[None]:
    with BEGUN.open("a") as file:
        file.write(f"{token} {heat} {[one.id for one in samples]}\\n")
    for sample in samples:
        dose = sample.settings["dose"]
        if dose == 4:
            raise RuntimeError("a bug")
        yield from bps.mv(stage, dose)
        if dose == 1:
            yield from sample.fail(SampleError("it is cracked"))
        elif dose == 2:
            yield from sample.fail(StepError("the gripper slipped"))
        elif dose != 3:
            yield from sample.mark(bps.trigger_and_read([det, stage]))
        while dose == 5 and not BEGUN.with_name("go").exists():
            yield from bps.sleep(0.02)


def series(heat, samples: list[LoadSample], stage, det):
    log = Signal(name="log", value=20.0)
    yield from bp.count([log])
    for sample in samples:
        yield from sample.mark(bp.count([det], num=2))


@bpp.run_decorator()
def astray(heat, samples, stage, det):
    yield from bps.trigger_and_read([Signal(name="place", value=3), det])


@bpp.run_decorator()
def hiding(heat, samples, stage, det):
    state = Signal(name="state", value="open")
    for sample in samples:
        yield from sample.mark(bps.trigger_and_read([state]))


def cracked(heat, samples, stage, det):
    yield from bps.mv(stage, 2)
    raise SampleError("one is cracked")


def forgetful(heat, samples, stage, det):
    yield from bp.count([det])
"""
Build = Callable[..., Crew[Floor]]


@pytest.fixture(params=[False, True], ids=["here", "process"])
def built(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """A function from the name of a plan to the crew of its lab, with and without a process of its own."""
    write_module(tmp_path, "loaded_plans", PLANS, monkeypatch)
    builder = StationBuilder("bench", tmp_path / "test.lab")

    def make(plan: str = "anneal") -> Crew[Floor]:
        return builder.build(
            {
                "kind": "plan",
                "plan": f"loaded_plans:{plan}",
                "devices": {"stage": {"device": "ophyd.sim:motor"}, "det": {"device": "ophyd.sim:det"}},
                "setpoints": {"heat": {"unit": "degC", "limits": [0, 900]}, "dose": {"unit": "g", "limits": [0, 9]}},
                "units": {"det": "1/s"},
                "capacity": 3,
                "shared": ["heat"],
                "process": request.param,
            }
        )

    yield make
    builder.close()


def load(*doses: float, name: str = "t") -> Job:
    """A load of a sample of each dose; its second place stays empty."""
    members = tuple(
        LoadMember(7 + i, 1, f"{name}-{i}", str(7 + i), None, place, {"dose": dose})
        for i, (dose, place) in enumerate(zip(doses, (1, 3), strict=False))
    )
    return Job(7, "bench", 1, f"{name}-load", "7", None, {"heat": 500.0}, 30.0, members=members)


def of(crew: Crew[Floor], place: int) -> dict[str, Any]:
    """What the analysis of the sample at a place gets."""
    return of_place("bench", place, crew.events()[-1]["data"])


def ends(crew: Crew[Floor], job: Job) -> dict[str, str]:
    return failed_members("bench", job.members, crew.events()[-1]["data"])


def test_a_plan_runs_once_and_each_sample_has_its_own_event(built: Build, tmp_path: Path) -> None:
    crew, job = built(), load(0.0, 9.0)
    result = crew.run(job)[0]
    assert result.ok, result.error
    assert (tmp_path / "begun").read_text() == "t-load 500.0 ['7', '8']\n"
    assert [of(crew, place)["bench_motor"] for place in (1, 3)] == [0.0, 9.0]
    assert [of(crew, place)["bench_dose"] for place in (1, 3)] == [0.0, 9.0]
    assert of(crew, 1)["bench_det"] == pytest.approx(1.0)
    assert "bench_det" not in of(crew, 2)
    assert ends(crew, job) == {}
    (keys,) = [document["data_keys"] for _, name, document in crew.documents if name == "descriptor"]
    assert of_place("bench", 3, keys)["bench_det"]["units"] == "1/s"
    documents = crew.lab.stage.documents("t-load")
    assert [name for name, _ in documents] == ["start", "descriptor", "event", "event", "stop"]
    assert [one["sample"] for one in documents[0][1]["load"]] == ["7", "8"]


@pytest.mark.parametrize(
    ("dose", "said"),
    [
        (1.0, "SampleError: bench: place 1 is sample failed: it is cracked"),
        (2.0, "StepError: bench: place 1 is fault: the gripper slipped"),
        (3.0, "StepError: bench: place 1 is fault: the plan gave no event of this sample"),
    ],
)
def test_a_sample_that_failed_or_of_which_nothing_is_said_costs_itself(built: Build, dose: float, said: str) -> None:
    crew, job = built(), load(dose, 9.0)
    result = crew.run(job)[0]
    assert result.ok, result.error
    assert ends(crew, job) == {"t-0": said}
    assert of(crew, 3)["bench_motor"] == 9.0


def test_several_events_of_a_sample_are_columns_and_what_is_nobodys_is_everybodys(built: Build) -> None:
    crew, job = built("series"), load(0.0, 9.0)
    assert crew.run(job)[0].ok
    assert ends(crew, job) == {}
    assert [len(of(crew, place)["bench_det"]) for place in (1, 3)] == [2, 2]
    assert [of(crew, place)["bench_log"] for place in (1, 3)] == [20.0, 20.0]


@pytest.mark.parametrize(
    ("plan", "fate", "said"),
    [
        ("anneal", Fate.UNKNOWN, "RuntimeError: a bug"),
        ("astray", Fate.UNKNOWN, "gave an event of place 3, where no sample stands"),
        ("hiding", Fate.UNKNOWN, "reads state, which is what a place says of its sample; rename the signal"),
        ("cracked", Fate.OVER, "one is cracked"),
    ],
)
def test_a_plan_that_fails_as_a_whole_speaks_of_no_sample(built: Build, plan: str, fate: Fate, said: str) -> None:
    crew = built(plan)
    whole = load(9.0, 4.0)
    job = whole if plan != "astray" else replace(whole, members=whole.members[:1])
    result = crew.run(job)[0]
    assert (result.ok, result.cause, result.fate) == (False, Cause.LAB, fate)
    assert said in (result.error or "")


def test_events_without_a_place_are_no_sign_of_any_sample(built: Build) -> None:
    crew, job = built("forgetful"), load(9.0, 8.0)
    assert crew.run(job)[0].ok
    assert len(ends(crew, job)) == 2


def test_what_was_done_is_remembered_and_begun_once(built: Build, tmp_path: Path) -> None:
    job = load(2.0, 9.0)
    assert built().run(job)[0].ok
    again = built()
    result = again.run(replace(job, adopt=True))[0]
    assert result.ok, result.error
    assert ends(again, job) == {"t-0": "StepError: bench: place 1 is fault: the gripper slipped"}
    assert of(again, 3)["bench_motor"] == 9.0
    assert len((tmp_path / "begun").read_text().splitlines()) == 1


@pytest.mark.parametrize("built", [True], indirect=True, ids=["process"])
def test_a_driver_that_is_killed_leaves_all_of_its_load_uncertain(built: Build, tmp_path: Path) -> None:
    crew = built()
    stage = crew.lab.stage
    assert isinstance(stage, ProcessInstrument)
    assert isinstance(stage._driver, DriverProcess)
    crew.submit(load(5.0, 9.0))
    while not (tmp_path / "begun").exists():
        time.sleep(0.02)
    assert stage._driver.pid is not None
    os.kill(stage._driver.pid, signal.SIGKILL)
    result = crew.wait()
    assert (result.ok, result.fate) == (False, Fate.UNKNOWN)
    assert "nobody can tell how far job t-load came" in (result.error or "")
    assert crew.run(load(8.0, name="u"))[0].ok
