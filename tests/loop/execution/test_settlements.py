"""What people decide about single trials, beside a run."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from campaigns.amendments import ReleaseTrial, Settlement, WithdrawTrial
from campaigns.errors import CampaignError
from campaigns.values import TrialState
from loop.cli.amendment_commands import open_journal_editor, settle
from loop.core.events import Amended, Event, Proposed, TrialEnded
from loop.execution.options import SessionResult
from loop.storage.reader import Reader
from loop.terminal.log_lines import line
from tests.loop.campaign_runs.test_run import begun_once, facts
from tests.loop.conftest import Bench, quick, troubled

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


def withdrawn(number: int) -> WithdrawTrial:
    return WithdrawTrial(trial=number)
