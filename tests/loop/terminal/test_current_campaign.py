"""What status says of stopping rules, weights and space as they are now."""

from dataclasses import asdict, replace
from pathlib import Path

from campaigns.amendments import AddLevel, CampaignChange, FixParameter, SetBounds, SetWeights
from loop.core.campaign_records import CampaignRecord
from loop.core.campaign_version import as_scored
from loop.core.journal import Amendment
from loop.core.records import RegretEstimate
from loop.storage.reader import REGRET, Reader
from loop.storage.store import Store
from loop.terminal.current_campaign import amended_rows, stopping_rows
from loop.terminal.status_view import status_rows
from tests import stores
from tests.trials import campaign


def now(*changes: CampaignChange) -> list[tuple[str, str]]:
    journal = [Amendment(i, 0.0, "me", "why", change, first=i) for i, change in enumerate(changes, 1)]
    return amended_rows(campaign(), as_scored(campaign(), journal).campaign)


def test_only_what_is_no_longer_as_in_the_file_is_shown() -> None:
    assert now() == []
    weights = "maximise capacity 3, target mean_voltage 2 (in the file: maximise capacity 3, target mean_voltage 1)"
    assert now(SetWeights(weights={1: 2.0})) == [("weights now", weights)]
    assert now(
        SetBounds(parameter="temperature", low=600.0, high=900.0),
        FixParameter(parameter="time", value=4.0),
        AddLevel(parameter="atmosphere", level="oxygen"),
    ) == [
        ("space now", "temperature: 600 to 900 degC (in the file: 500 to 900 degC)"),
        ("space now", "time: fixed at 4 h (in the file: 1 to 100 h)"),
        ("space now", "atmosphere: air, <argon>, oxygen (in the file: air, <argon>)"),
    ]
    assert now(FixParameter(parameter="atmosphere", value="air"))[0][1].startswith("atmosphere: fixed at air (")


def test_status_says_how_far_each_rule_is(tmp_path: Path) -> None:
    store = Reader(f"sqlite:///{stores.fill(tmp_path).with_suffix('.db')}")
    assert [text for label, text in status_rows(store) if label == "stopping rule"] == [
        "a trial has reached the target score 15.2 with probability 0.5; so far: trial 0 with probability 0.159",
        "no improvement in 4 trials; so far: 0 of 4 trials, on 15",
    ]


def test_what_was_measured_for_other_weights_is_no_attempt(tmp_path: Path) -> None:
    store = Reader(f"sqlite:///{stores.fill(tmp_path).with_suffix('.db')}")
    later = [*store.trials(), replace(store.trial(0), number=4, completed_order=1, score=14.0)]
    assert "so far: 1 of 4 trials" in stopping_rows(store, later)[1][1]
    assert "so far: 0 of 4 trials" in stopping_rows(store, later, first=5)[1][1]


def test_before_a_run_has_taken_up_new_weights_nothing_by_the_earlier_ones_counts(tmp_path: Path) -> None:
    file = stores.fill(tmp_path)
    store = Store(f"sqlite:///{file.with_suffix('.db')}")
    estimate = RegretEstimate(0, (15.0, 0.2), ((15.2, 0, 0.137),), (), None)
    store.keep(REGRET, "0", asdict(estimate))
    before = dict(status_rows(store))
    assert before["regret estimate"].startswith("after trial 0: the best is expected to be trial 0 with score 15.00")
    store.amend([SetWeights(weights={0: 2.0})], ("me", "why"), {})
    rows = status_rows(store)
    assert dict(rows)["regret estimate"] == "known once trial 4 is completed, as the campaign was amended"
    target, stagnation = (text for label, text in rows if label == "stopping rule")
    assert target.endswith("so far: trial 0 with probability 0.159"), "by its measurement alone"
    assert "so far: 0 of 4 trials" in stagnation


def test_where_nothing_was_completed_nothing_is_called_infeasible(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'small.db'}")
    store.begin(CampaignRecord("small", stores.CAMPAIGN, 1, "print", 1.7e9), {})
    assert dict(status_rows(store))["best measured"] == "no trial was completed"
    store.close("")
