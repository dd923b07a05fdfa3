"""Loads: several samples in one job, each with its own end; taken up again after kill -9, and begun once."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.values import Candidate, Cause, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.events import Event, StepEnded
from loop.core.proposals import Proposal
from loop.core.records import StepRecord, TrialRecord, TrialResult
from loop.execution.campaign_state import CampaignState
from loop.execution.jobs.dispatcher import Dispatcher
from loop.execution.jobs.loads import Loads
from loop.execution.jobs.step_runner import StepRunner
from loop.execution.laboratory.lab_setup import build_lab
from loop.execution.options import RunOptions
from loop.execution.session import Session
from loop.storage.store import Store
from tests.forks import forked
from tests.loop.conftest import quick

PROGRAM: dict[str, Any] = {"temperature": 850.0, "time": 12.0, "ramp_rate": 5.0, "atmosphere": "oxygen"}
HOT = PROGRAM | {"temperature": 900.0}


def loaded(**changes: Any) -> dict[str, Any]:
    """A furnace with four places, and a cycler with three channels."""
    data = quick()
    data["stations"] = {"oven": {"kind": "furnace", "capacity": 4}, "cycler": {"kind": "cycler", "capacity": 3}}
    calcine, _, cycle = data["workflow"]
    data["workflow"] = [calcine | {"stations": ["oven"]}, cycle]
    del data["metrics"]["phase_fraction"], data["objective"]["terms"][1]
    return data | changes


class Floor:
    """A laboratory with trials that wait for its furnace; each has its own excess of lithium."""

    def __init__(self, folder: Path, *programs: dict[str, Any], **changes: Any) -> None:
        self.campaign = Campaign(**loaded(**changes))
        self.store = Store(f"sqlite:///{folder / 'test.db'}")
        self.store.begin(CampaignRecord("loaded", "", 1, "print", 0.0), {})
        for number, program in enumerate(programs, self.store.count()):
            candidate = Candidate({**program, "lithium_excess": number})
            self.store.propose(number, candidate, Proposal("space-filling"), 0.0)
        self.events: list[Event] = []
        self.lab = build_lab(self.campaign, None, folder / "test.lab", 0.0)
        self.dispatcher = Dispatcher(self.campaign, self.lab, self.store, None)
        self.state = CampaignState(self.campaign, self.store)
        session = Session(self.store, self.lab.clock, RunOptions("", ""), self.events.append)
        self.runner = StepRunner(self.state, session, self.dispatcher)
        self.loads = Loads(self.state, self.dispatcher, self.runner, self.lab.clock)
        self.ledger = folder / "test.lab" / "instruments.jsonl"

    def gather(self, step: int = 0) -> list[TrialRecord]:
        wanted = self.campaign.steps[step]
        waiting = [trial for trial in self.state.open if self.runner.awaited_step(trial) is wanted]
        return self.loads.gather(waiting[0], wanted, wanted.stations[0], waiting)

    def begin(self, step: int = 0) -> None:
        wanted = self.campaign.steps[step]
        self.runner.begin(self.gather(step), wanted, wanted.stations[0])

    def conclude(self) -> dict[int, StepRecord | TrialResult]:
        result = self.runner.next_result(lambda: False)
        assert result is not None
        return dict(self.runner.conclude(result, aborted=False))

    def jobs(self) -> list[dict[str, Any]]:
        """What the instruments have really begun."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()]

    def close(self) -> None:
        self.dispatcher.close()
        self.store.close("")


Opened = Callable[..., Floor]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    floors: list[Floor] = []

    def open_(*programs: dict[str, Any], **changes: Any) -> Floor:
        floors.append(Floor(tmp_path, *programs, **changes))
        return floors[-1]

    yield open_
    for floor in floors:
        floor.close()


def states(found: dict[int, StepRecord | TrialResult]) -> dict[int, TrialState]:
    return {number: one.state for number, one in found.items()}


def test_trials_of_the_same_program_are_one_job_with_one_event(opened: Opened) -> None:
    floor = opened(PROGRAM, HOT, PROGRAM, PROGRAM)
    floor.begin()
    assert states(floor.conclude()) == dict.fromkeys((0, 2, 3), TrialState.ACQUIRED)
    (job,) = floor.jobs()
    assert [(one["sample"], one["recipe"]) for one in job["load"]] == [
        (str(number), {"lithium_excess": number}) for number in (0, 2, 3)
    ]
    assert [step.place for trial in floor.state.trials for step in trial.steps] == [1, 2, 3]
    kinds = [one.kind for one in floor.store.documents(2)]
    assert kinds == ["start", "descriptor", "event", "stop"], "of all three together"
    assert floor.store.documents(2) == floor.store.documents(0)


