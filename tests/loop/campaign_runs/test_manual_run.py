"""Steps that people do, on the clock on the wall: asked for, answered from another terminal, killed in between."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.decisions import AnswerStep, RetryTrial
from campaigns.errors import CampaignError, EmergencyStopError
from campaigns.values import Cause, TrialState
from loop.cli.run_orders import abort_trial, stop_after
from loop.core.events import Amended, Event, StepStarted, Warned
from loop.service.journal_editor import open_journal_editor, settle
from loop.service.manual_answers import confirm, fail
from loop.storage.reader import Reader
from loop.storage.stored_laboratory import stored_stop
from loop.terminal.requests_view import request_lines, stored_requests
from loop.terminal.status_view import status_rows
from loop.validation.lab_checks import check_lab
from tests.loop.conftest import Bench
from tests.loop.manual_steps import by_hand
from tests.loop.sampled import loaded, run_sampled

pytestmark = pytest.mark.slow

WORDS = ["height=0.5", "mass=0.0124 g", "barcode=A 17"]


class KilledError(Exception):
    """Stands for the end of the process in the middle of things."""


def answering(bench: Bench, *answers: Callable[[int], list[str]]) -> Callable[[Event], None]:
    """Answer each manual step as it begins, the first one by the first answer."""
    left = list(answers)

    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted) and left:
            left.pop(0)(event.trial)

    return on_event


def test_a_person_does_a_step_and_enters_what_an_analysis_reads(bench: Bench) -> None:
    asked: list[str] = []

    def done(number: int) -> list[str]:
        asked.extend(request_lines(Reader(bench.url), None, bench.url))
        return list(confirm([str(number), *WORDS], bench.url, "done"))

    trials = bench.run(by_hand(), answering(bench, done, done)).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETED] * 2
    assert trials[0].metrics["height"].value == 0.5
    store = Reader(bench.url)
    data = store.event_data(trials[0].steps[0].token)
    assert data["kim_mass"] == 12.4
    assert data["kim_barcode"] == "A 17"
    assert store.event_units(trials[0].steps[0].token)["kim_mass"] == "mg"
    x = trials[0].candidate.parameters["x"]
    assert asked[0].startswith(f"1. weigh of trial 0 at kim: Weigh {x:.6g} of sample 0 (x {x:.6g}, y ")
    assert ", trial 0 becomes uncertain)" in asked[0]
    command = "athanor trial confirm 0 'height=VALUE' 'mass=VALUE mg' 'barcode=TEXT' --store"
    assert any(command in line for line in asked)
    (said, _) = (event for event in bench.events if isinstance(event, Amended))
    assert said.text == "the manual step of trial 0 is done: height 0.5, mass 12.4, barcode A 17"
    assert stored_requests(store) == []


def test_what_a_person_says_of_a_failure_is_learnt_only_where_the_sample_is_to_blame(bench: Bench) -> None:
    run = by_hand(budget={"trials": 3})

    def dropped(number: int) -> list[str]:
        return list(fail([str(number)], bench.url, "dropped it", spoilt=False))

    def cracked(number: int) -> list[str]:
        return list(fail([str(number)], bench.url, "it is cracked", spoilt=True))

    def done(number: int) -> list[str]:
        return list(confirm([str(number), *WORDS], bench.url, "done"))

    trials = bench.run(run, answering(bench, dropped, cracked, done)).trials
    assert [trial.state for trial in trials] == [TrialState.FAILED, TrialState.FAILED, TrialState.COMPLETED]
    assert [trial.cause for trial in trials] == [Cause.LAB, Cause.SAMPLE, None]
    assert "dropped it" in trials[0].reason


def test_a_kill_changes_nothing_and_an_answer_without_a_run_counts(bench: Bench) -> None:
    def kill(event: Event) -> None:
        if isinstance(event, StepStarted):
            raise KilledError

    with pytest.raises(KilledError):
        bench.run(by_hand(budget={"trials": 1}), kill)
    (asked,) = stored_requests(Reader(bench.url))
    assert asked.what.startswith("weigh of trial 0 at kim: ")
    said = list(confirm(["0", *WORDS], bench.url, "done"))
    assert said[-1] == "no run goes on; the next one takes it up"
    assert stored_requests(Reader(bench.url)) == []
    with pytest.raises(CampaignError, match="weigh of trial 0 is answered already"):
        list(confirm(["0", *WORDS], bench.url, "twice"))
    (trial,) = bench.run(by_hand(budget={"trials": 1})).trials
    assert trial.state is TrialState.COMPLETED
    assert [step.attempt for step in trial.steps] == [1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["0", "height=0.5", "mass=12 mg"], "needed: 'barcode=TEXT'"),
        (["0", "height=nan", "mass=12 mg", "barcode=A"], "height"),
        (["0", "height=11", "mass=12 mg", "barcode=A"], "allowed: -10 to 10"),
        (["0", "height=0.5", "mass=12 mL", "barcode=A"], "mass"),
        (["0", "height=0.5", "mas=12 mg", "barcode=A"], "is not asked for"),
        (["1", *WORDS], "trial 1 waits for nobody's answer; allowed: trial 0"),
        (["0", "1", *WORDS], "got 2 trials"),
    ],
)
def test_what_cannot_be_an_answer_is_refused(words: list[str], why: str, waiting: Bench) -> None:
    with pytest.raises(CampaignError, match=why):
        list(confirm(words, waiting.url, "done"))


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A campaign that was killed while its first step was waited for."""
    made = Bench(tmp_path_factory.mktemp("waiting"))

    def kill(event: Event) -> None:
        if isinstance(event, StepStarted):
            raise KilledError

    with pytest.raises(KilledError):
        made.run(by_hand(), kill)
    return made


