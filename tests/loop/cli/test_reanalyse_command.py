"""Analyses with a bug: the session stops, the samples are kept, and their raw data are analysed anew."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from campaigns.amendments import SetWeights
from campaigns.campaign import Campaign
from campaigns.decisions import ReanalyseTrial
from campaigns.errors import AnalysisError, CampaignError
from campaigns.values import Cause, TrialState
from loop.cli.app import app
from loop.cli.exit_codes import ExitCode, exit_code
from loop.cli.reanalyse_command import reanalyse
from loop.core.events import Warned
from loop.planning.planner import Planner
from loop.service.journal_editor import amend, numbers, open_journal_editor
from loop.storage.reader import Reader
from surrogates.models.encoder import Encoder
from tests.loop import bench_analyses as benches
from tests.loop.conftest import Bench, troubled

pytestmark = pytest.mark.slow


def analysed_by(analysis: str, **changes: Any) -> dict[str, Any]:
    data = troubled("Bench", **changes)
    data["workflow"][0]["analysis"] = f"tests.loop.bench_analyses:{analysis}"
    return data


@pytest.fixture(autouse=True)
def _broken() -> Iterator[None]:
    benches.SCALE[0] = 0.0
    yield
    benches.SCALE[0] = 0.0


@pytest.fixture
def stopped(bench: Bench) -> Bench:
    with pytest.raises(AnalysisError, match=r"ZeroDivisionError.*the same for trials 0, 1 and 2; their raw"):
        bench.run(analysed_by("scaled"))
    return bench


def told(bench: Bench, *words: str) -> list[str]:
    return list(reanalyse(open_journal_editor(None, bench.url, "corrected it"), words))


def states(bench: Bench) -> list[TrialState]:
    return [t.state for t in Reader(bench.url).trials()]


def test_the_same_fault_three_times_in_a_row_stops_the_session_with_the_samples_kept(stopped: Bench) -> None:
    trials = Reader(stopped.url).trials()
    assert [(t.state, t.cause) for t in trials] == [(TrialState.QUARANTINED, Cause.ANALYSIS)] * 3 + [
        (TrialState.QUEUED, None)
    ]
    assert "bench_analyses.py:" in trials[0].reason
    assert exit_code(AnalysisError()) is ExitCode.LAB


def test_another_session_spends_no_sample_while_the_analysis_still_fails(stopped: Bench) -> None:
    with pytest.raises(AnalysisError):
        stopped.run(analysed_by("scaled"))
    assert states(stopped) == [TrialState.QUARANTINED] * 3 + [TrialState.QUEUED]


def test_once_it_is_corrected_all_are_completed_by_the_command_and_the_campaign_goes_on(stopped: Bench) -> None:
    result = CliRunner().invoke(app, ["trial", "reanalyse", "--store", stopped.url, "--reason", "corrected it"])
    assert result.exit_code == ExitCode.LAB
    lines = result.output.splitlines()
    for number, line in enumerate(lines[:3]):
        text = f"trial {number} could not be analysed: analysis failed: ZeroDivisionError"
        assert line.startswith(f"amendment {number + 1}: {text}")
    benches.SCALE[0] = 1.0
    lines = told(stopped)
    assert [line.split(": score")[0] for line in lines[1::2]] == [f"trial {n}: completed" for n in range(3)]
    assert states(stopped) == [TrialState.COMPLETED] * 3 + [TrialState.QUEUED]
    outcome = stopped.run(analysed_by("scaled"))
    assert outcome.finished
    assert {t.state for t in outcome.trials} == {TrialState.COMPLETED}
    assert {0, 1, 2} <= set(outcome.trials[-1].proposal.learnt_from)


def test_a_run_takes_over_what_was_asked_for_beside_it(stopped: Bench) -> None:
    benches.SCALE[0] = 1.0
    editor = open_journal_editor(None, stopped.url, "corrected it")
    editor.journal.amend([ReanalyseTrial(trial=n) for n in range(3)], ("somebody", editor.reason), {})
    outcome = stopped.run(analysed_by("scaled"))
    assert {t.state for t in outcome.trials} == {TrialState.COMPLETED}
    assert not any(isinstance(event, Warned) for event in stopped.events)


def test_a_session_says_what_can_be_taken_up_again(stopped: Bench) -> None:
    benches.SCALE[0] = 1.0
    outcome = stopped.run(analysed_by("scaled"))
    warned = [event.text for event in stopped.events if isinstance(event, Warned)]
    assert warned == [
        "what failed in the analysis of trials 0, 1 and 2 works now: 'athanor trial reanalyse' analyses them anew"
    ]
    assert [t.state for t in outcome.trials[:3]] == [TrialState.QUARANTINED] * 3
    assert outcome.finished


def test_values_of_completed_trials_are_replaced_and_what_they_were_stands_in_the_log(bench: Bench) -> None:
    benches.SCALE[0] = 1.0
    data = analysed_by("scaled")
    first = bench.run(data).trials
    benches.SCALE[0] = 2.0
    told(bench, "1", "3-4")
    trials = Reader(bench.url).trials()
    for old, new in zip(first, trials, strict=True):
        scale = 2.0 if new.number in (1, 3, 4) else 1.0
        assert new.values["height"] == pytest.approx(old.values["height"] / scale)
        assert new.score == pytest.approx((old.score or 0.0) / scale)
    log = [change.reason for change in Reader(bench.url).transitions(3)]
    assert any(f"before: height {first[3].values['height']:.6g} ± 0.01" in reason for reason in log)
    campaign = bench.run(data | {"budget": {"trials": 9}}).trials
    assert campaign[-1].proposal.learnt_from[-3:] == (1, 3, 4)


def test_the_planner_learns_the_new_values_in_place_of_the_old(bench: Bench) -> None:
    benches.SCALE[0] = 1.0
    data = analysed_by("scaled")
    old = bench.run(data).trials
    planner = Planner(Campaign(**data), Encoder(Campaign(**data).space))
    planner.recall(old)
    benches.SCALE[0] = 2.0
    told(bench, "0-7")
    new = Reader(bench.url).trials()
    planner.relearn(new)
    rebuilt = Planner(Campaign(**data), Encoder(Campaign(**data).space))
    rebuilt.recall(new)
    assert planner.suggest() == rebuilt.suggest()


@pytest.mark.parametrize(
    ("analysis", "words"),
    [("misnamed", "it gives no height, did you mean 'heigth'"), ("in_volts", "unit is V, expected one like 1")],
)
def test_wrong_names_and_units_are_faults_of_the_analysis(bench: Bench, analysis: str, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        bench.run(analysed_by(analysis))
    assert states(bench) == [TrialState.QUARANTINED] * 3 + [TrialState.QUEUED]


def test_numbers_of_trials_are_read_one_by_one_or_from_to() -> None:
    assert numbers([]) == []
    assert numbers(["3", "5-7", "0,1", "9..10"]) == [3, 5, 6, 7, 0, 1, 9, 10]
    for word in ("best", "²", "5-3", "٣"):
        with pytest.raises(CampaignError, match=f"got '{word}'; allowed: numbers of trials"):
            numbers([word])


def test_only_what_has_ended_with_raw_data_is_analysed_anew(stopped: Bench) -> None:
    with pytest.raises(CampaignError, match="trial 3 is queued; allowed: one that has ended, and of which raw data"):
        told(stopped, "3")


def test_stopping_rules_go_by_the_new_values(bench: Bench) -> None:
    benches.SCALE[0] = 1.0
    data = analysed_by("scaled", stopping=[{"kind": "target", "score": 12.0, "confidence": 0.5}])
    assert bench.run(data).reason == "all 8 trials of the budget are spent"
    assert Reader(bench.url).trials()[-1].regret is not None
    benches.SCALE[0] = 0.5
    told(bench, "0-7")
    assert not any(t.regret for t in Reader(bench.url).trials())
    assert Reader(bench.url).posterior_best() is None
    outcome = bench.run(data | {"budget": {"trials": 9}})
    assert "has reached the target score 12 with probability" in outcome.reason
    assert len(outcome.trials) == 8


def test_a_value_that_is_gone_is_suspected_no_more(bench: Bench) -> None:
    benches.SCALE[0] = 1.0
    bench.run(analysed_by("scaled"))
    editor = open_journal_editor(None, bench.url, "corrected it")
    editor.journal.set_outliers({2: "far from the others", 4: "far from the others"})
    told(bench, "2")
    assert [t.number for t in Reader(bench.url).trials() if t.outlier] == [4]


def test_trials_are_scored_by_the_weights_that_the_others_are_shown_by(bench: Bench) -> None:
    benches.SCALE[0] = 1.0
    bench.run(analysed_by("scaled"))
    editor = open_journal_editor(None, bench.url, "it matters more")
    amend(editor, [SetWeights(weights={0: 2.0})])
    before = [t.score for t in Reader(bench.url).trials()]
    told(bench, "0")
    assert [t.score for t in Reader(bench.url).trials()] == pytest.approx(before)


def test_an_analysis_that_cannot_be_loaded_leaves_nothing_that_waits(
    stopped: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(benches, "scaled")
    with pytest.raises(CampaignError, match="scaled"):
        told(stopped)
    assert Reader(stopped.url).amendments() == []


@pytest.mark.parametrize("analysis", ["leaving", "certain"])
def test_an_analysis_that_ends_the_program_or_gives_no_number_is_at_fault(bench: Bench, analysis: str) -> None:
    with pytest.raises(AnalysisError, match=r"SystemExit|got True, expected a number"):
        bench.run(analysed_by(analysis))
    assert states(bench) == [TrialState.QUARANTINED] * 3 + [TrialState.QUEUED]


@pytest.mark.parametrize(("analysis", "why"), [("enormous", "1e.308"), ("suspected", "make: spike in data$")])
def test_what_cannot_be_reckoned_with_lies_in_quarantine_with_the_reason(bench: Bench, analysis: str, why: str) -> None:
    trials = bench.run(analysed_by(analysis, budget={"trials": 2})).trials
    assert {(t.state, t.cause) for t in trials} == {(TrialState.QUARANTINED, Cause.DATA)}
    assert re.search(why, trials[0].reason)


def test_a_score_that_overflows_lies_in_quarantine_too(bench: Bench) -> None:
    terms = [{"goal": "maximise", "metric": "height", "scale": 1e-100}]
    trials = bench.run(analysed_by("large", budget={"trials": 2}, objective={"terms": terms})).trials
    assert {(t.state, t.cause) for t in trials} == {(TrialState.QUARANTINED, Cause.DATA)}
    assert "its score, 1e+200" in trials[0].reason


def test_what_failed_as_the_analysis_gave_no_number_is_taken_up_without_being_named(bench: Bench) -> None:
    benches.CHOOSY[0] = 2.0
    try:
        bench.run(analysed_by("choosy", budget={"trials": 4}))
    finally:
        benches.CHOOSY[0] = 0.6
    assert states(bench) == [TrialState.FAILED] * 4
    benches.CHOOSY[0] = -9.0
    told(bench)
    benches.CHOOSY[0] = 0.6
    assert states(bench) == [TrialState.COMPLETED] * 4
