"""Devices and plans that a campaign file names, made into stations: what a job comes to, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import CampaignError, LabError
from campaigns.values import Cause
from instruments.job import Fate, Job, StepResult
from tests.labs import Crew
from tests.loop.execution.built_stations import Floor, StationBuilder, write_module

OURS = """\
from functools import partial

from bluesky import plan_stubs as bps
from bluesky.plans import list_scan
from bluesky.suspenders import SuspendBoolLow
from bluesky.utils import MsgGenerator
from ophyd import Component, Device, Signal
from ophyd.sim import SynAxis, SynSignal

from campaigns.errors import SampleError

beam = Signal(name="beam", value=1)


class Heater(Device):
    setpoint = Component(Signal, value=20.0)


class Hidden(Signal):
    @property
    def limits(self):
        raise RuntimeError("gone")


class Limitless(Device):
    setpoint = Component(Hidden, value=20.0)


def scan(temperature: float, points: int, heater, detector, token) -> MsgGenerator[None]:
    yield from list_scan([detector], heater.setpoint, [temperature] * points, md={"asked": token})


def silent(temperature, points, heater):
    yield from bps.mv(heater.setpoint, temperature)


def breaking(temperature, points, heater):
    yield from bps.mv(heater.setpoint, temperature)
    raise KeyError("a bug")


def early(temperature, points):
    raise KeyError("a bug")
    yield


def spoilt(temperature, points, heater):
    yield from bps.mv(heater.setpoint, temperature)
    raise SampleError("it has melted")


def runless(temperature, points, heater):
    yield from bps.mv(heater.setpoint, temperature)
    yield from bps.create()


def numbers(temperature, points): return [points] if temperature else bps.null()


def mistyped(temperature, points, heater):
    yield from bps.mv(heater.setpiont, temperature)


def unready(temperature, points):
    raise RuntimeError("no beam")
    yield


def deaf(temperature, points):
    raise KeyError("response")  # caproto, of a circuit that was cut
    yield


async def later(temperature, points): ...


hidden = partial(later)


wrapped = lambda temperature: bps.null()


def nothing(temperature, points, heater): return None if temperature else bps.null()


