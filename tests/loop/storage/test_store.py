import errno
import math
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.exc import IntegrityError

from campaigns.decisions import ReleaseTrial
from campaigns.errors import StoreError
from campaigns.values import Candidate, MetricValue, TrialState
from loop.core.campaign_records import CampaignRecord
from loop.core.proposals import Alternative, Proposal
from loop.core.records import StepRecord, TrialResult
from loop.storage.reader import BEST, POSTERIOR, REGRET, Reader
from loop.storage.store import Store

CAMPAIGN = CampaignRecord("test", "name: test", 3, "f1", 100.0)
CANDIDATE = Candidate({"temperature": 0.1 + 0.2, "atmosphere": "air", "turns": 3}, "LiCoO2-layered")
PROPOSAL = Proposal(
    "model",
    acquisition=-1.25,
    predictions={"capacity": MetricValue(1 / 3, 2 / 3, "mAh/g")},
    score=(0.1, 0.2),
    feasibility=0.9,
    learnt_from=(0, 2),
    pending=(1,),
    models={"capacity": {"kind": "gp", "hyper_parameters": {"slope": [0.5]}}},
    alternatives=(Alternative(Candidate({"temperature": 1.0}), -2.0),),
)


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'store.db'}"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(url(tmp_path))
    store.begin(CAMPAIGN, {"torch": "2"})
    store.propose(0, CANDIDATE, PROPOSAL, 5.0)
    yield store
    store.close("")


def step(attempt: int = 1) -> StepRecord:
    return StepRecord("heat", attempt, "oven", f"token-{attempt}", TrialState.CLAIMED, None, None, None, "", 60.0)


def test_what_is_stored_comes_back_to_the_last_bit(store: Store) -> None:
    trial = store.trial(0)
    assert trial.candidate == CANDIDATE
    assert trial.proposal == PROPOSAL
    assert store.campaign() == CAMPAIGN
    assert store.sessions()[0].versions == {"torch": "2"}


