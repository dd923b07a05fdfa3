"""Instruments that speak SCPI, over TCP and a serial line: moved and read as plain devices, against real servers."""

from __future__ import annotations

import os
import socket
import threading
import tty
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from ophyd import Component

from campaigns.errors import StepError
from campaigns.lab.setpoints import SetpointConfig
from campaigns.values import Scalar
from instruments.devices.bound_instrument import Binding, BoundInstrument
from instruments.devices.device_plans import move_and_read
from instruments.devices.scpi import ScpiDevice, ScpiSignal
from instruments.devices.setpoint import resolved
from instruments.job import Job, StepResult
from instruments.job_memory import JobMemory
from instruments.real_lab import RealLab
from tests.labs import Crew


class Heater(ScpiDevice):
    """A heater with a controller of its own."""

    setpoint = Component(ScpiSignal, command="SOUR:TEMP", unit="degC", settable=True)
    plate = Component(ScpiSignal, command="MEAS:TEMP", unit="degC")
    gas = Component(ScpiSignal, command="SOUR:GAS", settable=True)


class Controller:
    """What a heater's controller answers."""

    def __init__(self) -> None:
        self.values = {"SOUR:TEMP": "20.0", "SOUR:GAS": '"air"', "MEAS:TEMP": "20.0"}
        self.error, self.mute = '+0,"No error"', False

    def answer(self, line: str) -> str:
        """Return the answer to a line; empty for none."""
        command, _, value = line.partition(" ")
        if self.mute:
            return ""
        if line == "*IDN?":
            return "ACME,heater,1,2"
        if line == "SYST:ERR?":
            said, self.error = self.error, '+0,"No error"'
            return said
        if command.endswith("?"):
            return self.values[command[:-1]]
        if command == "SOUR:TEMP" and float(value) > 500:
            self.error = '-222,"Data out of range"'
        else:
            self.values[command] = value
            if command == "SOUR:TEMP":
                self.values["MEAS:TEMP"] = str(float(value) + 0.2)
        return ""


def talk(controller: Controller, receive: Callable[[], bytes], send: Callable[[bytes], object]) -> None:
    """Answer lines until the other side is gone."""
    waiting = b""
    while data := receive():
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            if said := controller.answer(line.decode().strip()):
                send(said.encode() + b"\n")


@pytest.fixture
def controller() -> Controller:
    return Controller()


@pytest.fixture
def tcp(controller: Controller) -> Iterator[str]:
    """The address of the controller on loopback, which takes one caller after the other."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                line, _ = server.accept()
            except OSError:
                return
            with line:
                talk(controller, partial(line.recv, 1024), line.sendall)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"TCPIP::127.0.0.1::{server.getsockname()[1]}::SOCKET"
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join(5)


@pytest.fixture
def serial(controller: Controller) -> Iterator[str]:
    """The address of the controller at the other end of a serial line."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)

    def receive() -> bytes:
        try:
            return os.read(ours, 1024)
        except OSError:
            return b""

    thread = threading.Thread(target=talk, args=(controller, receive, lambda data: os.write(ours, data)), daemon=True)
    thread.start()
    yield f"ASRL{os.ttyname(theirs)}::INSTR"
    os.close(theirs)
    thread.join(5)
    os.close(ours)


class Floor(RealLab):
    """A lab of one heater that is bound as any plain device is."""

    def __init__(self, folder: Path, heater: Heater) -> None:
        super().__init__(0.0)
        told = {
            "setpoint": SetpointConfig(limits=(0, 600), readback="plate", tolerance=0.5, timeout=5.0),
            "gas": SetpointConfig(choices=("air", "argon")),
        }
        found = {key: resolved(key, one, {"heater": heater}, key) for key, one in told.items()}
        binding = Binding({"heater": heater}, found, lambda recipe, _: move_and_read([heater], found, recipe))
        self.oven = BoundInstrument.of(binding)(
            name="oven", clock=self.clock, binding=binding, memory=JobMemory(folder)
        )
        self.on_close(self.oven.close)
        self.on_close(heater.line.close)

    def instrument(self, name: str) -> BoundInstrument:
        assert name == "oven"
        return self.oven


Heat = Callable[..., Crew[Floor]]


@pytest.fixture
def heater_at(tmp_path: Path) -> Iterator[Heat]:
    """A function from an address, and from a time limit, to the crew of a lab with the heater that is there."""
    crews: list[Crew[Floor]] = []

    def make(address: str, timeout: float = 10.0) -> Crew[Floor]:
        heater = Heater(address, name="heater", timeout=timeout, line={"baud_rate": 9600} if "ASRL" in address else {})
        heater.wait_for_connection()
        crews.append(Crew(Floor(tmp_path, heater), "oven"))
        return crews[-1]

    yield make
    for crew in crews:
        crew.close()


def heat(crew: Crew[Floor], temperature: float) -> StepResult:
    recipe: dict[str, Scalar] = {"setpoint": temperature, "gas": "argon"}
    crew.submit(Job(3, "heat", 1, f"t{temperature}", "3", None, recipe, 20.0), "oven")
    return crew.wait()


@pytest.fixture(params=["tcp", "serial"])
def address(request: pytest.FixtureRequest) -> str:
    found: str = request.getfixturevalue(request.param)
    return found


def test_a_job_sets_waits_and_reads_over_the_line(address: str, heater_at: Heat, controller: Controller) -> None:
    crew = heater_at(address)
    result = heat(crew, 300.0)
    assert result.ok, result.error
    data = crew.events()[0]["data"]
    assert (data["oven_heater_plate"], data["oven_heater_gas"]) == (300.2, "argon")
    assert controller.values["SOUR:TEMP"] == "300.0"
    assert crew.lab.oven.check_units()["heater_plate"] == "degC"
    assert crew.lab.oven.unit_of("setpoint") == "degC"


def test_what_the_instrument_refuses_is_a_fault_with_its_words(tcp: str, heater_at: Heat) -> None:
    result = heat(heater_at(tcp), 550.0)
    assert "refuses 'SOUR:TEMP 550.0': -222,\"Data out of range\"" in (result.error or "")


@pytest.mark.slow
def test_a_silent_instrument_leaves_a_job_uncertain_and_is_called_again(
    tcp: str, heater_at: Heat, controller: Controller
) -> None:
    crew = heater_at(tcp, timeout=0.5)
    controller.mute = True
    result = heat(crew, 300.0)
    assert not result.ok
    assert "TimeoutError" in (result.error or "")
    controller.mute = False
    assert not crew.lab.oven.binding.devices["heater"].connected
    crew.lab.oven.binding.devices["heater"].wait_for_connection()
    assert heat(crew, 200.0).ok


def test_nobody_at_an_address_is_told_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
    with pytest.raises(TimeoutError, match=rf"TCPIP::127.0.0.1::{port}::SOCKET"):
        Heater(f"TCPIP::127.0.0.1::{port}::SOCKET", name="heater", timeout=0.2).wait_for_connection()


def test_a_reading_cannot_be_set(tcp: str) -> None:
    heater = Heater(tcp, name="heater")
    with pytest.raises(StepError, match="heater_plate can be read alone"):
        heater.plate.set(3.0)
    heater.line.close()
