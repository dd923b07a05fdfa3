import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ophyd import EpicsSignal

from campaigns.errors import LimitError
from campaigns.values import Cause
from instruments.devices import epics_furnace
from instruments.devices.epics_furnace import EpicsFurnace
from instruments.devices.epics_signal import Channel
from instruments.job import Fate, Job, LoadMember
from instruments.load_columns import of_place
from instruments.places import failed_members
from simulators.epics_lab import EpicsLab, FurnaceServer, unused_port
from simulators.shared_state import Places
from tests.labs import Crew, LinePhysics, job, setup

QUICK = {"temperature": 500.0, "time": 1.0, "ramp_rate": 20.0}
SLOW = {"temperature": 500.0, "time": 100.0, "ramp_rate": 20.0}


@pytest.fixture
def crew(tmp_path: Path) -> Iterator[Crew[EpicsLab]]:
    crew = Crew(EpicsLab(setup(tmp_path), LinePhysics(), speed=36000.0))
    yield crew
    crew.close()


def begin(crew: Crew[EpicsLab], **changes: Any) -> EpicsFurnace:
    """Submit a job and return when the furnace is at it and the station waits."""
    oven = crew.lab.instrument("oven")
    crew.submit(job("oven", **changes))
    until(lambda: "500 degC" in oven.progress())
    return oven


def until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.001)


def events(crew: Crew[EpicsLab]) -> list[dict[str, Any]]:
    return [event["data"] for event in crew.events()]


@pytest.mark.slow
def test_the_same_plan_makes_a_sample_over_channel_access_that_others_can_measure(crew: Crew[EpicsLab]) -> None:
    made, seen = crew.run(job("oven", recipe=QUICK), job("xrd"))
    assert (made.ok, made.error) == (True, None)
    assert seen.ok
    data = events(crew)[0]
    assert data["oven_token"] == made.job.token
    assert data["oven_soak_mean_temperature"] == pytest.approx(500.0, abs=2.0)
    assert data["oven_profile_temperature"][-1] < 60.0
    (entry, _) = crew.lab.ledger
    assert entry.recipe["temperature"] == data["oven_soak_mean_temperature"]
    keys = {k: v for _, name, d in crew.documents if name == "descriptor" for k, v in d["data_keys"].items()}
    assert (keys["oven_temperature"]["units"], keys["oven_profile_time"]["units"]) == ("degC", "s")


def test_limits_choices_and_interlocks_come_from_the_server(crew: Crew[EpicsLab]) -> None:
    oven = crew.lab.instrument("oven")
    assert oven.limits.ranges["temperature"] == (100.0, 1200.0)
    assert oven.limits.choices["atmosphere"] == ("air", "oxygen", "argon")
    assert oven.readback.limits == (0, 0)
    hot, steam = crew.run(
        job("oven", recipe=QUICK | {"temperature": 1300.0}), job("oven", recipe={**QUICK, "time": 0.0})
    )
    oven.door.set("open").wait(10)
    (ajar,) = crew.run(job("oven", recipe=QUICK))
    assert "temperature got 1300.0; allowed: 100 to 1200" in hot.error
    assert "time got 0.0; allowed: 0.1 to 100" in steam.error
    assert "door is 'open'; allowed: 'closed'" in ajar.error
    assert not any(result.dispatched for result in (hot, steam, ajar))
    assert oven.state.get() == "idle"