def test_each_sample_sees_its_own_readings_by_the_names_of_a_single_job(opened: Opened) -> None:
    floor = opened(PROGRAM, PROGRAM)
    floor.begin()
    floor.conclude()
    floor.begin(1)
    found = {number: one for number, one in floor.conclude().items() if isinstance(one, StepRecord)}
    data = {number: floor.store.event_data(one.token) for number, one in found.items()}
    assert [data[number]["cycler_sample"] for number in (0, 1)] == ["0", "1"]
    assert data[0]["cycler_capacity"][-1] != data[1]["cycler_capacity"][-1]
    assert floor.store.event_units(found[1].token)["cycler_capacity"] == "mAh/g"
    step = floor.campaign.steps[1]
    results = [floor.dispatcher.analyst.analyse(floor.state[number], step, one) for number, one in found.items()]
    assert [set(one.metrics) for one in results] == [{"capacity", "mean_voltage"}] * 2


def test_a_place_that_reports_an_error_costs_its_own_sample_only(opened: Opened) -> None:
    lab = {"kind": "virtual", "faults": [{"trial": 1, "station": "oven", "kind": "place"}]}
    floor = opened(PROGRAM, PROGRAM, PROGRAM, lab=lab)
    floor.begin()
    found = floor.conclude()
    assert states(found) == {0: TrialState.ACQUIRED, 1: TrialState.FAILED, 2: TrialState.ACQUIRED}
    ending = found[1]
    assert isinstance(ending, TrialResult)
    assert ending.cause is Cause.LAB
    assert "oven: place 2 is fault: no contact" in ending.reason
    assert [event.ok for event in floor.events if isinstance(event, StepEnded)] == [True, False, True]
    assert floor.dispatcher.usable("oven")


def test_a_load_that_fails_costs_all_of_its_samples(opened: Opened) -> None:
    lab = {"kind": "virtual", "faults": [{"trial": 1, "station": "oven", "kind": "hang"}]}
    floor = opened(PROGRAM, PROGRAM, lab=lab)
    floor.begin()
    assert states(floor.conclude()) == dict.fromkeys((0, 1), TrialState.FAILED)


def test_what_never_began_goes_again_as_a_whole(opened: Opened) -> None:
    lab = {"kind": "virtual", "faults": [{"trial": 1, "station": "oven", "kind": "raise"}]}
    floor = opened(PROGRAM, PROGRAM, lab=lab)
    floor.begin()
    assert floor.conclude() == {}
    assert [trial.state for trial in floor.state.open] == [TrialState.QUEUED] * 2
    assert floor.jobs() == []


def test_a_sample_is_given_up_with_its_whole_load_or_not_at_all(opened: Opened) -> None:
    floor = opened(PROGRAM, PROGRAM)
    floor.begin()
    assert floor.runner.abort(0, "kim: it broke")
    assert states(floor.conclude()) == dict.fromkeys((0, 1), TrialState.ACQUIRED), "the other one is not to blame"


def test_a_load_waits_for_what_can_still_come_and_fits(opened: Opened) -> None:
    floor = opened(PROGRAM, PROGRAM)
    load, (calcine, cycle) = floor.gather(), floor.campaign.steps
    assert not floor.loads.may_begin(load, calcine, "oven", closing=False), "more may be proposed"
    assert floor.loads.may_begin(load, calcine, "oven", closing=True), "nothing comes"
    floor.begin()
    floor.conclude()
    floor.store.propose(2, Candidate({**HOT, "lithium_excess": 2}), Proposal("space-filling"), 0.0)
    floor.state.read_trial(2)
    load = floor.gather(1)
    assert floor.loads.may_begin(load, cycle, "cycler", closing=True), "nothing is under way that could come"
    floor.begin()
    assert not floor.loads.may_begin(load, cycle, "cycler", closing=True), "trial 2 is on its way to a channel"
    floor.conclude()
    assert floor.loads.may_begin(floor.gather(1), cycle, "cycler", closing=True), "it is full"


