"""What waits for a station waits: for one that is at another's job, that has two open jobs, or that is gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from campaigns.errors import LabError
from campaigns.values import Cause, TrialState
from instruments.clock import Clock
from instruments.job_instrument import JobInstrument
from instruments.lab import Lab
from loop.core.events import Event, StepStarted, Warned
from loop.core.records import StepRecord, TrialRecord
from loop.planning.failures import failures
from loop.storage.reader import Reader
from loop.storage.store import Store
from simulators.virtual_clock import VirtualClock
from tests.loop.conftest import Bench, troubled
from tests.loop.troubled import Bench as Instrument


class KilledError(Exception):
    """Stands for the end of the process in the middle of things."""


class Lent(Instrument):
    """Is at a job of another campaign for ten hours."""

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        self.token.put("somebody-else-7")
        self.state.put("busy")
        self.clock.call_later(36_000.0, lambda: self.state.put("done"))


class Taken(Instrument):
    """Is at a job of another campaign, and never ends it."""

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        self.token.put("somebody-else-7")
        self.state.put("busy")


class Rooms:
    """A laboratory of two benches, one of which may be away.

    The benches remember their last job for as long as the tests' process lives, as instruments do.
    """

    away = ""

    def __init__(self) -> None:
        self._clock = VirtualClock()

    @property
    def clock(self) -> Clock:
        return self._clock

    def instrument(self, name: str) -> JobInstrument:
        if name == self.away:
            raise LabError(f"the lab has no {name}")
        return Instrument(name=name, clock=self._clock)

    def close(self) -> None:
        self._clock.close()


def rooms() -> Lab:
    return Rooms()


def few(device: str, trials: int = 3, **changes: Any) -> dict[str, Any]:
    data = troubled("Bench", budget={"trials": trials}, planner={"initial": 10}, **changes)
    data["stations"] = {"bench": {"kind": "device", "device": f"{device}"}}
    return data


def in_rooms() -> dict[str, Any]:
    """A campaign on two benches of a laboratory of the user's own."""
    data = few("", 4, lab={"kind": "custom", "factory": f"{__name__}:rooms"})
    data["stations"] = {name: {"kind": "furnace"} for name in ("left", "right")}
    data["workflow"][0]["stations"] = ["left", "right"]
    return data


def begin_on(bench: Bench, station: str, *numbers: int) -> None:
    """Leave jobs behind that a station was at when the controller was killed."""
    store = Store(bench.url)
    for number in numbers:
        if number == store.count():
            store.propose(number, store.trial(0).candidate, store.trial(0).proposal, 0.0)
        step = StepRecord("make", 1, station, f"t{number}", TrialState.CLAIMED, None, None, None, "", 0.0)
        store.claim(number, step, 0.0)
        store.mark(step.token, TrialState.DISPATCHED, 0.0)
    store.close("")


def killed_at_first(event: Event) -> None:
    if isinstance(event, StepStarted):
        raise KilledError


def states(trials: tuple[TrialRecord, ...]) -> list[TrialState]:
    return [trial.state for trial in trials]


@pytest.mark.slow
def test_a_station_that_is_at_anothers_job_is_waited_for_and_costs_nothing(bench: Bench) -> None:
    outcome = bench.run(few(f"{__name__}:Lent"))
    assert states(outcome.trials) == [TrialState.COMPLETED] * 3
    refused, begun = outcome.trials[0].steps
    assert (refused.state, begun.state) == (TrialState.WITHDRAWN, TrialState.ACQUIRED)
    assert "is at job 'somebody-else-7'" in refused.reason
    assert 36_000.0 <= (begun.started or 0.0) < 36_000.0 + 1800.0
    [told] = [event.text for event in bench.events if isinstance(event, Warned)]
    assert told.startswith("trial 0 waits, as nothing was moved: waits: bench is at job 'somebody-else-7'")


@pytest.mark.slow
def test_a_station_that_stays_at_one_job_for_longer_than_jobs_take_ends_the_session(bench: Bench) -> None:
    with pytest.raises(LabError, match=r"no usable station left of bench .*is at job 'somebody-else-7'"):
        bench.run(few(f"{__name__}:Taken"))
    assert {trial.state for trial in Reader(bench.url).trials()} == {TrialState.QUEUED}


@pytest.mark.slow
def test_two_open_jobs_on_one_station_are_settled_one_after_the_other(bench: Bench) -> None:
    with pytest.raises(KilledError):
        bench.run(few("tests.loop.troubled:Bench"), killed_at_first)
    begin_on(bench, "bench", 1, 2)
    outcome = bench.run(few("tests.loop.troubled:Bench", 5))
    assert states(outcome.trials)[1:3] == [TrialState.UNCERTAIN] * 2
    assert all("bench does not know job" in trial.reason for trial in outcome.trials[1:3])
    assert {trial.cause for trial in outcome.trials[1:3]} == {Cause.LAB}
    assert failures(outcome.trials) == ()
    assert states(outcome.trials)[3:] == [TrialState.COMPLETED] * 2


@pytest.mark.slow
def test_a_trial_waits_for_its_station_that_the_lab_has_no_more_and_the_others_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(KilledError):
        bench.run(in_rooms(), killed_at_first)
    begin_on(bench, "left", 1)
    with monkeypatch.context() as patch:
        patch.setattr(Rooms, "away", "left")
        with pytest.raises(LabError, match=r"no usable station left of left \(left: the lab has no left\)"):
            bench.run(in_rooms())
    found = Reader(bench.url).trials()
    assert found[1].state is TrialState.DISPATCHED
    assert {step.station for trial in found[2:] for step in trial.steps} == {"right"}
    outcome = bench.run(in_rooms())
    assert states(outcome.trials)[1] is TrialState.UNCERTAIN, "the bench has come back, and does not know it"
    assert TrialState.COMPLETED in states(outcome.trials)


@pytest.mark.slow
def test_a_trial_whose_job_had_failed_when_the_controller_was_killed_ends_so_and_is_not_begun_anew(
    bench: Bench,
) -> None:
    with pytest.raises(KilledError):
        bench.run(few("tests.loop.troubled:Bench"), killed_at_first)
    begin_on(bench, "bench", 1)
    store = Store(bench.url)
    store.mark("t1", TrialState.UNCERTAIN, 0.0, "the link was cut")
    store.close("")
    outcome = bench.run(few("tests.loop.troubled:Bench"))
    assert (outcome.trials[1].state, outcome.trials[1].reason) == (TrialState.UNCERTAIN, "the link was cut")
    assert len(outcome.trials[1].steps) == 1


def test_a_failed_job_and_its_trial_are_recorded_at_once(tmp_path: Path, bench: Bench) -> None:
    del tmp_path
    data = few("tests.loop.troubled:Bench")
    data["workflow"][0]["timeout"] = "1 min"

    def die(event: Event) -> None:
        if isinstance(event, Warned) or type(event).__name__ == "StepEnded":
            raise KilledError

    with pytest.raises(KilledError):
        bench.run(data, die)
    first = Reader(bench.url).trial(0)
    assert (first.state, first.steps[0].state) == (TrialState.DISPATCHED, TrialState.DISPATCHED)
