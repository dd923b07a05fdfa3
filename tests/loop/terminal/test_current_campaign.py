"""What status says of stopping rules, weights and space as they are now."""

from dataclasses import replace
from pathlib import Path

from campaigns.amendments import AddLevel, CampaignChange, FixParameter, SetBounds, SetWeights
from loop.core.campaign_version import as_scored
from loop.core.journal import Amendment
from loop.storage.reader import Reader
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
