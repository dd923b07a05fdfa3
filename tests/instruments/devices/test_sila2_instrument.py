"""An instrument of a SiLA 2 server: a job is one execution, remembered by its UUID and found again by it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ophyd import Component

from campaigns.errors import LimitError
from campaigns.values import Cause
from instruments.devices.sila2_instrument import Sila2Instrument
from instruments.job import Fate, Job, StepResult
from instruments.job_instrument import Quantity
from instruments.job_memory import JobMemory
from instruments.real_lab import RealLab
from tests.labs import Crew

pytestmark = pytest.mark.slow


class Oven(Sila2Instrument):
    settings = ("temperature", "hold_time")
    sample_errors = ("SampleCracked",)
    temperature = Component(Quantity, value=0.0, unit="degC", limits=(0, 500))
    hold_time = Component(Quantity, value=0, unit="0.1 s", limits=(0, 100))
    loss = Component(Quantity, value=0.0, unit="g")
    begun_jobs = Component(Quantity, value=0)
    identifiers = {"loss": "MassLoss", "begun_jobs": "Begun"}  # noqa: RUF012 - as the base declares it


class Server:
    """An oven's server in a process of its own."""

    def __init__(self, label: str = "degC") -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self.open(label)

    def open(self, label: str = "degC") -> None:
        command = [sys.executable, "-m", "tests.instruments.devices.sila2_oven", str(self.port), label]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


class Floor(RealLab):
    """A lab of one oven."""

    def __init__(self, port: int, folder: Path, **settings: str) -> None:
        super().__init__(0.0)
        self.memory = JobMemory(folder)
        what: dict[str, Any] = {"feature": "OvenController", "command": "Bake", **settings}
        place: dict[str, Any] = {"host": "127.0.0.1", "port": port, "insecure": True, "poll": 0.05, "timeout": 0.5}
        self.oven = Oven(name="oven", clock=self.clock, job_memory=self.memory, **place, **what)
        self.on_close(self.oven.close)

    def instrument(self, name: str) -> Oven:
        assert name == "oven"
        return self.oven


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    found = Server()
    yield found
    found.close()


@pytest.fixture
def crew_at(server: Server, tmp_path: Path) -> Iterator[Callable[..., Crew[Floor]]]:
    """Make the crew of a lab that remembers its jobs in the test's folder, after the one before has gone."""
    crews: list[Crew[Floor]] = []

    def end() -> None:
        while crews:
            crews.pop().close()

    def made(at: Server = server, **settings: str) -> Crew[Floor]:
        end()
        crews.append(Crew(Floor(at.port, tmp_path / "memory", **settings), "oven"))
        return crews[-1]

    yield made
    end()


def job(token: str, temperature: float, tenths: int, *, adopt: bool = False) -> Job:
    return Job(3, "oven", 1, token, "3", None, {"temperature": temperature, "hold_time": tenths}, 20.0, adopt=adopt)


def run(crew: Crew[Floor], asked: Job) -> StepResult:
    crew.submit(asked)
    return crew.wait()


def executed(crew: Crew[Floor], token: str) -> bool:
    """Return whether the server has told the UUID of a job's execution."""
    return "execution" in (crew.lab.memory.find(token) or {})


def loss(crew: Crew[Floor]) -> float:
    found: float = crew.events()[-1]["data"]["oven_loss"]
    return found


def test_a_job_is_executed_once_and_found_again_after_a_restart_of_the_controller(
    crew_at: Callable[..., Crew[Floor]],
) -> None:
    crew = crew_at()
    assert run(crew, job("a", 300.0, 1)).ok
    begun = crew.events()[-1]["data"]["oven_begun_jobs"]
    again = crew_at()
    assert run(again, job("a", 300.0, 1, adopt=True)).ok
    assert loss(again) == 3.0
    again.submit(job("b", 200.0, 8))
    _until(lambda: executed(again, "b"))
    third = crew_at()
    assert run(third, job("b", 200.0, 8, adopt=True)).ok  # while it is still under way
    assert (loss(third), third.events()[-1]["data"]["oven_begun_jobs"]) == (2.0, begun + 1)


def test_a_server_that_is_silent_for_a_while_costs_nothing(crew_at: Callable[..., Crew[Floor]], server: Server) -> None:
    crew = crew_at()
    crew.submit(job("a", 100.0, 20))
    _until(lambda: executed(crew, "a"))
    server.process.send_signal(signal.SIGSTOP)
    try:
        _until(lambda: "disconnected" in crew.stations["oven"].describe())
    finally:
        os.kill(server.process.pid, signal.SIGCONT)
    result = crew.wait()
    assert result.ok, result.error
    assert loss(crew) == 1.0


def test_an_execution_that_a_server_has_forgotten_is_uncertain(
    crew_at: Callable[..., Crew[Floor]], tmp_path: Path
) -> None:
    own = Server()
    try:
        crew = crew_at(own)
        crew.submit(job("a", 100.0, 100))
        _until(lambda: "%" in crew.stations["oven"].describe())
        own.close()
        own.open()
        result = crew.wait()
    finally:
        own.close()
    assert (result.ok, result.fate) == (False, Fate.UNKNOWN)
    assert "no longer knows job a" in str(result.error)


@pytest.mark.parametrize(
    ("temperature", "cause", "text"),
    [(450.0, Cause.SAMPLE, "SampleCracked: in pieces"), (0.0, Cause.LAB, "the door is open")],
)
def test_errors_of_the_execution_say_what_they_speak_of(
    crew_at: Callable[..., Crew[Floor]], temperature: float, cause: Cause, text: str
) -> None:
    result = run(crew_at(), job("a", temperature, 1))
    assert (result.ok, result.cause, result.fate) == (False, cause, Fate.OVER)
    assert text in str(result.error)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"feature": "Furnace"}, "has no feature Furnace"),
        ({"command": "Fry"}, "has no observable command Fry"),
    ],
)
def test_a_server_without_what_is_asked_for_is_named(
    crew_at: Callable[..., Crew[Floor]], settings: dict[str, str], text: str
) -> None:
    result = run(crew_at(**settings), job("a", 100.0, 1))
    assert not result.ok
    assert text in str(result.error)


def test_units_are_held_against_those_of_the_feature(crew_at: Callable[..., Crew[Floor]]) -> None:
    assert crew_at().lab.oven.check_units()["temperature"] == "degC"
    kelvin = Server("K")
    try:
        with pytest.raises(LimitError, match="temperature is in 'K' by its server"):
            crew_at(kelvin).lab.oven.check_units()
    finally:
        kelvin.close()


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30.0
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)