@pytest.fixture
def hasty(crew: Crew[EpicsLab], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the server count as silent sooner while it is at a job, so that tests need not wait for longer."""
    monkeypatch.setattr(epics_furnace, "PATIENCE", 0.3)
    for name in ("phase", "state", "token"):
        monkeypatch.setattr(getattr(crew.lab.instrument("oven"), name), "_timeout", 0.3)


@pytest.mark.slow
def test_a_silent_server_is_waited_for_while_others_work_and_the_job_goes_on(hasty: None, crew: Crew[EpicsLab]) -> None:
    (first,) = crew.run(job("oven", trial=4, recipe=QUICK))
    assert first.ok, first.error
    begin(crew, recipe=QUICK | {"time": 10.0})
    crew.lab.server.silence()
    until(lambda: crew.stations["oven"].describe() == "oven trial 3: disconnected")
    (seen,) = crew.run(job("xrd", trial=4))
    assert seen.ok, "the others are looked after meanwhile"
    crew.lab.server.resume()
    made = crew.wait()
    assert (made.ok, made.error) == (True, None)
    assert [data["oven_token"] for data in events(crew) if "oven_token" in data] == ["t4-oven", "t3-oven"]
    assert not crew.lab.instrument("oven").silence


@pytest.mark.slow
def test_a_job_that_a_silent_server_was_told_of_is_found_by_its_token(crew: Crew[EpicsLab], hasty: None) -> None:
    oven = crew.lab.instrument("oven")
    crew.submit(job("oven", recipe=QUICK, dispatch=crew.lab.server.silence))
    until(lambda: bool(oven.silence))
    crew.lab.server.resume()
    made = crew.wait()
    assert (made.ok, made.error) == (True, None)
    assert [data["oven_token"] for data in events(crew)] == ["t3-oven"]


@pytest.mark.slow
def test_a_server_that_stays_silent_costs_its_job_when_the_time_of_that_is_over(
    crew: Crew[EpicsLab], hasty: None
) -> None:
    begin(crew, recipe=SLOW, timeout=90_000.0)
    crew.lab.server.kill()
    result = crew.wait()
    assert re.match(r"oven did not end within [\d.]+ h of lab time, and does not answer \(\w+:", result.error)
    assert (result.dispatched, result.cause) == (True, Cause.LAB)
    assert result.fate in (Fate.UNKNOWN, Fate.UNDER_WAY), "silent or gone, as the link ends: nobody can tell"
    assert events(crew) == []


@pytest.mark.slow
def test_a_server_that_comes_back_cold_is_never_a_success(crew: Crew[EpicsLab]) -> None:
    oven = begin(crew, recipe=SLOW)
    port = crew.lab.server.port
    crew.lab.server.kill()
    crew.lab.server = FurnaceServer([oven.prefix], 36000.0, port)
    result = crew.wait()
    assert not result.ok
    oven.wait_for_connection(timeout=20)
    (adopted,) = crew.run(job("oven", recipe=SLOW, adopt=True))
    assert adopted.error.startswith("oven does not know job t3-oven")
    assert events(crew) == []


@pytest.mark.slow
def test_a_dead_server_states_no_limits_so_that_nothing_moves(crew: Crew[EpicsLab]) -> None:
    oven, gone = crew.lab.instrument("oven"), threading.Event()
    oven.temperature.subscribe(
        lambda connected, **_: None if connected else gone.set(), event_type=oven.temperature.SUB_META
    )
    crew.lab.server.kill()
    assert gone.wait(20)
    (result,) = crew.run(job("oven", recipe=QUICK))
    assert result.error.startswith("oven: the limits of")
    assert "cannot be read (got 0 to 0)" in result.error
    assert not result.dispatched


@pytest.mark.slow
def test_a_running_job_is_adopted_by_its_token_and_not_begun_again(crew: Crew[EpicsLab]) -> None:
    longer = QUICK | {"time": 10.0}
    oven = begin(crew, recipe=longer)
    crew.stations["oven"].abort("look elsewhere")
    aborted = crew.wait()
    assert aborted.error == "aborted: look elsewhere"
    assert oven.has_job("t3-oven")
    adopted, other = crew.run(job("oven", recipe=longer, adopt=True), job("oven", trial=4, recipe=QUICK))
    assert adopted.ok
    assert other.ok
    assert [data["oven_token"] for data in events(crew)] == ["t3-oven", "t4-oven"]


@pytest.mark.slow
def test_a_furnace_gives_up_its_program_when_it_is_told_to(crew: Crew[EpicsLab]) -> None:
    oven = begin(crew, recipe=SLOW)
    oven.halt("the door is open")
    result = crew.wait()
    assert (result.ok, result.error) == (False, "oven: fault: stopped by command")
    assert oven.has_finished(result.job.token)


@pytest.fixture
def tray(tmp_path: Path) -> Iterator[Crew[EpicsLab]]:
    """A lab whose oven takes three crucibles, and whose cycler takes one sample."""
    crew = Crew(EpicsLab(replace(setup(tmp_path), places={"oven": Places(3)}), LinePhysics(), speed=36000.0))
    yield crew
    crew.close()


def load(trial: int = 3, **changes: Any) -> Job:
    """A load of two crucibles, each with its excess of lithium; the second place stays empty."""
    own = [{"lithium_excess": 4.0}, {"lithium_excess": 8.0}]
    members = tuple(
        LoadMember(trial + i, 1, f"t{trial}-{i}", str(trial + i), "LiCoO2", place, own[i])
        for i, place in enumerate((1, 3))
    )
    return job("oven", trial, recipe=QUICK, members=members, **changes)


@pytest.mark.slow
def test_crucibles_share_a_program_over_channel_access_and_a_bad_one_costs_itself(tray: Crew[EpicsLab]) -> None:
    oven = tray.lab.instrument("oven")
    contact = EpicsSignal(f"{oven.prefix}Place3:Contact", name="contact", string=True)
    contact.wait_for_connection(timeout=20)
    contact.put("open", wait=True)
    (made,) = tray.run(load())
    contact.destroy()
    assert (made.ok, made.error) == (True, None)
    (data,) = events(tray)
    assert failed_members("oven", made.job.members, data) == {"t3-1": "StepError: oven: place 3 is fault: no contact"}
    assert [of_place("oven", place, data)["oven_lithium_excess"] for place in (1, 3)] == [4.0, 8.0]
    assert of_place("oven", 1, data)["oven_soak_mean_temperature"] == pytest.approx(500.0, abs=2.0)
    assert data["oven_place2_state"] == "empty"
    (keys,) = [document["data_keys"] for _, name, document in tray.documents if name == "descriptor"]
    assert keys["oven_place1_lithium_excess"]["units"] == "percent"
    (entry,) = tray.lab.ledger
    assert [(one.sample, one.recipe["lithium_excess"]) for one in entry.samples] == [("3", 4.0), ("4", 8.0)]
    again = tray.run(load(5), job("xrd", 5))
    assert [one.ok for one in again] == [True, True], "the furnace goes on, and others know its samples"


@pytest.mark.slow
def test_a_load_over_channel_access_is_adopted_by_its_token_and_not_begun_again(tray: Crew[EpicsLab]) -> None:
    longer = replace(load(), recipe=QUICK | {"time": 10.0})
    tray.submit(longer)
    oven = tray.lab.instrument("oven")
    until(lambda: "500 degC" in oven.progress())
    tray.stations["oven"].abort("look elsewhere")
    assert tray.wait().error == "aborted: look elsewhere"
    (adopted,) = tray.run(replace(longer, adopt=True))
    assert (adopted.ok, adopted.error) == (True, None)
    (data,) = events(tray)
    assert [data[f"oven_place{place}_token"] for place in (1, 3)] == ["t3-0", "t3-1"]
    assert [data[f"oven_place{place}_state"] for place in (1, 2, 3)] == ["done", "empty", "done"]


@pytest.mark.slow
def test_the_server_dies_with_a_parent_that_is_killed() -> None:
    program = (
        "from simulators.epics_lab import FurnaceServer, unused_port\n"
        "server = FurnaceServer(['a:'], 1.0, unused_port())\n"
        "print(server._process.pid, flush=True)\n"
        "input()\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pid = int(parent.stdout.readline())
    watch = os.pidfd_open(pid)
    os.kill(parent.pid, signal.SIGKILL)
    parent.communicate()
    try:
        assert select.select([watch], [], [], 20)[0], "the server outlives its parent"
    finally:
        os.close(watch)


def test_an_unused_port_is_free() -> None:
    assert unused_port() != 5064


def test_a_server_in_another_unit_than_its_driver_is_refused(crew: Crew[EpicsLab]) -> None:
    oven = crew.lab.instrument("oven")
    assert oven.check_units()["temperature"] == oven.unit_of("temperature") == "degC"
    other = Channel(oven.temperature.pvname, name="other", unit="K")
    silent = Channel(oven.temperature.pvname, name="silent")
    for each in (other, silent):
        each.wait_for_connection(timeout=5)
    assert silent.unit == "degC"
    with pytest.raises(LimitError, match="other is in 'degC' by its server, and its driver is written for K"):
        _ = other.unit
    assert other.describe()["other"]["units"] == "degC"