def test_a_load_waits_no_longer_than_the_station_says(opened: Opened) -> None:
    stations = loaded()["stations"] | {"cycler": {"kind": "cycler", "capacity": 3, "wait": "1 h"}}
    floor = opened(PROGRAM, HOT, stations=stations)
    cycle = floor.campaign.steps[1]
    floor.begin()
    floor.conclude()
    floor.begin()
    load, since = floor.gather(1), floor.lab.clock.now()
    assert not floor.loads.may_begin(load, cycle, "cycler", closing=True)
    assert floor.runner.next_result(lambda: False) is None, "woken when the wait is over"
    assert floor.lab.clock.now() == pytest.approx(since + 3600.0)
    assert floor.loads.may_begin(load, cycle, "cycler", closing=True)


def test_proposals_go_by_the_program_of_a_load_until_its_places_are_given_away(opened: Opened) -> None:
    floor = opened()
    assert floor.loads.fixed() == {}
    for number in range(5):
        floor.store.propose(number, Candidate({**HOT, "lithium_excess": number}), Proposal("space-filling"), 0.0)
        floor.state.read_trial(number)
        assert floor.loads.fixed() == ({} if number == 3 else HOT)


def test_what_fills_a_load_is_suggested_before_its_furnace_falls_free_where_it_is_known_when(opened: Opened) -> None:
    workflow = loaded()["workflow"]
    workflow[0]["duration"] = "10 h"
    floor = opened(PROGRAM, workflow=workflow)
    now = floor.lab.clock.now()
    assert floor.loads.ahead(may_begin=True, each=0.0) == 4, "the furnace is free"
    floor.begin()
    assert floor.loads.ahead(may_begin=True, each=0.0) == 1, "lab time stands still while a suggestion is made"
    assert floor.loads.ahead(may_begin=False, each=2 * 3600.0) == 1
    assert floor.loads.ahead(may_begin=True, each=2 * 3600.0) == 4, "four of two hours each are begun now"
    assert floor.loads.ahead(may_begin=True, each=1800.0) == 1, "four of half an hour each, begun four hours before it"
    assert floor.runner.next_result(lambda: False) is None, "woken then"
    assert floor.lab.clock.now() == pytest.approx(now + 6 * 3600.0)
    assert floor.loads.ahead(may_begin=True, each=1800.0) == 4


def test_nothing_is_suggested_ahead_of_a_furnace_of_which_nobody_knows_how_long_it_takes(opened: Opened) -> None:
    floor = opened(PROGRAM)
    floor.begin()
    assert floor.loads.ahead(may_begin=True, each=2 * 3600.0) == 1


MOMENTS = ("running", "dispatched", "started", "event", "acquired")


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(folder: Path, moment: str) -> None:
    """Begin a load, and die in the middle of it."""
    floor = Floor(folder, PROGRAM, HOT, PROGRAM, PROGRAM)
    mark, document = floor.store.mark, floor.store.document

    def marking(token: str, state: TrialState, *more: Any) -> None:
        if moment == "running":
            _die()
        mark(token, state, *more)
        if moment == "dispatched":
            _die()

    def keeping(token: str, kind: str, *more: Any) -> None:
        if (moment, kind) in (("started", "descriptor"), ("event", "event")):
            _die()
        document(token, kind, *more)
        if (moment, kind) == ("acquired", "event"):
            _die()

    floor.store.mark, floor.store.document = marking, keeping  # type: ignore[method-assign,assignment]
    floor.begin()
    floor.conclude()


@pytest.mark.slow
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_load_that_was_cut_short_is_taken_up_as_a_whole_and_begun_once(tmp_path: Path, moment: str) -> None:
    assert forked(_killed, tmp_path, moment) == -signal.SIGKILL
    floor = Floor(tmp_path)
    try:
        for trial in floor.state.open:
            floor.runner.adopt(trial)
        if moment == "dispatched":
            assert floor.conclude() == {}, "it never began, and is begun now under the same token"
        if moment != "acquired":
            assert states(floor.conclude()) == dict.fromkeys((0, 2, 3), TrialState.ACQUIRED)
        assert not floor.runner.busy
        assert len(floor.jobs()) == 1
        assert [one["sample"] for one in floor.jobs()[0]["load"]] == ["0", "2", "3"]
        assert [len(floor.state[number].steps) for number in (0, 2, 3)] == [1, 1, 1]
        assert floor.store.event_data(floor.state[3].steps[0].token)["oven_sample"] == "3"
    finally:
        floor.close()
