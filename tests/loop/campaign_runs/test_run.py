"""The whole loop on the virtual lab: determinism, faults, interruption, and going on afterwards."""

import sqlite3
import threading
from collections import Counter
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from campaigns.errors import CampaignError, LabError, StoreError
from campaigns.values import Cause, TrialState
from loop.core.campaign_version import campaign_version
from loop.core.events import BestChanged, Event, Proposed, RegretEstimated, StepStarted, Stopping, TrialEnded, Warned
from loop.core.records import TrialRecord
from loop.execution.options import RunOptions, SessionResult
from loop.run import _dry_run_count
from loop.storage.reader import Reader
from simulators.job_ledger import JobLedger
from tests import trials
from tests.loop.conftest import Bench, quick

pytestmark = pytest.mark.slow


def facts(trials: tuple[TrialRecord, ...]) -> list[Any]:
    """What has to be equal in two runs: all but wall times and tokens."""
    return [
        (t.number, t.candidate, t.state, t.metrics, t.score, t.completed_order, replace(t.proposal), t.feasible)
        for t in trials
    ]


def faulty(kind: str, station: str, trial: int = 2) -> dict[str, Any]:
    return {"kind": "virtual", "faults": [{"trial": trial, "station": station, "kind": kind}]}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, SessionResult]:
    bench = Bench(tmp_path_factory.mktemp("whole"))
    return bench, bench.run(quick())


def test_a_campaign_completes_its_budget_and_keeps_every_document(whole: tuple[Bench, SessionResult]) -> None:
    bench, outcome = whole  # the models wait for three measurements, and two more trials begin meanwhile
    assert outcome.finished
    assert [t.state for t in outcome.trials] == [TrialState.COMPLETED] * 10
    assert [t.proposal.generator for t in outcome.trials] == ["space-filling"] * 7 + ["model"] * 3
    reader = Reader(bench.url)
    for trial in outcome.trials:
        kinds = Counter((d.step, d.kind) for d in reader.documents(trial.number))
        assert all(
            kinds[step, kind] == 1
            for step in ("calcine", "diffract", "cycle")
            for kind in ("start", "descriptor", "event", "stop")
        )
        assert all(m.unit and m.sd >= 0 for m in trial.metrics.values())


def test_every_trial_takes_its_states_in_order(bench: Bench) -> None:
    bench.run(quick(budget={"trials": 3}))
    expected = ["queued"] + ["claimed", "running", "dispatched", "acquired"] * 3 + ["completed"]
    reader = Reader(bench.url)
    for number in range(3):
        assert [t.state.value for t in reader.transitions(number)] == expected
        labs = [t.lab for t in reader.transitions(number)]
        assert labs == sorted(labs)


def test_same_seed_gives_the_same_trials_and_another_seed_others(
    whole: tuple[Bench, SessionResult], bench: Bench, bench_of: Any
) -> None:
    assert facts(bench.run(quick()).trials) == facts(whole[1].trials)
    other = bench_of("other").run(quick(seed=4, budget={"trials": 2}))
    assert not {t.candidate.key() for t in other.trials} & {t.candidate.key() for t in whole[1].trials}


def test_a_model_proposal_explains_itself(whole: tuple[Bench, SessionResult]) -> None:
    proposal = whole[1].trials[7].proposal
    assert set(proposal.predictions) == {"capacity", "mean_voltage", "phase_fraction"}
    assert all(m.sd > 0 and m.unit for m in proposal.predictions.values())
    assert proposal.acquisition is not None
    assert proposal.score is not None
    assert 0 <= (proposal.feasibility or 0.0) <= 1
    assert len(proposal.alternatives) == 5
    assert proposal.acquisition >= max(a.acquisition for a in proposal.alternatives)
    assert all(model["observations"] == len(proposal.learnt_from) for model in proposal.models.values())
    assert not set(proposal.learnt_from) & set(proposal.pending)


def test_stations_work_at_the_same_time_and_trials_under_way_are_bounded(whole: tuple[Bench, SessionResult]) -> None:
    spans = [(s.started, s.ended, s.station, t.number) for t in whole[1].trials for s in t.steps if s.ended]
    together = [(a, b) for a in spans for b in spans if a[2] < b[2] and a[0] < b[1] and b[0] < a[1]]
    assert {("furnace_1", "furnace_2"), ("cycler", "furnace_1")} <= {(a[2], b[2]) for a, b in together}
    begun = sorted({t: min(s[0] for s in spans if s[3] == t) for t in range(10)}.values())
    ended = sorted(max(s[1] for s in spans if s[3] == t) for t in range(10))
    for i, start in enumerate(begun):
        assert i - sum(e <= start for e in ended) < 4


