"""What people decide about single trials, beside a run."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from campaigns.decisions import (
    AttachTrial,
    DiscardTrial,
    EnterResult,
    ReanalyseTrial,
    ReleaseTrial,
    RereadTrial,
    RetryTrial,
    Settlement,
    WithdrawTrial,
)
from campaigns.errors import CampaignError
from campaigns.values import MetricValue, TrialState
from loop.core.events import Amended, Event, Proposed, StepStarted, TrialEnded
from loop.core.records import TrialRecord
from loop.execution.options import SessionResult
from loop.service.journal_editor import open_journal_editor, settle
from loop.storage.reader import Reader
from loop.terminal.log_lines import line
from tests.loop.campaign_runs.test_run import begun_once, facts
from tests.loop.conftest import Bench, quick, troubled
from tests.loop.troubled import FORGOTTEN, MENDED, REMEMBERED

pytestmark = pytest.mark.slow


def doubtful() -> dict[str, Any]:
    """Return a campaign in which trials 2 and 4 are doubted by the analysis, and trial 1 is measured as nothing."""
    data = quick(budget={"trials": 6})
    data["workflow"][1]["analysis"] = "tests.loop.doubting:doubting"
    return data | {"lab": {"kind": "virtual", "faults": [{"trial": 1, "station": "cycler", "kind": "nan"}]}}


def decide(bench: Bench, change: Settlement) -> None:
    list(settle(open_journal_editor(None, bench.url, "looked at it"), change))


def run(bench: Bench) -> SessionResult:
    """Run it with an operator who releases trials 1 and 2, and withdraws trials 4 and 5."""

    def on_event(event: Event) -> None:
        match event:
            case TrialEnded(trial=trial) if trial.state is TrialState.QUARANTINED:
                number = trial.number
                decide(bench, WithdrawTrial(trial=4) if number == 4 else ReleaseTrial(trial=number))
            case Proposed(trial=5):
                decide(bench, WithdrawTrial(trial=5))

    return bench.run(doubtful(), on_event)


@pytest.fixture(scope="module")
def settled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, SessionResult]:
    bench = Bench(tmp_path_factory.mktemp("settled"))
    return bench, run(bench)


def test_a_released_trial_goes_on_and_is_scored(settled: tuple[Bench, SessionResult]) -> None:
    bench, outcome = settled
    released = outcome.trials[2]
    assert released.state is TrialState.COMPLETED
    assert released.metrics["phase_fraction"].value < 0.3
    assert "capacity" in released.metrics
    assert released.score is not None
    reasons = [change.reason for change in Reader(bench.url).transitions(2)]
    assert any("released by" in reason and "looked at it" in reason for reason in reasons)
    assert begun_once(bench)


def test_what_is_no_number_stays_in_quarantine(settled: tuple[Bench, SessionResult]) -> None:
    bench, outcome = settled
    assert outcome.trials[1].state is TrialState.QUARANTINED
    told = [line(event, {}) for event in bench.events if isinstance(event, Amended)]
    assert any("trial 1 is released, refused: capacity has no value: the analysis gave nan" in text for text in told)


def test_what_is_withdrawn_rests_and_teaches_nothing(settled: tuple[Bench, SessionResult]) -> None:
    _, outcome = settled
    rested, waiting = outcome.trials[4:6]
    assert {rested.state, waiting.state} == {TrialState.WITHDRAWN}
    assert not waiting.steps
    assert not any({4, 5} & set(t.proposal.learnt_from) for t in outcome.trials)
    assert (rested.counted, waiting.counted) == (True, False)
    assert sum(t.counted for t in outcome.trials) == 6


def test_the_next_session_knows_what_was_decided_and_learns_from_it(
    settled: tuple[Bench, SessionResult], tmp_path: Path
) -> None:
    bench, outcome = settled
    shutil.copytree(bench.folder, tmp_path / "copy")
    again = Bench(tmp_path / "copy").run(doubtful() | {"budget": {"trials": 7}})
    assert facts(again.trials)[: len(outcome.trials)] == facts(outcome.trials)
    assert {0, 2, 3} <= set(again.trials[-1].proposal.learnt_from)
    assert 1 in again.trials[-1].proposal.learnt_from  # its first step went well
    assert not {4, 5} & set(again.trials[-1].proposal.learnt_from)


def test_only_what_can_be_settled_so_is(settled: tuple[Bench, SessionResult]) -> None:
    bench, _ = settled
    for change, message in (
        (ReleaseTrial(trial=0), "trial 0 is completed; allowed: one in quarantine"),
        (WithdrawTrial(trial=4), "trial 4 is withdrawn; allowed: one that waits, is completed, in quarantine or"),
        (WithdrawTrial(trial=99), "got trial 99; allowed: 0 to"),
    ):
        with pytest.raises(CampaignError, match=message):
            decide(bench, change)


def test_a_completed_trial_that_was_wrong_is_withdrawn_at_once_and_learnt_from_no_more(bench: Bench) -> None:
    data = troubled("Bench")
    before = bench.run(data).trials
    said = list(settle(open_journal_editor(None, bench.url, "vials 3 and 4 were swapped"), *map(withdrawn, (3, 4))))
    assert said == ["amendment 1: trial 3 is withdrawn, done", "amendment 2: trial 4 is withdrawn, done"]
    trials = Reader(bench.url).trials()
    for old, new in zip(before[3:5], trials[3:5], strict=True):
        assert (new.state, new.metrics, new.score, new.counted) == (TrialState.WITHDRAWN, old.metrics, None, True)
        assert new.reason.endswith("vials 3 and 4 were swapped")
        assert Reader(bench.url).transitions(new.number)[-1].state is TrialState.WITHDRAWN
    assert {3, 4} <= set(before[-1].proposal.learnt_from)
    outcome = bench.run(data | {"budget": {"trials": 10}})
    assert outcome.trials[-1].proposal.modelled
    assert not {3, 4} & set(outcome.trials[-1].proposal.learnt_from)
    assert not {3, 4} & {number for one in outcome.found for number in one.numbers}


def test_a_run_that_goes_on_forgets_a_completed_trial_that_is_withdrawn_meanwhile(bench: Bench) -> None:
    said: list[str] = []

    def on_event(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.trial.number == 5:
            said.extend(settle(open_journal_editor(None, bench.url, "swapped"), withdrawn(3)))

    outcome = bench.run(troubled("Bench"), on_event)
    assert said == ["the run that goes on does it before its next proposal"]
    assert outcome.trials[3].state is TrialState.WITHDRAWN
    assert 3 not in outcome.trials[-1].proposal.learnt_from


@pytest.fixture
def confused() -> dict[str, Any]:
    """A campaign of eight trials in which the bench loses contact to the odd ones."""
    REMEMBERED.clear()
    FORGOTTEN.clear()
    MENDED[0] = True
    return troubled("Confused", planner={"initial": 8})


def settled_by(bench: Bench, *changes: Settlement) -> list[str]:
    return list(settle(open_journal_editor(None, bench.url, "looked at it"), *changes))


DECIDED: tuple[Settlement, ...] = (
    AttachTrial(trial=1),
    RetryTrial(trial=3),
    EnterResult(trial=5, metrics={"height": (0.5, 0.01, "1")}),
    DiscardTrial(trial=7),
)


def check_decided(trials: Sequence[TrialRecord]) -> None:
    attached, repeated, by_hand, lost = (trials[number] for number in (1, 3, 5, 7))
    assert [one.state for one in (attached, repeated, by_hand)] == [TrialState.COMPLETED] * 3
    assert [step.attempt for step in attached.steps] == [1]
    assert [(step.attempt, step.state) for step in repeated.steps] == [
        (1, TrialState.UNCERTAIN),
        (2, TrialState.ACQUIRED),
    ]
    assert by_hand.metrics["height"] == MetricValue(0.5, 0.01, "1")
    assert by_hand.score == pytest.approx(5.0)
    assert by_hand.steps[-1].state is TrialState.COMPLETED
    assert (lost.state, lost.score, lost.steps[-1].state) == (TrialState.WITHDRAWN, None, TrialState.UNCERTAIN)
    assert all(one.counted for one in trials)


def test_uncertain_trials_are_settled_where_no_run_goes_on_and_the_next_one_does_the_rest(
    bench: Bench, confused: dict[str, Any]
) -> None:
    before = bench.run(confused).trials
    assert [t.number for t in before if t.state is TrialState.UNCERTAIN] == [1, 3, 5, 7]
    said = settled_by(bench, *DECIDED)
    assert [line for line in said if line.startswith("trial")] == [
        "trial 1: dispatched; goes on with 'athanor run'",
        "trial 3: queued; goes on with 'athanor run'",
        "trial 5: completed: score 5.00 ± 0.10",
    ]
    trials = bench.run(confused | {"budget": {"trials": 10}}).trials
    check_decided(trials)
    assert {1, 3, 5} <= set(trials[9].proposal.learnt_from)
    assert 7 not in trials[9].proposal.learnt_from
    assert "looked at it" in Reader(bench.url).transitions(1)[-3].reason


def test_uncertain_trials_are_settled_by_a_run_that_goes_on(bench: Bench, confused: dict[str, Any]) -> None:
    def on_event(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.trial.state is TrialState.UNCERTAIN:
            (change,) = (one for one in DECIDED if one.trial == event.trial.number)
            assert settled_by(bench, change) == ["the run that goes on does it before its next proposal"]

    check_decided(bench.run(confused, on_event).trials)


def test_a_decision_that_a_kill_cuts_short_is_carried_out_once(bench: Bench, confused: dict[str, Any]) -> None:
    bench.run(confused)
    settled_by(bench, *DECIDED)

    def die(event: Event) -> None:
        if isinstance(event, StepStarted):
            raise RuntimeError("killed")  # noqa: TRY004 - it stands for the end of the process

    for _ in range(2):
        with pytest.raises(RuntimeError, match="killed"):
            bench.run(confused, die)
    check_decided(bench.run(confused).trials)


def test_data_that_could_not_be_read_are_read_again_and_nothing_is_measured_twice(
    bench: Bench, confused: dict[str, Any]
) -> None:
    MENDED[0] = False
    assert bench.run(confused).trials[6].state is TrialState.FAILED
    assert "as soon as 'athanor run' can ask the instrument" in settled_by(bench, RereadTrial(trial=6))[0]
    MENDED[0] = True
    again = bench.run(confused).trials[6]
    assert (again.state, [step.attempt for step in again.steps]) == (TrialState.COMPLETED, [1])
    assert len(REMEMBERED) == 8


def test_a_job_that_the_instrument_has_forgotten_is_not_read_and_stays_as_it_was(
    bench: Bench, confused: dict[str, Any]
) -> None:
    FORGOTTEN.update({1, 6})
    MENDED[0] = False
    bench.run(confused)
    settled_by(bench, RereadTrial(trial=6), AttachTrial(trial=1))
    trials = bench.run(confused).trials
    assert (trials[6].state, trials[1].state) == (TrialState.FAILED, TrialState.UNCERTAIN)
    (refused,) = (one for one in Reader(bench.url).amendments() if one.refused)
    assert "bench does not know job" in refused.refused
    assert "UnknownJobError" not in trials[1].reason
    assert "decide what became of sample 1" in trials[1].reason


def test_a_result_by_hand_covers_later_steps_and_outlives_a_new_analysis(bench: Bench) -> None:
    hang = {"kind": "virtual", "faults": [{"trial": 1, "station": "diffractometer", "kind": "hang"}]}
    data = quick(budget={"trials": 3}, lab=hang)
    assert bench.run(data).trials[1].steps[-1].name == "diffract"
    given = {"phase_fraction": (0.9, 0.01, "1"), "capacity": (150.0, 1.0, "mAh/g"), "mean_voltage": (3.8, 0.01, "V")}
    settled_by(bench, EnterResult(trial=1, metrics=given))
    done = Reader(bench.url).trial(1)
    assert done.state is TrialState.COMPLETED
    assert [(s.name, s.station, s.state) for s in done.steps[1:]] == [
        ("diffract", "diffractometer", TrialState.COMPLETED),
        ("cycle", "by hand", TrialState.COMPLETED),
    ]
    settled_by(bench, ReanalyseTrial(trial=1))
    again = Reader(bench.url).trial(1)
    assert (again.state, again.metrics, again.score) == (TrialState.COMPLETED, done.metrics, done.score)


def withdrawn(number: int) -> WithdrawTrial:
    return WithdrawTrial(trial=number)