def needs_beam(): return SuspendBoolLow(beam)
def no_suspender(): return beam
"""
STATION = {
    "kind": "plan",
    "plan": "bound_parts:scan",
    "devices": {"heater": {"device": "bound_parts:Heater"}, "detector": {"device": "ophyd.sim:noisy_det"}},
    "setpoints": {
        "temperature": {"unit": "degC", "limits": [0, 500]},
        "points": {"unit": "1", "limits": [1, 9]},
    },
}


Build = Callable[..., Crew[Floor]]


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Build]:
    """A function from changes of the station to the crew of its lab."""
    write_module(tmp_path, "bound_parts", OURS, monkeypatch)
    builder = StationBuilder("stage", tmp_path / "lab")
    yield lambda **changes: builder.build(STATION | changes)
    builder.close()


def done(crew: Crew[Floor]) -> StepResult:
    crew.submit(Job(3, "heat", 1, "t3", "3", None, {"temperature": 100.0, "points": 3.0}, 30.0), "stage")
    return crew.wait()


def test_a_plan_gets_the_recipe_its_devices_and_the_token_and_its_events_are_one_reading(
    built: Build, tmp_path: Path
) -> None:
    crew = built()
    assert done(crew).ok
    (event,) = crew.events()
    assert event["data"]["stage_heater_setpoint"] == [100.0] * 3
    assert len(event["data"]["stage_noisy_det"]) == 3
    documents = (tmp_path / "lab" / "stage" / "t3.jsonl").read_text()
    assert documents.count('["event"') == 3
    assert '"asked": "t3"' in documents


@pytest.mark.parametrize(
    ("plan", "reason", "finished", "cause"),
    [
        ("silent", "unknown: the plan ended without an event", False, Cause.LAB),
        ("breaking", "unknown: KeyError: 'a bug'", False, Cause.LAB),
        ("spoilt", "it has melted", True, Cause.SAMPLE),
        ("runless", "The plan opens no run: decorate it with bluesky.preprocessors.run_decorator()", False, Cause.LAB),
    ],
)
def test_what_a_plan_leaves_open_is_uncertain_and_what_it_says_of_the_sample_is_not(
    built: Build, plan: str, reason: str, finished: bool, cause: Cause
) -> None:
    crew = built(plan=f"bound_parts:{plan}")
    result = done(crew)
    assert reason in (result.error or "")
    assert (result.dispatched, result.cause) == (True, cause)
    assert crew.lab.stage.has_finished("t3") is finished
    assert not crew.lab.stage.never_began("t3")


@pytest.mark.parametrize(
    ("plan", "reason"),
    [
        (
            "nothing",
            "plan failed: the plan bound_parts:nothing gave a NoneType; needed: messages of Bluesky, by 'yield",
        ),
        ("numbers", "plan failed: the plan bound_parts:numbers gave a float; needed: messages of Bluesky, by 'yield"),
        ("early", "plan failed: KeyError: 'a bug' ("),
        ("mistyped", "plan failed: AttributeError: setpiont ("),
    ],
)
def test_a_mistake_of_a_plan_before_anything_moves_is_told_apart_as_no_other_attempt_mends_it(
    built: Build, plan: str, reason: str
) -> None:
    crew = built(plan=f"bound_parts:{plan}")
    result = done(crew)
    assert reason in (result.error or "")
    assert (result.mistaken, result.cause, result.fate) == (True, Cause.LAB, Fate.NEVER_BEGAN)
    assert crew.lab.stage.never_began("t3")


@pytest.mark.parametrize("plan", ["breaking", "unready", "deaf"])
def test_what_no_plan_is_to_blame_for_or_has_moved_something_is_no_such_mistake(built: Build, plan: str) -> None:
    result = done(built(plan=f"bound_parts:{plan}"))
    assert (result.ok, result.mistaken) == (False, False)


@pytest.mark.parametrize(
    ("plan", "said"), [("hidden", "is async, and Bluesky awaits no plan"), ("wrapped", "cannot be called with")]
)
def test_a_plan_that_cannot_be_called_is_refused_as_the_run_begins(built: Build, plan: str, said: str) -> None:
    with pytest.raises(CampaignError, match=said):
        built(plan=f"bound_parts:{plan}")


def test_no_plan_begins_while_a_suspender_has_tripped(built: Build) -> None:
    crew = built(suspenders=["bound_parts:needs_beam"])
    beam = sys.modules["bound_parts"].beam
    beam.put(0)
    result = done(crew)
    assert (result.ok, result.dispatched) == (False, False)
    assert "beam" in (result.error or "")
    assert "nothing was moved" in (result.error or "")
    beam.put(1)
    assert done(crew).ok


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"suspenders": ["bound_parts:no_suspender"]},
            "bound_parts:no_suspender returned a Signal; needed: a bluesky.suspenders",
        ),
        ({"plan": "bound_parts:absent"}, "bound_parts has no absent"),
        ({"devices": {"heater": {"device": "bound_parts:OURS"}}}, "bound_parts has no OURS"),
    ],
)
def test_what_cannot_be_bound_is_told_where_it_stands(built: Build, changes: Any, said: str) -> None:
    with pytest.raises(CampaignError, match=rf"stations\.stage\..*{said}"):
        built(**changes)


def test_a_device_that_raises_when_it_is_asked_for_its_limits_is_told_with_its_line(built: Build) -> None:
    changes = {
        "kind": "device",
        "plan": None,
        "devices": {"heater": {"device": "bound_parts:Limitless"}},
        "setpoints": {"setpoint": {"unit": "degC", "limits": [0, 500]}},
    }
    said = r"stage: setpoint setpoint cannot be asked what it may be: RuntimeError: gone \(.*bound_parts.py:\d+\)"
    with pytest.raises(LabError, match=said):
        built(**changes)
