"""A campaign that is amended while it lives: by operators beside the run, and by itself; killed or not."""

import signal
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.amendments import AddTrial, Change, FixParameter, SetBounds
from campaigns.campaign import Campaign
from campaigns.values import Scalar, TrialState
from loop.core.events import Amended
from loop.core.journal import Amendment
from loop.core.proposals import OPERATOR
from loop.execution.decisions.pending_amendments import rescored
from loop.execution.options import SessionResult
from loop.report.campaign_report import write_report
from loop.report.report_content import read_content
from loop.storage.journal_writer import Journal
from loop.storage.reader import Reader
from loop.terminal.log_lines import line
from tests.forks import forked
from tests.loop.campaign_runs.test_run import begun_once, facts
from tests.loop.conftest import Bench, quick
from tests.loop.living import WHEN, growing, run

pytestmark = pytest.mark.slow

KILLS = (f"trial {WHEN}: proposed", "amendment 1 by", f"trial {WHEN + 1}: proposed (operator", "grows to", "(model)")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, SessionResult]:
    bench = Bench(tmp_path_factory.mktemp("whole"))
    return bench, run(bench)


def journal(bench: Bench) -> list[Amendment]:
    return Reader(bench.url).amendments()


def test_amendments_hold_from_the_next_trial_on_and_each_trial_knows_its_version(
    whole: tuple[Bench, SessionResult],
) -> None:
    bench, outcome = whole
    weights, fixed, asked, *grown = journal(bench)
    assert [weights.first, fixed.first, asked.first] == [WHEN + 1] * 3
    versions = [t.proposal.version for t in outcome.trials]
    assert versions[: WHEN + 2] == [0] * (WHEN + 1) + [fixed.number]
    latest = {t.number: max([2, *(a.number for a in grown if (a.first or 0) <= t.number)]) for t in outcome.trials}
    assert versions[WHEN + 1 :] == [latest[t.number] for t in outcome.trials[WHEN + 1 :]]
    told = [line(event, {}) for event in bench.events if isinstance(event, Amended)]
    assert told[0].endswith(f"weight of capacity is 1, weight of phase_fraction is 3, from trial {WHEN + 1} on "
                            "(voltage is settled)")  # fmt: skip


def test_past_trials_are_ranked_by_the_weights_in_force(whole: tuple[Bench, SessionResult]) -> None:
    bench, outcome = whole
    data = growing()
    for term, weight in zip(data["objective"]["terms"], (1, 3), strict=True):
        term["weight"] = weight
    expected = rescored(Campaign(**data), outcome.trials)
    assert {t.number: t.score for t in outcome.trials if t.number in expected} == {
        number: verdict.score for number, verdict in expected.items()
    }
    assert [t.score for t in Reader(bench.url).trials()] == [t.score for t in outcome.trials]


def test_what_is_fixed_stays_so_and_what_waits_outside_is_withdrawn(whole: tuple[Bench, SessionResult]) -> None:
    _, outcome = whole
    after = outcome.trials[WHEN + 1 :]
    assert {t.candidate.parameters["atmosphere"] for t in after} == {"oxygen"}
    waiting = outcome.trials[WHEN]
    assert waiting.candidate.parameters["atmosphere"] != "oxygen"
    assert waiting.state is TrialState.WITHDRAWN
    assert sum(t.counted for t in outcome.trials) == 16


def test_a_trial_that_was_asked_for_is_run_next(whole: tuple[Bench, SessionResult]) -> None:
    bench, outcome = whole
    asked = outcome.trials[WHEN + 1]
    assert asked.proposal.generator == OPERATOR
    assert asked.proposal.reason.endswith(": as in the paper")
    assert asked.candidate.parameters == {
        "temperature": 698.0, "time": 36.0, "ramp_rate": 5.0, "lithium_excess": 4, "atmosphere": "oxygen"
    }  # fmt: skip
    assert asked.state is TrialState.COMPLETED
    assert isinstance(journal(bench)[2].change, AddTrial)


def test_a_bound_grows_against_which_the_optimum_presses(whole: tuple[Bench, SessionResult]) -> None:
    bench, outcome = whole
    grown = [a for a in journal(bench) if a.author == "growth"]
    assert grown
    assert all(isinstance(a.change, SetBounds) and a.change.parameter == "temperature" for a in grown)
    temperatures = [float(t.candidate.parameters["temperature"]) for t in outcome.trials]
    assert max(temperatures[: grown[0].first]) <= 700 < max(temperatures[grown[0].first :])


def test_the_report_shows_all_trials_by_the_latest_weights(whole: tuple[Bench, SessionResult], tmp_path: Path) -> None:
    bench, outcome = whole
    content = read_content(Reader(bench.url))
    assert [term.weight for term in content.objective.terms] == [1, 3]
    assert all(content.campaign.space.contains(t.candidate) for t in outcome.trials)
    compared = {pair.trial.number for pair in content.pairs["score"]}
    assert compared == {t.number for t in outcome.trials if t.score is not None and t.proposal.score is not None}
    before = [replace(t, proposal=replace(t.proposal, version=0)) for t in outcome.trials]
    assert "score" not in replace(content, trials=before).pairs  # predicted by other weights
    page = write_report(Reader(bench.url), tmp_path / "report.html").read_text()
    assert "temperature grows to" in page


def test_what_turns_out_to_be_impossible_is_refused_when_it_is_taken_over(bench: Bench) -> None:
    data = quick(budget={"trials": 2}, planner={"initial": 2})
    bench.run(data, max_trials=1)
    asked: dict[str, Scalar] = {
        "temperature": 700,
        "time": 9,
        "ramp_rate": 5,
        "lithium_excess": 1,
        "atmosphere": "argon",
    }
    changes: list[Change] = [
        SetBounds(parameter="temperature", low=700, high=2000),  # as if the furnace had stated other limits before
        FixParameter(parameter="atmosphere", value="air"),
        AddTrial(parameters=asked),
    ]
    Journal(bench.url).amend(changes, ("ada", "what if"), {})
    outcome = bench.run(data)
    hot, fixed, argon = journal(bench)
    assert "temperature got 2000 degC; allowed:" in hot.refused
    assert (hot.first, fixed.first, fixed.refused) == (None, 1, "")
    assert "outside of the current space" in argon.refused
    assert [t.candidate.parameters["atmosphere"] for t in outcome.trials[1:]] == ["air"]
    told = [line(event, {}) for event in bench.events if isinstance(event, Amended)]
    assert [" refused: " in text for text in told] == [True, False, True]


def test_killed_and_resumed_equals_uninterrupted(whole: tuple[Bench, SessionResult], tmp_path: Path) -> None:
    bench, expected = whole
    for moment in KILLS:
        assert forked(run, Bench(tmp_path), moment) == -signal.SIGKILL, moment
    assert forked(run, Bench(tmp_path)) == 0
    found = Bench(tmp_path)
    trials = tuple(Reader(found.url).trials())
    assert facts(trials) == facts(expected.trials)
    assert [t.proposal.version for t in trials] == [t.proposal.version for t in expected.trials]
    assert [(a.change, a.first, a.reason) for a in journal(found)] == [
        (a.change, a.first, a.reason) for a in journal(bench)
    ]
    assert begun_once(found)
