"""Jobs over their time limit: their trials are uncertain, and complete when the results come."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import pytest

from campaigns.decisions import AttachTrial
from campaigns.errors import LabError
from campaigns.values import Cause, TrialState
from loop.cli.run_orders import abort_trial
from loop.core.events import Event, StepStarted, TrialEnded, Warned
from loop.planning.failures import failures
from loop.service.journal_editor import open_journal_editor, settle
from loop.storage.reader import Reader
from tests.loop.conftest import Bench, troubled
from tests.loop.troubled import Bench as Instrument


class Endless(Instrument):
    """Never ends trial 1."""

    def _end(self) -> None:
        if self.number != 1:
            super()._end()


class Unheard(Instrument):
    """Does not say that it has ended a job, as behind a link that is silent; it says so when it is asked."""

    def _attend(self) -> None:
        pass


class Keeping(Instrument):
    """Remembers its last job when the controller ends, and has done it when that comes back."""

    last: ClassVar[dict[str, Any]] = {}

    def __init__(self, prefix: str = "", **kwargs: Any) -> None:
        super().__init__(prefix, **kwargs)
        if self.last:
            for key, value in self.last.items():
                getattr(self, key).put(value)
            self._end()

    def start(self, token: str) -> None:
        super().start(token)
        self.last.update({key: getattr(self, key).get() for key in ("x", "y", "sample", "token")})


def limited(device: str, minutes: float, trials: int = 2) -> dict[str, Any]:
    """A campaign whose jobs take an hour, on a bench, with a time limit."""
    data = troubled("Bench", budget={"trials": trials}, planner={"initial": 10})
    data["stations"]["bench"]["device"] = device
    data["workflow"][0]["timeout"] = f"{minutes} min"
    return data


def log(bench: Bench, number: int) -> list[TrialState]:
    return [change.state for change in Reader(bench.url).transitions(number)]


@pytest.mark.slow
def test_a_late_result_is_collected_when_it_comes_and_shown_as_late(bench: Bench) -> None:
    outcome = bench.run(limited("tests.loop.troubled:Bench", 50))
    assert [t.state for t in outcome.trials] == [TrialState.COMPLETED] * 2
    assert all(len(t.steps) == 1 for t in outcome.trials), "nothing is begun anew"
    assert log(bench, 0)[-5:] == [
        TrialState.DISPATCHED,
        TrialState.UNCERTAIN,
        TrialState.DISPATCHED,
        TrialState.ACQUIRED,
        TrialState.COMPLETED,
    ]
    reasons = [change.reason for change in Reader(bench.url).transitions(0)]
    assert "late: bench has ended its job after all" in reasons
    told = [event.text for event in bench.events if isinstance(event, Warned)]
    assert "trial 0 is collected late: bench has ended its job after all" in told
    ended = [e.trial.state for e in bench.events if isinstance(e, TrialEnded) and e.trial.number == 0]
    assert ended == [TrialState.UNCERTAIN, TrialState.COMPLETED]
    assert [t.completed_order for t in outcome.trials] == [0, 1], "the models learn both"
    assert (outcome.trials[0].steps[0].ended or 0.0) < 1.1 * 3600.0, "within a twentieth of the limit"


def test_a_job_that_never_ends_is_waited_for_as_long_again_and_no_more(bench: Bench) -> None:
    with pytest.raises(LabError, match=r"no usable station left of bench .*is at job '.*\d+-1-make-1\.\w+'"):
        bench.run(limited(f"{__name__}:Endless", 120, 4))
    trials = Reader(bench.url).trials()
    assert [t.state for t in trials[:2]] == [TrialState.COMPLETED, TrialState.UNCERTAIN]
    assert trials[1].cause is Cause.LAB
    assert failures(trials) == ()
    assert trials[2].state is TrialState.QUEUED
    waited = max(change.lab for change in Reader(bench.url).transitions()) - (trials[1].steps[0].ended or 0.0)
    assert 7200.0 <= waited < 7200.0 + 2 * 1800.0 + 60.0 + 360.0


def test_a_job_that_has_ended_unseen_within_its_time_is_collected_and_not_written_off(bench: Bench) -> None:
    outcome = bench.run(limited(f"{__name__}:Unheard", 70))
    assert [t.state for t in outcome.trials] == [TrialState.COMPLETED] * 2
    assert log(bench, 0)[-4:-2] == [TrialState.UNCERTAIN, TrialState.DISPATCHED]
    assert all(len(t.steps) == 1 for t in outcome.trials), "nothing is begun anew"


@pytest.mark.slow
def test_a_session_that_ends_meanwhile_leaves_the_late_result_to_the_next(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keeping, "last", {})
    stop = threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, TrialEnded):
            stop.set()

    first = bench.run(limited(f"{__name__}:Keeping", 50), hear, stop=stop)
    assert first.trials[0].state is TrialState.UNCERTAIN
    second = bench.run(limited(f"{__name__}:Keeping", 120))
    assert [t.state for t in second.trials] == [TrialState.COMPLETED] * 2
    assert len(second.trials[0].steps) == 1


@pytest.mark.slow
def test_a_job_that_somebody_has_given_up_is_collected_later_only_if_somebody_attaches_to_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Keeping, "last", {})

    def give_up(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 0:
            list(abort_trial(0, None, bench.url, "smoke"))

    data = limited(f"{__name__}:Keeping", 120, 1) | {"lab": {"kind": "real"}}
    given_up = bench.run(data, give_up).trials[0]
    assert given_up.state is TrialState.UNCERTAIN
    assert bench.run(data).trials[0] == given_up, "although its instrument says now that it has done it"
    list(settle(open_journal_editor(None, bench.url, "it was only steam"), AttachTrial(trial=0)))
    assert bench.run(data).trials[0].state is TrialState.COMPLETED