@pytest.mark.parametrize(
    ("kind", "station", "state", "words"),
    [
        ("raise", "furnace_1", TrialState.FAILED, "driver failed"),
        ("hang", "diffractometer", TrialState.FAILED, "did not end within"),
        ("nan", "diffractometer", TrialState.QUARANTINED, "not finite"),
        ("dead", "cycler", TrialState.QUARANTINED, "cycle:"),
    ],
)
def test_a_failing_instrument_costs_its_trial_with_the_reason_and_the_campaign_goes_on(
    bench: Bench, kind: str, station: str, state: TrialState, words: str
) -> None:
    stations = ("furnace_1", "furnace_2") if station == "furnace_1" else (station,)
    faults = [{"trial": 2, "station": name, "kind": kind} for name in stations]
    count = 5 if state is TrialState.FAILED else 9  # models choose from the eighth on
    outcome = bench.run(quick(lab={"kind": "virtual", "faults": faults}, budget={"trials": count}))
    assert outcome.finished
    assert outcome.trials[2].state is state
    assert words in outcome.trials[2].reason
    assert outcome.trials[2].score is None
    assert [t.state for t in outcome.trials if t.number != 2] == [TrialState.COMPLETED] * (count - 1)
    known = set(outcome.trials[2].metrics)
    assert known == ({"phase_fraction"} if station == "cycler" else set())
    assert any(2 in t.proposal.learnt_from for t in outcome.trials) == bool(known)


def test_a_station_that_fails_time_after_time_is_used_no_more(bench: Bench) -> None:
    faults = [{"trial": n, "station": "furnace_1", "kind": "raise"} for n in range(10)]
    outcome = bench.run(quick(lab={"kind": "virtual", "faults": faults}))
    failed = [t for t in outcome.trials if t.state is TrialState.FAILED]
    assert [(t.cause, len(t.steps)) for t in failed] == [(Cause.LAB, 2)]
    assert sum(isinstance(e, Warned) and "furnace_1 has failed time after time" in e.text for e in bench.events) == 1
    assert outcome.finished


def test_samples_that_cannot_be_measured_do_not_speak_against_their_station(bench: Bench) -> None:
    data = quick(budget={"trials": 5})
    data["stations"]["cycler"] = {"kind": "device", "device": "tests.loop.picky:Picky"}
    outcome = bench.run(data)
    assert outcome.finished
    assert [t.state for t in outcome.trials] == [TrialState.FAILED] * 5
    assert all(t.reason.startswith("cycler: sample failed: the pellet is cracked") for t in outcome.trials)
    assert not any(isinstance(e, Warned) for e in bench.events)


def test_a_lab_without_a_usable_station_ends_the_session_and_another_one_goes_on(bench: Bench) -> None:
    faults = [{"trial": n, "station": "cycler", "kind": "raise"} for n in range(10)]
    with pytest.raises(LabError, match=r"cycle has no usable station left of cycler.*go on with"):
        bench.run(quick(lab={"kind": "virtual", "faults": faults}))
    outcome = bench.run(quick(budget={"trials": 7}))
    assert outcome.finished
    assert len(outcome.trials) == 7
    assert sum(t.state is TrialState.FAILED for t in outcome.trials) == 1


def test_ctrl_c_once_finishes_what_is_under_way_and_the_next_run_goes_on_as_if_nothing_had_been(bench: Bench) -> None:
    stop = threading.Event()

    def interrupt(event: Event) -> None:
        if isinstance(event, TrialEnded) and event.trial.completed_order == 3:
            stop.set()

    first = bench.run(quick(), interrupt, stop=stop)
    assert first.interrupted
    assert not first.finished
    assert not any(t.steps and not t.state.ended for t in first.trials)
    second = bench.run(quick())
    assert second.finished
    assert len(second.trials) == 10
    assert len({t.candidate.key() for t in second.trials}) == 10
    assert begun_once(bench)


def test_ctrl_c_twice_leaves_running_jobs_to_the_instruments_and_the_next_run_adopts_them(bench: Bench) -> None:
    stop, abort = threading.Event(), threading.Event()

    def interrupt(event: Event) -> None:
        if isinstance(event, StepStarted) and event.trial == 4 and event.step == "diffract":
            stop.set()
            abort.set()

    first = bench.run(quick(), interrupt, stop=stop, abort=abort)
    assert first.aborted
    assert any(not t.state.ended and t.steps for t in first.trials)
    assert bench.run(quick()).finished
    assert begun_once(bench)
    assert len(Reader(bench.url).trials()) == 10


def begun_once(bench: Bench) -> bool:
    """Return whether the instruments' own memory shows no step of a sample twice."""
    ledger = JobLedger(bench.folder / "test.lab" / "instruments.jsonl")
    counts = Counter((entry.sample, entry.step) for entry in ledger)
    ledger.close()
    return set(counts.values()) == {1}


def test_a_finished_campaign_does_nothing_more(bench: Bench) -> None:
    first = bench.run(quick(budget={"trials": 3}))
    bench.events.clear()
    again = bench.run(quick(budget={"trials": 3}))
    assert again.finished
    assert facts(again.trials) == facts(first.trials)
    assert not any(isinstance(e, Proposed | StepStarted) for e in bench.events)


def test_a_larger_budget_goes_on_where_the_smaller_one_ended(bench_of: Any) -> None:
    bench = bench_of("grown")
    bench.run(quick(budget={"trials": 4}))
    outcome = bench.run(quick(budget={"trials": 6}))
    assert len(outcome.trials) == 6
    assert all(t.state is TrialState.COMPLETED for t in outcome.trials)


