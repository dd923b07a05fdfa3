"""An instrument behind a web service: its jobs are begun once, found by token, and outlast a server that is silent."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ophyd import Component

from campaigns.errors import LabError
from campaigns.values import Cause
from instruments.devices.http_instrument import HttpInstrument
from instruments.job import Job, StepResult
from instruments.job_instrument import Quantity
from instruments.real_lab import RealLab
from tests.labs import Crew


class Press(HttpInstrument):
    settings = ("force",)
    force = Component(Quantity, value=0.0, unit="kN", limits=(0, 50))
    density = Component(Quantity, value=0.0, unit="g/cm**3")


class Service:
    """A press' web service on loopback, whose jobs take a while and are done when they are asked for after that."""

    def __init__(self) -> None:
        self.jobs: dict[str, dict[str, Any]] = {}
        self.begun: list[str] = []
        self.takes, self.ending = 0.1, {"state": "done", "data": {"density": 2.5}}
        self.refusal, self.knows = "", ""
        self.port = 0
        self.open()

    def open(self) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", self.port), self.handler())
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                token, body = self.path.rpartition("/")[2], self.rfile.read(int(self.headers["Content-Length"]))
                if service.refusal:
                    self.answer(422, service.refusal)
                    return
                if token not in service.jobs:
                    service.begun.append(token)
                    service.jobs[token] = {"ends": time.monotonic() + service.takes, **json.loads(body)}
                self.answer(201, "{}")

            def do_GET(self) -> None:
                if service.knows and self.headers["Authorization"] != service.knows:
                    self.answer(401, "")
                    return
                job = service.jobs.get(self.path.rpartition("/")[2])
                if job is None:
                    self.answer(404, "")
                    return
                busy = time.monotonic() < job["ends"]
                said = {"state": "busy", "progress": "pressing"} if busy else service.ending
                self.answer(200, json.dumps({"job": job, **said}))

            def answer(self, status: int, text: str) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


class Floor(RealLab):
    """A lab of one press."""

    def __init__(self, port: int, **settings: str) -> None:
        super().__init__(0.0)
        given: dict[str, Any] = {"url": f"http://127.0.0.1:{port}/", "poll": 0.02, "timeout": 0.3, **settings}
        self.press = Press(name="press", clock=self.clock, **given)

    def instrument(self, name: str) -> Press:
        assert name == "press"
        return self.press


@pytest.fixture
def service(no_leaks: None) -> Iterator[Service]:
    found = Service()
    yield found
    found.close()


@pytest.fixture
def press(service: Service) -> Iterator[Callable[..., Crew[Floor]]]:
    """A function that returns the crew of a press, anew after a kill of the controller."""
    crews: list[Crew[Floor]] = []

    def make(**settings: str) -> Crew[Floor]:
        crews.append(Crew(Floor(service.port, **settings), "press"))
        return crews[-1]

    yield make
    for one in crews:
        one.close()


def job(*, adopt: bool = False) -> Job:
    return Job(3, "press", 1, "t 3/press", "3", "LiCoO2", {"force": 20.0}, 10.0, adopt=adopt)


def run(crew: Crew[Floor], *, adopt: bool = False) -> StepResult:
    crew.submit(job(adopt=adopt))
    return crew.wait()


@pytest.mark.slow
def test_a_job_is_given_once_and_its_readings_come_back(service: Service, press: Callable[[], Crew[Floor]]) -> None:
    crew = press()
    result = run(crew)
    assert result.ok, result.error
    (given,) = service.jobs.values()
    assert {k: given[k] for k in ("force", "sample", "material", "step", "attempt")} == {
        "force": 20.0, "sample": "3", "material": "LiCoO2", "step": "press", "attempt": 1,
    }  # fmt: skip
    assert crew.events()[0]["data"]["press_density"] == 2.5
    again = press()
    assert run(again, adopt=True).ok
    assert again.events()[0]["data"]["press_density"] == 2.5
    assert len(service.begun) == 1
    service.ending = {**service.ending, "job": {"force": 5.0}}
    other = run(press(), adopt=True)
    assert "after the job, force is 5.0 kN; allowed: 20.0 kN" in (other.error or "")


