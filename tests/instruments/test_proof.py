"""What is proven of every job: it has ended, and its settings are still those of the recipe, by fresh readings."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

import pytest
from ophyd import Component

from campaigns.errors import SampleError, StepError, UnknownJobError
from campaigns.values import Cause, Scalar
from instruments.clock import WallClock
from instruments.job import Fate, Job, StepResult
from instruments.job_instrument import JobInstrument, Quantity, Readback
from instruments.proof import agrees, check_ended
from instruments.station import Station
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, job


class Stage(JobInstrument):
    """A motor that is there at once, whose driver forgets to call the base when it verifies."""

    settings: ClassVar[tuple[str, ...]] = ("place", "filter")
    texts: ClassVar[frozenset[str]] = frozenset({"filter"})
    defaults: ClassVar[Mapping[str, Scalar]] = {"filter": "open"}
    readbacks: ClassVar[Mapping[str, Readback]] = {
        "place": Readback("encoder", tolerance=0.01, dwell=0.15, updates=True)
    }
    place = Component(Quantity, value=0.0, unit="mm", limits=(0, 10))
    filter = Component(Quantity, value="open", choices=("open", "shut"))
    encoder = Component(Quantity, value=0.0, unit="mm")

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        self.restarted: Callable[[], None] = lambda: None
        self.slip = 0.0

    def has_job(self, token: str) -> bool:
        return bool(self.token.get() == token)

    def start(self, token: str) -> None:
        self.token.put(token)
        self.state.put("busy")
        self.clock.call_later(0.05, self._end, self.name)

    def _end(self) -> None:
        self.encoder.put(self.place.get() + self.slip)
        self.restarted()
        self.state.put("done")

    def progress(self) -> str:
        return str(self.state.get())

    def verify(self, job: Job) -> None:
        """Prove nothing."""


class Floor:
    """A stage on a wall clock, whose encoder is read again and again as long as it lives."""

    def __init__(self) -> None:
        self.clock = WallClock()
        self.stage = Stage(name="stage", clock=self.clock)
        self.events: list[dict[str, Any]] = []
        self.results: queue.SimpleQueue[StepResult] = queue.SimpleQueue()
        self.station = Station("stage", self.stage, self.clock, self._record)
        self.alive = threading.Event()
        self.alive.set()
        self._over = threading.Event()
        self._scan = threading.Thread(target=self._update, daemon=True)
        self._scan.start()

    def run(self) -> StepResult:
        recipe = {"place": 6.23}
        self.station.submit(Job(3, "move", 1, "t3", "3", None, recipe, 20.0), self.results.put)
        return self.results.get(timeout=30)

    def close(self) -> None:
        self._over.set()
        self._scan.join()
        self.station.close()
        self.clock.close()

    def _record(self, _job: Job, name: str, document: dict[str, Any]) -> None:
        if name == "event":
            self.events.append(document)

    def _update(self) -> None:
        while not self._over.wait(0.02):
            if self.alive.is_set():
                self.stage.encoder.put(self.stage.encoder.get(), timestamp=time.time())


@pytest.fixture
def floor() -> Iterator[Floor]:
    found = Floor()
    yield found
    found.close()


def test_a_setting_that_its_readback_confirms_for_long_enough_is_believed(floor: Floor) -> None:
    result = floor.run()
    assert (result.ok, result.error) == (True, None)
    assert [event["data"]["stage_encoder"] for event in floor.events] == [6.23]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("restarted", "stage: after the job, encoder is 0.0 mm; allowed: 6.23 ± 0.01 mm, as place was set"),
        ("slipped", "stage: after the job, encoder is 6.28"),
        ("other filter", "stage: after the job, filter is 'shut'; allowed: 'open', as filter was set"),
        ("frozen", "stage: encoder has not been updated since the job"),
    ],
)
def test_an_instrument_that_has_forgotten_its_job_fails_it_whatever_its_driver_verifies(
    floor: Floor, fault: str, complaint: str
) -> None:
    stage = floor.stage
    stage.slip = 0.05 if fault == "slipped" else 0.0
    if fault == "restarted":
        stage.restarted = lambda: stage.encoder.put(0.0)
    elif fault == "other filter":
        stage.restarted = lambda: stage.filter.put("shut")
    elif fault == "frozen":
        stage.restarted = floor.alive.clear
    result = floor.run()
    assert str(result.error).startswith(complaint)
    assert (result.ok, result.cause, result.fate) == (False, Cause.LAB, Fate.OVER)
    assert floor.events == [], "so that nothing can be learnt"


@pytest.mark.slow
def test_a_furnace_that_was_restarted_with_other_settings_is_no_success(
    crew_of: Callable[..., Crew[VirtualLab]],
) -> None:
    crew = crew_of()
    oven = crew.lab.instrument("oven")
    crew.lab.clock.call_at(10 * 3600.0, lambda: oven.temperature.put(25.0))
    (result,) = crew.run(job("oven"))
    assert str(result.error).startswith("oven: after the job, temperature is 25.0 degC; allowed: 850.0 degC")


@pytest.mark.parametrize(
    ("token", "state", "error", "words"),
    [
        ("t4-oven", "done", UnknownJobError, "is at job 't4-oven', not at 't3-oven'"),
        ("t3-oven", "fault", StepError, "job t3-oven is fault, not done"),
        ("t3-oven", "sample failed", SampleError, "job t3-oven is sample failed"),
    ],
)
def test_a_job_counts_only_when_its_instrument_says_that_it_is_done(
    crew_of: Callable[..., Crew[VirtualLab]], token: str, state: str, error: type[Exception], words: str
) -> None:
    oven = crew_of().lab.instrument("oven")
    oven.token.put(token)
    oven.state.put(state)
    with pytest.raises(error, match=words):
        check_ended(oven, job("oven"))


def test_numbers_agree_within_single_precision_or_a_tolerance_and_texts_as_they_are() -> None:
    assert agrees(0.1, 0.1 * (1 + 1e-7))
    assert not agrees(0.1, 0.1001)
    assert agrees(6.23, 6.24, tolerance=0.011)
    assert not agrees(6.23, float("nan"), tolerance=1.0)
    assert agrees("air", "air")
    assert not agrees("air", "Air")
