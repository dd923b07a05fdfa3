"""What status says of stopping rules, weights and space as they are now."""

from collections.abc import Callable
from pathlib import Path

import pytest

from campaigns.amendments import AddLevel, CampaignChange, FixParameter, SetBounds, SetWeights
from loop.core.campaign_version import as_scored
from loop.core.journal import Amendment
from loop.storage.reader import Reader
from loop.terminal.current_campaign import amended_rows
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


@pytest.fixture
def status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[tuple[str, str]]]:
    def rows(more: str) -> list[tuple[str, str]]:
        monkeypatch.setattr(stores, "CAMPAIGN", stores.CAMPAIGN + more)
        return status_rows(Reader(f"sqlite:///{stores.fill(tmp_path).with_suffix('.db')}"))

    return rows


def test_status_says_how_far_each_rule_is(status: Callable[[str], list[tuple[str, str]]]) -> None:
    rules = "stopping: [{kind: target, score: 15.2}, {kind: stagnation, trials: 4}]\n"
    assert [text for label, text in status(rules) if label == "stopping rule"] == [
        "a trial has reached the target score 15.2 with probability 0.5; so far: trial 0 with probability 0.159",
        "no improvement in 4 trials; so far: 0 of 4 trials, on 15",
    ]