@pytest.mark.slow
def test_a_service_that_is_silent_for_a_while_costs_nothing(service: Service, press: Callable[[], Crew[Floor]]) -> None:
    service.takes = 0.3
    crew = press()
    crew.submit(job())
    while not service.begun:
        time.sleep(0.01)
    service.close()
    while "disconnected" not in crew.lab.press.progress():
        time.sleep(0.01)
    service.open()
    assert crew.wait().ok
    assert len(service.begun) == 1


def test_a_service_that_forgets_its_jobs_leaves_the_sample_uncertain(
    service: Service, press: Callable[[], Crew[Floor]]
) -> None:
    service.takes = 60
    crew = press()
    crew.submit(job())
    while not crew.lab.press.progress().startswith("pressing"):
        time.sleep(0.01)
    service.jobs.clear()
    result = crew.wait()
    assert "no longer knows job t 3/press, which it had taken; look at the sample" in (result.error or "")
    assert (crew.lab.press.never_began("t 3/press"), crew.lab.press.has_finished("t 3/press")) == (False, False)
    assert crew.lab.press.never_began("t4")
    assert len(service.begun) == 1


@pytest.mark.parametrize(
    ("ending", "refusal", "said", "cause"),
    [
        ({"state": "fault", "message": "no oil"}, "", "press: fault: no oil", Cause.LAB),
        ({"state": "sample failed", "message": "it cracked"}, "", "press: sample failed: it cracked", Cause.SAMPLE),
        ({}, "force is too high", "refuses with 422: force is too high", Cause.LAB),
    ],
)
def test_what_the_service_says_of_a_failure_is_told(
    service: Service, press: Callable[[], Crew[Floor]], ending: Any, refusal: str, said: str, cause: Cause
) -> None:
    service.ending, service.refusal = ending, refusal
    result = run(press())
    assert said in (result.error or "")
    assert result.cause is cause


def test_a_service_is_told_who_we_are_and_is_waited_for_when_it_has_forgotten(
    service: Service, press: Callable[..., Crew[Floor]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRESS_TOKEN", "let-me-in")
    service.knows = "Bearer let-me-in"
    stranger = run(press())
    assert "answers 401 Unauthorized; nothing was moved" in (stranger.error or "")
    crew = press(bearer="PRESS_TOKEN")
    service.takes = 0.3
    crew.submit(job())
    while not crew.lab.press.progress().startswith("pressing"):
        time.sleep(0.01)
    service.knows = "Bearer another"
    while "401" not in crew.lab.press.progress():
        time.sleep(0.01)
    service.knows = ""
    assert crew.wait().ok
    assert len(service.begun) == 1


@pytest.mark.parametrize(
    ("settings", "text"),
    [({"bearer": "UNSET"}, "variable UNSET is not set"), ({"certificate": "none.pem"}, "there is no file none.pem")],
)
def test_what_is_needed_to_reach_a_service_is_there_from_the_start(settings: dict[str, str], text: str) -> None:
    with pytest.raises(LabError, match=text):
        Floor(1, **settings)


def test_nothing_is_moved_while_nobody_answers(press: Callable[[], Crew[Floor]], service: Service) -> None:
    crew = press()
    service.close()
    result = run(crew)
    assert (result.dispatched, result.ok) == (False, False)
    assert "Connection refused; nothing was moved" in (result.error or "")
    service.open()
    assert run(crew).ok


def test_a_press_is_bound_by_its_class(tmp_path: Path) -> None:
    from campaigns.user_code.dotted_paths import NamedObject, Use, trouble

    (tmp_path / "our_press.py").write_text(
        "from ophyd import Component\n"
        "from instruments.devices.http_instrument import HttpInstrument\n"
        "from instruments.job_instrument import Quantity\n\n\n"
        "class Press(HttpInstrument):\n"
        "    settings = ('force',)\n"
        "    force = Component(Quantity, value=0.0, unit='kN', limits=(0, 50))\n"
    )
    named = NamedObject("stations.press.device", "our_press:Press", Use.DEVICE, {"url": "http://here"})
    assert trouble(named, tmp_path) == ""
    assert "needs url" in trouble(NamedObject("here", "our_press:Press", Use.DEVICE), tmp_path)
