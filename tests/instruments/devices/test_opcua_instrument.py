"""An instrument behind an OPC-UA server: its jobs are begun once, and outlast a server that is started again."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from asyncua.sync import Server
from ophyd import Component

from instruments.devices.opcua_instrument import OpcUaInstrument
from instruments.job import Job, StepResult
from instruments.job_instrument import Quantity
from instruments.real_lab import RealLab
from tests.labs import Crew

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning:asyncua", "ignore::ResourceWarning"),
]


class Oven(OpcUaInstrument):
    settings = ("temperature",)
    temperature = Component(Quantity, value=0.0, unit="degC", limits=(0, 500))
    mass = Component(Quantity, value=0.0, unit="g")


class Bakery:
    """A server with one oven, which bakes for a while once a token is written to it."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.url = f"opc.tcp://127.0.0.1:{free.getsockname()[1]}"
        self.values: dict[str, Any] = {"temperature": 0.0, "mass": 0.0, "token": "", "state": "idle", "command": ""}
        self.takes, self.begun = 0.1, 0
        self.open()

    def open(self) -> None:
        self.server = Server()
        self.server.set_endpoint(self.url)
        space = self.server.register_namespace("bakery")
        oven = self.server.nodes.objects.add_object(f"ns={space};s=oven", "oven")
        self.nodes = {k: oven.add_variable(f"ns={space};s=oven.{k}", k, v) for k, v in self.values.items()}
        for node in self.nodes.values():
            node.set_writable()
        self.server.start()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self.bake)
        self.thread.start()

    def bake(self) -> None:
        while not self.ended.wait(0.02):
            command = self.nodes["command"].read_value()
            if command and command != self.nodes["token"].read_value():
                self.begun += 1
                self.nodes["token"].write_value(command)
                self.nodes["state"].write_value("busy")
                self.ends = time.monotonic() + self.takes
            if self.nodes["state"].read_value() == "busy" and time.monotonic() > self.ends:
                self.nodes["mass"].write_value(self.nodes["temperature"].read_value() / 100)
                self.nodes["state"].write_value("done")

    def close(self) -> None:
        self.ended.set()
        self.thread.join()
        self.values = {key: node.read_value() for key, node in self.nodes.items()}
        self.server.stop()


@pytest.fixture
def bakery() -> Iterator[Bakery]:
    found = Bakery()
    yield found
    found.close()


class Floor(RealLab):
    """A lab of one oven."""

    def __init__(self, url: str) -> None:
        super().__init__(0.0)
        self.oven = Oven(name="oven", clock=self.clock, url=url, node="ns=2;s=oven", poll=0.05, timeout=1.0)
        self.on_close(self.oven.close)

    def instrument(self, name: str) -> Oven:
        assert name == "oven"
        return self.oven


def run(crew: Crew[Floor], temperature: float, *, adopt: bool = False) -> StepResult:
    recipe = {"temperature": temperature}
    crew.submit(Job(3, "oven", 1, f"t{temperature}", "3", None, recipe, 20.0, adopt=adopt))
    return crew.wait()


def test_jobs_are_begun_once_found_again_and_outlast_the_server(bakery: Bakery) -> None:
    crew, again = Crew(Floor(bakery.url), "oven"), Crew(Floor(bakery.url), "oven")
    try:
        result = run(crew, 300.0)
        assert result.ok, result.error
        assert crew.events()[0]["data"]["oven_mass"] == 3.0
        assert run(again, 300.0, adopt=True).ok
        assert again.events()[0]["data"]["oven_temperature"] == 300.0
        bakery.takes = 0.5
        crew.submit(Job(4, "oven", 1, "t4", "4", None, {"temperature": 200.0}, 30.0))
        while bakery.begun < 2:
            time.sleep(0.02)
        bakery.close()
        while "disconnected" not in crew.lab.oven.progress():
            time.sleep(0.02)
        bakery.open()
        assert crew.wait().ok
        assert bakery.begun == 2
    finally:
        crew.close()
        again.close()


def test_a_variable_that_is_not_there_is_told(bakery: Bakery) -> None:
    crew = Crew(Floor(bakery.url), "oven")
    try:
        crew.lab.oven.ask("")
        del crew.lab.oven._variables["temperature"]
        assert "ns=2;s=oven at opc.tcp" in (run(crew, 100.0).error or "")
    finally:
        crew.close()