def test_max_trials_bounds_a_session_not_the_campaign(bench: Bench) -> None:
    first = bench.run(quick(), max_trials=2)
    assert len(first.trials) == 2
    assert not first.finished
    assert len(bench.run(quick(), max_trials=3).trials) == 5


def test_a_dry_run_proposes_and_touches_nothing(bench: Bench) -> None:
    outcome = bench.run(quick(), dry_run=True)
    assert sum(isinstance(e, Proposed) for e in bench.events) == 3
    assert outcome.reason == (
        "3 proposals, unless --max-trials says otherwise, each without the results of those before it; nothing was "
        "moved, nothing was stored"
    )
    assert not outcome.finished
    assert list(bench.folder.iterdir()) == []


@pytest.mark.parametrize(
    ("budget", "asked", "count", "why"),
    [
        (4, None, 2, "2 proposals, as many as are left of the budget"),
        (9, 1, 1, "1 proposal, as --max-trials says"),
        (9, None, 3, "3 proposals, unless --max-trials says otherwise"),
        (2, 5, 0, "no proposal, as a run stops at once: all 2 trials of the budget are spent"),
    ],
)
def test_a_dry_run_says_why_it_shows_so_many(budget: int, asked: int | None, count: int, why: str) -> None:
    now = campaign_version(trials.campaign(budget={"trials": budget}), ())
    ended = [trials.completed(0, 100.0), trials.trial(1, TrialState.FAILED)]
    found, said = _dry_run_count(now, ended, RunOptions("", "", asked), 0.0)
    assert (found, said[: len(why)]) == (count, why)


def test_a_dry_run_says_that_trials_wait() -> None:
    waiting = trials.trial(0, TrialState.QUEUED)
    said = _dry_run_count(campaign_version(trials.campaign(), ()), [waiting], RunOptions("", ""), 0.0)[1]
    assert said.startswith("3 proposals, behind 1 trial that a run goes on with first, unless --max-trials")


def test_a_changed_campaign_is_refused_and_says_what_to_do(bench: Bench) -> None:
    bench.run(quick(budget={"trials": 2}))
    with pytest.raises(StoreError, match="changed since"):
        bench.run(quick(seed=99))


def test_a_space_outside_of_a_device_s_limits_is_refused_before_anything_moves(bench: Bench) -> None:
    data = quick()
    data["space"]["parameters"]["temperature"] |= {"high": "1300 degC"}
    data["space"]["constraints"] = []
    with pytest.raises(CampaignError, match=r"temperature got 1300.*allowed: 100 to 1200"):
        bench.run(data)
    assert not any(isinstance(e, StepStarted) for e in bench.events)


def test_the_stopping_rules_and_the_incumbent_are_reported(bench: Bench) -> None:
    outcome = bench.run(quick(stopping=[{"kind": "target", "score": 1.0}]))
    assert outcome.finished
    assert "target score" in outcome.reason
    assert any(isinstance(e, BestChanged) for e in bench.events)
    assert any(isinstance(e, Stopping) and e.reason == outcome.reason for e in bench.events)


def test_what_is_left_to_hope_for_is_kept_and_decides_the_same_after_a_kill(bench: Bench) -> None:
    rules = [{"kind": "target", "score": 100.0}, {"kind": "no_better", "improvement": 50.0, "probability": 0.5}]
    data = quick(stopping=rules, budget={"trials": 30})
    outcome = bench.run(data)
    assert outcome.reason.startswith("a candidate better than trial")
    ahead = [e for e in bench.events if isinstance(e, RegretEstimated)]
    kept = {t.number: t.regret for t in Reader(bench.url).trials() if t.regret}
    assert kept == {e.trial: e.regret for e in ahead}
    assert all(regret.reached[0][0] == 100.0 for regret in kept.values())
    with closing(sqlite3.connect(bench.folder / "test.db")) as store, store:  # as if it was killed before that was kept
        store.execute("DELETE FROM artefact WHERE kind = 'regret estimate' AND name = ?", (str(ahead[-1].trial),))
    again = bench.run(data)
    assert again.finished
    assert again.reason.startswith("a candidate better than trial")
    assert len(again.trials) == len(outcome.trials)
    assert [e for e in bench.events if isinstance(e, RegretEstimated)][-1] == ahead[-1]


def test_a_small_finite_space_is_searched_to_its_end_without_repeats(bench: Bench) -> None:
    data = quick(budget={"trials": 20}, planner={"initial": 3})
    data["space"] = {
        "parameters": {
            "temperature": {"kind": "ordinal", "unit": "degC", "levels": [750, 850]},
            "atmosphere": {"kind": "categorical", "levels": ["air", "oxygen", "argon"]},
        }
    }
    data["workflow"][0]["recipe"] = {"temperature": "$temperature", "time": "12 h", "atmosphere": "$atmosphere"}
    outcome = bench.run(data)
    assert outcome.finished
    assert "every candidate" in outcome.reason
    assert len({t.candidate.key() for t in outcome.trials}) == len(outcome.trials) == 6
