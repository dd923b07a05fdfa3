"""A plan runs to its end or is over for good: whatever interrupts it, nothing that was done is done once more."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from bluesky import plan_stubs as bps
from bluesky import preprocessors as bpp
from bluesky.plans import list_scan
from bluesky.suspenders import SuspendBoolLow
from bluesky.utils import RunEngineInterrupted
from ophyd import Signal
from ophyd.sim import SynAxis, SynSignal

from instruments.plan_runner import Plan, PlanRunner


class Counted(SynAxis):
    """An axis that counts how often it is sent somewhere, and calls a function then."""

    sent = 0

    def set(self, value: float) -> Any:
        self.sent += 1
        self.then()
        return super().set(value)

    def then(self) -> None:
        """Do nothing more."""


@pytest.fixture
def beam() -> Signal:
    return Signal(name="beam", value=1)


@pytest.fixture
def runner(beam: Signal) -> Iterator[PlanRunner]:
    found = PlanRunner([SuspendBoolLow(beam)])
    yield found
    found.close()


def run(runner: PlanRunner, plan: Plan) -> list[str]:
    names: list[str] = []
    runner.run(plan, lambda name, _: names.append(name), {"sample": "7"})
    return names


def test_a_plan_with_preprocessors_runs_and_its_documents_carry_the_job(runner: PlanRunner) -> None:
    found: list[dict[str, Any]] = []
    det, axis = SynSignal(func=lambda: 1.0, name="det"), SynAxis(name="axis")
    plan = bpp.baseline_wrapper(list_scan([det], axis, [1, 2]), [axis])
    runner.run(plan, lambda name, document: found.append(document) if name == "start" else None, {"sample": "7"})
    assert [one["sample"] for one in found] == ["7"]
    assert runner.moved


def test_a_suspender_that_trips_in_between_ends_the_plan_and_nothing_is_set_twice(
    runner: PlanRunner, beam: Signal, capfd: pytest.CaptureFixture[str]
) -> None:
    axis = Counted(name="axis", delay=0.3)
    axis.then = lambda: beam.put(0)  # type: ignore[method-assign]
    det = SynSignal(func=lambda: 1.0, name="det")
    with pytest.raises(RunEngineInterrupted):
        run(runner, list_scan([det], axis, [1, 2, 3]))
    assert axis.sent == 1
    assert "beam" in runner.reason
    assert runner.tripped()
    assert capfd.readouterr().out == "", "Bluesky prints for somebody at its own prompt"
    beam.put(1)


def test_a_suspender_that_has_tripped_is_told_before_anything_begins(runner: PlanRunner, beam: Signal) -> None:
    assert runner.tripped() == ""
    beam.put(0)
    assert "beam" in runner.tripped()
    beam.put(1)


def test_an_abort_lets_the_plan_clean_up(runner: PlanRunner) -> None:
    heater = Signal(name="heater", value=0)
    begun = threading.Event()

    def plan() -> Plan:
        yield from bps.abs_set(heater, 500)
        begun.set()
        yield from bps.sleep(60)

    def abort() -> None:
        begun.wait(10)
        runner.abort("the time is over")

    thread = threading.Thread(target=abort)
    thread.start()
    with pytest.raises(RunEngineInterrupted):
        run(runner, bpp.finalize_wrapper(plan(), bps.abs_set(heater, 20)))
    thread.join()
    assert (heater.get(), runner.reason, runner.moved) == (20, "the time is over", True)


def test_a_plan_that_fails_before_it_moves_has_moved_nothing(runner: PlanRunner) -> None:
    def plan() -> Plan:
        yield from bps.null()
        raise ValueError("no such sample")

    with pytest.raises(ValueError, match="no such sample"):
        run(runner, plan())
    assert not runner.moved


def test_a_pause_of_the_plan_s_own_ends_it(runner: PlanRunner) -> None:
    axis = Counted(name="axis")

    def plan() -> Plan:
        yield from bps.mv(axis, 1)
        yield from bps.checkpoint()
        yield from bps.pause()
        yield from bps.mv(axis, 2)

    with pytest.raises(RunEngineInterrupted):
        run(runner, plan())
    assert axis.sent == 1
    assert runner.reason == "the plan was paused, and nobody resumes it"
    assert run(runner, list_scan([SynSignal(name="det")], axis, [3])) == ["start", "descriptor", "event", "stop"]