def test_a_step_that_nobody_confirms_makes_the_trial_uncertain_and_a_late_answer_counts(bench: Bench) -> None:
    said: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, Warned) and "is late" in event.text:
            (asked,) = stored_requests(Reader(bench.url))
            assert asked.answers[0].command.startswith("trial confirm 0")
            said.extend(confirm(["0", *WORDS], bench.url, "I was at lunch"))

    data = by_hand(step={"timeout": "0.3 s"}, budget={"trials": 1})
    (trial,) = bench.run(data, on_event).trials
    assert said
    assert trial.state is TrialState.COMPLETED
    assert [step.attempt for step in trial.steps] == [1]


def test_the_first_of_two_answers_at_once_counts(bench: Bench) -> None:
    def twice(number: int) -> list[str]:
        journal = open_journal_editor(None, bench.url, "once").journal
        token = journal.trial(number).steps[-1].token
        shared: dict[str, Any] = {"trial": number, "token": token}
        one = AnswerStep(**shared, outcome="done", readings={"height": 0.5, "mass": 1.0, "barcode": "A"})
        journal.amend([one, AnswerStep(**shared, outcome="failed")], ("kim", "once"), {})
        return []

    (trial,) = bench.run(by_hand(budget={"trials": 1}), answering(bench, twice)).trials
    assert trial.state is TrialState.COMPLETED
    first, second = Reader(bench.url).amendments()
    assert first.first == 0
    assert second.refused


def test_a_run_that_is_to_end_leaves_the_question_open(bench: Bench) -> None:
    def end(number: int) -> list[str]:
        said = list(stop_after("trial", None, bench.url, "home"))
        return said + list(confirm([str(number), *WORDS], bench.url, "done"))

    result = bench.run(by_hand(), answering(bench, end))
    assert result.interrupted
    assert result.trials[0].state is TrialState.COMPLETED


def test_a_job_that_was_aborted_keeps_its_person_from_nothing(bench: Bench) -> None:
    def aborted(number: int) -> list[str]:
        await_question(bench)
        return list(abort_trial(number, None, bench.url, "it smells"))

    def again(number: int) -> list[str]:
        editor = open_journal_editor(None, bench.url, "pressed badly")
        said = list(settle(editor, RetryTrial(trial=0)))
        return said + list(confirm([str(number), *WORDS], bench.url, "done"))

    def done(number: int) -> list[str]:
        return list(confirm([str(number), *WORDS], bench.url, "done"))

    first, second = bench.run(by_hand(budget={"trials": 2}), answering(bench, aborted, again, done)).trials
    assert (first.state, second.state) == (TrialState.COMPLETED, TrialState.COMPLETED)
    assert [step.attempt for step in first.steps] == [1, 2]
    assert [step.attempt for step in second.steps] == [1]


def await_question(bench: Bench) -> None:
    """Wait until the last step has come to the person."""
    while Reader(bench.url).trials()[-1].steps[-1].state is not TrialState.DISPATCHED:
        time.sleep(0.01)


def test_ctrl_c_and_an_emergency_stop_end_a_run_at_once_and_leave_the_question_open(bench: Bench) -> None:
    ended = threading.Event()

    def interrupt(event: Event) -> None:
        if isinstance(event, StepStarted):
            await_question(bench)
            ended.set()

    data = by_hand(budget={"trials": 1})
    result = bench.run(data, interrupt, stop=ended)
    assert (result.interrupted, result.aborted) == (True, False)
    told = [event.text for event in bench.events if isinstance(event, Warned)]
    assert told[0].startswith("weigh of trial 0 at kim is left open, and counts once it is answered")
    stop = stored_stop(Reader(bench.url))

    def burn(event: Event) -> None:
        if isinstance(event, StepStarted):
            await_question(bench)
            stop.make("kim", "smoke")

    with pytest.raises(EmergencyStopError, match="smoke"):
        bench.run(data, burn)
    (asked,) = [one for one in stored_requests(Reader(bench.url)) if "weigh" in one.what]
    assert asked.what.startswith("weigh of trial 0 at kim: ")
    stop.clear("kim", "it is out")
    list(confirm(["0", *WORDS], bench.url, "done"))
    (trial,) = bench.run(data).trials
    assert trial.state is TrialState.COMPLETED
    assert [step.attempt for step in trial.steps] == [1]


