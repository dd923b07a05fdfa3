import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import LimitError
from instruments.devices.epics_furnace import EpicsFurnace
from instruments.devices.epics_signal import Channel
from simulators.epics_lab import EpicsLab, FurnaceServer, unused_port
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
    while "500 degC" not in oven.progress():
        time.sleep(0.001)
    return oven


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


def test_a_server_killed_in_the_middle_of_a_job_is_a_failure_and_leaves_no_event(crew: Crew[EpicsLab]) -> None:
    begin(crew, recipe=SLOW)
    crew.lab.server.kill()
    result = crew.wait()
    assert result.error.startswith("oven: the connection was lost during job t3-oven")
    assert result.dispatched
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
    oven = begin(crew, recipe=QUICK | {"time": 10.0})
    crew.stations["oven"].abort("look elsewhere")
    aborted = crew.wait()
    assert aborted.error == "aborted: look elsewhere"
    assert oven.has_job("t3-oven")
    adopted, other = crew.run(job("oven", recipe=QUICK, adopt=True), job("oven", trial=4, recipe=QUICK))
    assert adopted.ok
    assert other.ok
    assert [data["oven_token"] for data in events(crew)] == ["t3-oven", "t4-oven"]


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
