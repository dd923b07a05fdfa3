"""What a failure speaks of: the sample, which is held against the candidate, or the lab, which is not."""

import threading
from itertools import pairwise
from typing import Any

import pytest

from campaigns.decisions import WithdrawTrial
from campaigns.errors import CampaignError, LabError
from campaigns.values import Cause, TrialState
from loop.core.events import Event, StepEnded
from loop.planning.failures import failures
from loop.service.journal_editor import open_journal_editor, settle
from loop.storage.reader import Reader
from loop.terminal.log_lines import line
from loop.terminal.status_view import status_rows
from loop.terminal.trial_view import _trial_rows
from tests.loop.conftest import Bench, troubled

pytestmark = pytest.mark.slow


def test_a_busy_instrument_costs_an_attempt_and_no_trial(bench: Bench) -> None:
    outcome = bench.run(troubled("Busy"))
    assert [t.state for t in outcome.trials] == [TrialState.COMPLETED] * 8
    first, second = outcome.trials[2].steps
    assert (first.state, first.attempt, first.cost) == (TrialState.WITHDRAWN, 1, 0.0)
    assert "being loaded by hand" in first.reason
    assert (second.state, second.attempt) == (TrialState.ACQUIRED, 2)
    states = [change.state for change in Reader(bench.url).transitions(2)]
    assert states[:4] == [TrialState.QUEUED, TrialState.CLAIMED, TrialState.RUNNING, TrialState.QUEUED]


def test_what_a_driver_raises_when_the_clock_calls_it_costs_its_job_only(bench: Bench) -> None:
    with pytest.raises(LabError, match="no usable station left of bench"):  # it still says that it is busy
        bench.run(troubled("Mistaken"))
    third = Reader(bench.url).trial(2)
    assert (third.state, third.cause) == (TrialState.UNCERTAIN, Cause.LAB)
    assert "bench: its driver raised KeyError: 'no such register'" in third.reason
    assert "troubled.py:" in third.reason


def test_a_device_that_its_base_has_not_made_is_refused(bench: Bench) -> None:
    with pytest.raises(CampaignError, match=r"Halfmade.__init__ never calls that of its base; begin it with super\(\)"):
        bench.run(troubled("Halfmade"))


def test_an_instrument_that_is_never_ready_ends_the_session_and_what_waits_is_kept(bench: Bench) -> None:
    with pytest.raises(LabError, match=r"no usable station left of bench \(bench: interlock: the door is open"):
        bench.run(troubled("Shut"))
    waiting = Reader(bench.url).trial(2)
    assert (waiting.state, waiting.begun, len(waiting.steps)) == (TrialState.QUEUED, False, 3)
    pauses = [later.started - sooner.ended for sooner, later in pairwise(waiting.steps)]
    assert pauses == [60.0, 1800.0]
    outcome = bench.run(troubled("Shut", budget={"trials": 4}))
    assert [t.state for t in outcome.trials] == [TrialState.COMPLETED] * 4
    assert outcome.trials[2].candidate == waiting.candidate


def test_what_waits_can_be_withdrawn_and_costs_no_trial(bench: Bench) -> None:
    with pytest.raises(LabError):
        bench.run(troubled("Shut"))
    settle(open_journal_editor(None, bench.url, "the door stays open"), WithdrawTrial(trial=2))
    outcome = bench.run(troubled("Shut", budget={"trials": 4}))
    assert outcome.trials[2].state is TrialState.WITHDRAWN
    assert not outcome.trials[2].counted
    assert sum(t.state is TrialState.COMPLETED for t in outcome.trials) == 4


def test_data_that_cannot_be_read_at_once_are_read_again(bench: Bench) -> None:
    outcome = bench.run(troubled("Silent"))
    assert [(t.number, t.state, t.cause) for t in outcome.trials if t.state is not TrialState.COMPLETED] == [
        (4, TrialState.FAILED, Cause.LAB)
    ]
    assert len(outcome.trials[2].steps) == 1
    assert "ConnectionError: the line is dead" in outcome.trials[4].reason
    assert not any("trial 4" in t.proposal.reason for t in outcome.trials[:4])