def test_a_run_that_ends_after_a_persons_answer_says_so(bench: Bench) -> None:
    seen: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted):
            list(stop_after("step", None, bench.url, "home"))
        if isinstance(event, Warned) and "once people have answered" in event.text:
            seen.extend((event.text, dict(status_rows(Reader(bench.url)))["ending"]))
            list(confirm(["0", *WORDS], bench.url, "done"))

    assert bench.run(by_hand(), on_event).interrupted
    assert seen[0].startswith("the run ends once people have answered weigh of trial 0, see")
    assert "home; what is under way ends first" in seen[1]


def test_in_a_simulated_lab_a_manual_step_takes_its_time_and_reads_what_is_stated(bench: Bench) -> None:
    asks = {"height": {"unit": "1", "simulated": 0.25}, "barcode": {"simulated": "A1"}}
    data = by_hand(lab={"kind": "virtual"}, step={"asks": asks, "duration": "20 min"})
    trials = bench.run(data).trials
    assert [trial.metrics["height"].value for trial in trials] == [0.25, 0.25]
    (step,) = trials[0].steps
    assert step.started is not None
    assert step.ended is not None
    assert step.ended - step.started == 1200.0
    assert Reader(bench.url).artefacts("asked of a person") == {}


def test_a_simulated_manual_step_that_was_killed_ends_at_the_same_time(bench_of: Callable[[str], Bench]) -> None:
    asks = {"height": {"unit": "1", "simulated": 0.25}}
    data = by_hand(lab={"kind": "virtual"}, step={"asks": asks, "duration": "20 min"})
    whole, cut = bench_of("whole"), bench_of("cut")

    def kill(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 1:
            raise KilledError

    with pytest.raises(KilledError):
        cut.run(data, kill)
    ended = [[(step.started, step.ended) for step in trial.steps] for trial in cut.run(data).trials]
    assert ended == [[(step.started, step.ended) for step in trial.steps] for trial in whole.run(data).trials]


def test_an_answer_that_was_taken_before_a_kill_counts_after_it_and_one_to_an_earlier_attempt_does_not(
    bench: Bench,
) -> None:
    def done(number: int) -> list[str]:
        return list(confirm([str(number), *WORDS], bench.url, "done"))

    data = by_hand(budget={"trials": 1})
    (trial,) = bench.run(data, answering(bench, done)).trials
    undecided(bench)  # as if the controller had been killed before it wrote down that it took the answer
    bench.run(data)
    (again,) = Reader(bench.url).amendments()
    assert (again.first, again.refused) == (0, "")
    journal = open_journal_editor(None, bench.url, "once").journal
    late = AnswerStep(trial=0, token=trial.steps[0].token, outcome="failed")
    journal.amend([late], ("kim", "no"), {})
    bench.run(data)
    assert Reader(bench.url).amendments()[-1].refused == "its step weigh had ended before: trial 0 is completed"


def undecided(bench: Bench) -> None:
    with closing(sqlite3.connect(bench.folder / "test.db")) as store, store:
        store.execute("UPDATE amendment SET first = NULL")


def test_a_person_may_stand_in_a_lab_file_within_its_limits(tmp_path: Path) -> None:
    data = by_hand(budget={"trials": 1})
    kim = data.pop("stations")["kim"] | {"limits": {"x": {"unit": "1", "low": 0, "high": 1}}}
    lab = {"lab": data["lab"], "stations": {"kim": kim}}
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    data["lab"] = {"kind": "file", "path": "lab.yaml"}
    url = f"sqlite:///{tmp_path / 'test.db'}"

    def on_event(event: Event) -> None:
        if isinstance(event, StepStarted):
            list(confirm(["0", *WORDS], url, "done"))

    (trial,) = run_sampled(data, tmp_path, on_event).trials
    assert trial.state is TrialState.COMPLETED
    assert Reader(url).stored_campaign().step("weigh").asks.keys() == {"height", "mass", "barcode"}
    lab["stations"]["kim"]["limits"]["x"]["high"] = 0.5
    (tmp_path / "lab.yaml").write_text(yaml.safe_dump(lab))
    (tmp_path / "campaign.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(CampaignError, match=r"allowed: 0 to 0\.5"):
        check_lab(loaded(data, tmp_path), tmp_path / "campaign.yaml")