def test_a_session_takes_no_time_when_the_system_clock_is_set(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    for days in (5, -5):
        monkeypatch.setattr(time, "time", lambda days=days: real() + days * 86_400.0)
        store.beat()
        (session,) = store.sessions()
        assert 0.0 <= session.ended - session.started < 60.0


def test_the_whole_line_of_a_trial(store: Store) -> None:
    store.claim(0, step(), 10.0)
    store.document("token-1", "start", {"uid": "run-1"}, 10.0)
    store.mark("token-1", TrialState.DISPATCHED, 11.0)
    store.document("token-1", "event", {"data": {"counts": np.arange(3), "note": b"ok"}}, 20.0)
    store.document("token-1", "stop", {"exit_status": "success"}, 20.0)
    store.measure("token-1", {"capacity": MetricValue(150.0, 1.5, "mAh/g")})
    trial = store.end(0, TrialResult(TrialState.COMPLETED, score=1.5, score_sd=0.1, feasible=True), 20.0)
    assert trial.metrics == {"capacity": MetricValue(150.0, 1.5, "mAh/g")}
    assert (trial.score, trial.feasible, trial.completed_order) == (1.5, True, 0)
    (record,) = trial.steps
    assert (record.started, record.ended, record.run_uid, record.cost) == (10.0, 20.0, "run-1", 60.0)
    assert [t.state.value for t in store.transitions(0)] == [
        "queued", "claimed", "running", "dispatched", "acquired", "completed",
    ]  # fmt: skip
    assert [d.kind for d in store.documents(0)] == ["start", "event", "stop"]
    assert store.event_data("token-1") == {"counts": [0, 1, 2], "note": "ok"}


@pytest.mark.parametrize(
    ("states", "forbidden"),
    [
        ([], TrialState.COMPLETED),
        ([TrialState.RUNNING], TrialState.QUARANTINED),
        ([TrialState.DISPATCHED], TrialState.COMPLETED),
        ([TrialState.DISPATCHED], TrialState.QUARANTINED),
        ([TrialState.FAILED], TrialState.COMPLETED),
    ],
)
def test_a_trial_never_jumps_or_comes_back(store: Store, states: list[TrialState], forbidden: TrialState) -> None:
    store.claim(0, step(), 10.0)
    for state in states:
        if state.ended:
            store.end(0, TrialResult(state), 12.0)
        else:
            store.mark("token-1", state, 11.0)
    before = store.trial(0)
    with pytest.raises(StoreError, match="allowed"):
        store.end(0, TrialResult(forbidden), 13.0)
    assert store.trial(0) == before


def test_a_failed_transaction_leaves_nothing_behind(store: Store) -> None:
    store.claim(0, step(), 10.0)
    with pytest.raises(Exception, match="cannot store object"):
        store.document("token-1", "start", {"uid": "run-1", "thing": object()}, 10.0)
    assert store.documents(0) == []
    assert store.trial(0).state is TrialState.CLAIMED


def test_nan_survives(store: Store) -> None:
    store.claim(0, step(), 10.0)
    store.document("token-1", "event_page", {"data": {"counts": [1.0, float("nan")]}}, 10.0)
    assert math.isnan(store.documents(0)[0].body["data"]["counts"][1])


def test_only_one_process_may_write(store: Store, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="another process runs"):
        Store(url(tmp_path))
    store.close("done")
    again = Store(url(tmp_path))
    again.begin(CAMPAIGN, {})
    assert [s.outcome for s in again.sessions()] == ["done", ""]
    again.close("again")


def test_a_store_of_another_campaign_is_refused(store: Store, tmp_path: Path) -> None:
    store.close("done")
    other = Store(url(tmp_path))
    with pytest.raises(StoreError, match=r"(?s)holds campaign 'test' with seed 3.*--store"):
        other.begin(CampaignRecord("other", "name: other", 1, "f2", 0.0), {})
    other.close("refused")
    assert [s.outcome for s in Reader(url(tmp_path)).sessions()] == ["done"]


def test_the_file_is_in_wal_mode_and_committed_data_outlive_the_process(store: Store, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "store.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert other.execute("SELECT count(*) FROM trial").fetchone() == (1,)
    other.close()


def test_what_is_kept_for_the_report_comes_back_by_kind_and_is_replaced_by_name(store: Store, tmp_path: Path) -> None:
    store.keep("material", "b", {"formula": "LiF", "place": np.array([0.5, 1.0])})
    store.keep("material", "a", {"formula": "NaCl"})
    store.keep("material", "a", {"formula": "KCl"})
    store.keep("pool", "salts", {"size": 2})
    assert list(store.artefacts("material").items()) == [
        ("a", {"formula": "KCl"}),
        ("b", {"formula": "LiF", "place": [0.5, 1.0]}),
    ]
    assert Reader(url(tmp_path)).artefacts("pool") == {"salts": {"size": 2}}
    assert store.artefacts("spectrum") == {}


def test_what_is_not_believed_is_told_with_its_trial_until_it_is_believed_again(store: Store) -> None:
    store.set_outliers({0: "far too much"})
    assert [t.outlier for t in store.trials()] == [store.trial(0).outlier] == ["far too much"]
    store.set_outliers({})
    assert store.trial(0).outlier == ""


@pytest.mark.parametrize("decision", ["release", "withdraw", "reanalyse", "complete"])
def test_what_was_concluded_from_values_falls_with_them(store: Store, decision: str) -> None:
    quarantined = decision in ("release", "withdraw")
    state = TrialState.QUARANTINED if quarantined else TrialState.COMPLETED
    store.claim(0, step(), 10.0)
    store.document("token-1", "start", {"uid": "run-1"}, 10.0)
    store.mark("token-1", TrialState.DISPATCHED, 11.0)
    store.document("token-1", "event", {"data": {}}, 20.0)
    store.measure("token-1", {"capacity": MetricValue(150.0, 1.5, "mAh/g")})
    ended = store.end(0, TrialResult(state), 20.0)
    for kind, name in ((REGRET, "0"), (POSTERIOR, BEST)):
        store.keep(kind, name, {})
    store.propose(1, CANDIDATE, PROPOSAL, 5.0)
    store.set_outliers({0: "too good", 1: "too bad"})
    (asked,) = store.amend([ReleaseTrial(trial=0)], ("somebody", "looked at it"), {})
    match decision:
        case "release":
            store.release(0, {}, 30.0, asked)
        case "withdraw":
            store.end(0, TrialResult(TrialState.WITHDRAWN), 30.0, asked.number)
        case "reanalyse":
            store.reanalyse(0, {}, 30.0, asked)
        case _:
            store.complete({0: ended}, asked.number, 30.0, {0: "more"})
    assert not store.artefacts(REGRET)
    assert not store.artefacts(POSTERIOR)
    still = {0, 1} if decision == "complete" else {1}
    assert {trial.number for trial in store.trials() if trial.outlier} == still


def test_a_killed_change_of_suspicions_leaves_those_of_before(tmp_path: Path, store: Store) -> None:
    store.set_outliers({0: "far too much"})
    with pytest.raises(IntegrityError):
        store.set_outliers({0: "too little", 7: "there is no such trial"})
    assert Reader(url(tmp_path)).trial(0).outlier == "far too much"


def test_a_read_only_disk_is_told_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "touch", fail)
    with pytest.raises(StoreError, match=r"other.db cannot be opened or written: Read-only file system; .*its disk"):
        Store(f"sqlite:///{tmp_path / 'other.db'}")