def test_only_samples_speak_against_candidates_and_the_store_says_which_did(bench: Bench) -> None:
    outcome = bench.run(troubled("Cracked"))
    failed = {t.number: t for t in outcome.trials if t.state is TrialState.FAILED}
    assert {number: t.cause for number, t in failed.items()} == {2: Cause.SAMPLE, 3: Cause.SAMPLE}
    assert [t.cause for t in Reader(bench.url).trials()] == [t.cause for t in outcome.trials]
    assert (outcome.trials[-1].proposal.success or 1.0) < 1.0
    told = [line(event, {}) for event in bench.events]
    assert any(text.startswith("trial 2: failed (sample): ") for text in told)
    assert ("state", "failed (sample)") in list(_trial_rows(outcome.trials[2], {}, None, None))
    assert any("2 failed (sample)" in text for _, text in status_rows(Reader(bench.url)))


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("Frozen", "make: stale data: curve is the same as for the sample before"),
        ("Stopped", "make: stale data: curve, height are not updated since before the job began"),
    ],
)
def test_stale_data_go_into_quarantine_whenever_the_session_was_begun(bench: Bench, device: str, words: str) -> None:
    bench.run(troubled(device, budget={"trials": 4}))
    outcome = bench.run(troubled(device, budget={"trials": 7}))
    held = {t.number: t for t in outcome.trials if t.state is TrialState.QUARANTINED}
    known = {3: words, 4: words} if device == "Stopped" else {3: words}  # a frozen detector melts in another session
    assert {number: t.reason for number, t in held.items()} == known
    assert {t.cause for t in held.values()} == {Cause.DATA}
    assert not set(held) & set(outcome.trials[-1].proposal.learnt_from)


def test_an_analysis_that_returns_no_measurement_is_told_what_is_needed(bench: Bench) -> None:
    (step,) = troubled("Bench")["workflow"]
    outcome = bench.run(
        troubled("Bench", workflow=[step | {"analysis": "tests.loop.bench_analyses:unpacked"}], budget={"trials": 1})
    )
    assert "it returned a dict; needed: a campaigns.values:Measurement" in outcome.trials[0].reason


def analysed_by(device: str, analysis: str) -> dict[str, Any]:
    data = troubled(device, budget={"trials": 6})
    data["workflow"][0]["analysis"] = f"tests.loop.bench_analyses:{analysis}"
    return data


@pytest.mark.parametrize("analysis", ["bare", "raising"])
def test_a_dead_detector_is_blamed_on_the_data_whatever_the_analysis_makes_of_it(bench: Bench, analysis: str) -> None:
    outcome = bench.run(analysed_by("Unplugged", analysis))
    held = {t.number: t for t in outcome.trials if t.state is not TrialState.COMPLETED}
    assert {number: (t.state, t.cause) for number, t in held.items()} == dict.fromkeys(
        (2, 3), (TrialState.QUARANTINED, Cause.DATA)
    )
    assert held[2].reason == "make: unusable data: 64 of 64 values of curve are not finite"
    assert held[3].reason == "make: dead detector: curve is 0 at all 64 points"
    assert failures(outcome.trials) == ()


def test_nan_that_is_there_by_nature_is_not_held_against_a_sample_that_gave_no_number(bench: Bench) -> None:
    outcome = bench.run(analysed_by("Padded", "choosy"))
    ended = [(t.state, t.cause) for t in outcome.trials]
    assert (TrialState.COMPLETED, None) in ended
    first = ended.index((TrialState.COMPLETED, None))
    assert set(ended[first:]) == {(TrialState.COMPLETED, None), (TrialState.FAILED, Cause.SAMPLE)}


def test_an_analysis_that_hangs_exits_or_crashes_costs_its_trial_only_and_teaches_nothing(bench: Bench) -> None:
    data = analysed_by("Bench", "wedged")
    data["workflow"][0]["analysis_timeout"] = "5 s"  # within which a loaded machine has to start a process
    outcome = bench.run(data)
    held = {t.number: t for t in outcome.trials if t.state is not TrialState.COMPLETED}
    assert {number: (t.state, t.cause) for number, t in held.items()} == dict.fromkeys(
        (1, 2, 3), (TrialState.QUARANTINED, Cause.ANALYSIS)
    )
    assert held[1].reason.startswith("make: analysis failed: it took longer than 5 s and was ended")
    assert held[2].reason.startswith("make: analysis failed: SystemExit: no licence (bench_analyses.py:")
    assert held[3].reason.startswith("make: analysis failed: its process died by signal 6 (SIGABRT), twice")
    assert all(Reader(bench.url).event_data(t.steps[-1].token) for t in held.values()), "the raw data are kept"
    assert failures(outcome.trials) == ()
    assert not set(held) & set(outcome.trials[-1].proposal.learnt_from)


def test_whoever_aborts_waits_for_no_analysis_and_the_next_session_does_it(bench: Bench) -> None:
    data, abort = analysed_by("Bench", "wedged"), threading.Event()

    def hear(event: Event) -> None:
        if isinstance(event, StepEnded) and event.trial == 1:
            threading.Timer(0.2, abort.set).start()

    outcome = bench.run(data, hear, abort=abort)
    assert (outcome.aborted, outcome.trials[1].state) == (True, TrialState.ACQUIRED)
    data["workflow"][0]["analysis_timeout"] = "1 s"
    outcome = bench.run(data)
    assert outcome.trials[1].state is TrialState.QUARANTINED
    assert len(outcome.trials[1].steps) == 1
