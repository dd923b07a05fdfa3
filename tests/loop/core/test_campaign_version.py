"""Which campaign holds for the next trial, and by which one all trials are scored and shown."""

from __future__ import annotations

from campaigns.amendments import Change, SetBounds, SetWeights
from loop.core.campaign_version import (
    as_scored,
    as_shown,
    campaign_version,
    first_trial,
    metric_order,
    parameter_units,
)
from loop.core.journal import Amendment
from tests.trials import campaign

NARROW = SetBounds(parameter="temperature", low=550.0, high=800.0)
WEIGH = SetWeights(weights={0: 9.0})


def written(number: int, change: Change, first: int | None = None, refused: str = "") -> Amendment:
    return Amendment(number, 1.7e9, "kim", "a reason", change, first, refused)


def bounds(config: object) -> tuple[float, float]:
    temperature = config.parameters["temperature"]  # type: ignore[attr-defined]
    return temperature.low, temperature.high


def test_without_amendments_the_file_holds_as_it_stands() -> None:
    now = campaign_version(campaign(), [])
    assert (now.campaign.space, now.version, now.first) == (campaign().space, 0, 0)


def test_what_waits_or_was_refused_is_not_in_force() -> None:
    now = campaign_version(campaign(), [written(1, NARROW), written(2, WEIGH, refused="no")])
    assert now.campaign.space == campaign().space
    assert now.campaign.objective == campaign().objective
    assert now.version == 0


def test_a_narrowed_space_holds_from_its_trial_on_and_every_earlier_trial_keeps_its_place() -> None:
    now = campaign_version(campaign(), [written(1, WEIGH, 3), written(2, NARROW, 7)])
    assert bounds(now.campaign.space) == (550.0, 800.0)
    assert bounds(now.enclosing_space) == (500.0, 900.0)
    assert (now.version, now.first) == (2, 7)


def test_trials_are_scored_by_weights_that_wait_while_the_space_waits_with_them() -> None:
    now = as_scored(campaign(), [written(1, WEIGH), written(2, NARROW)])
    assert now.campaign.objective.terms[0].weight == 9.0
    assert now.campaign.space == campaign().space


def test_trials_are_shown_by_the_latest_weights_in_a_space_with_room_for_all() -> None:
    shown = as_shown(campaign(), [written(1, WEIGH), written(2, NARROW, 7)])
    assert shown.objective.terms[0].weight == 9.0
    assert bounds(shown.space) == (500.0, 900.0)


SOURCE = """\
space:
  parameters:
    temperature: {kind: float, unit: degC, low: 500, high: 900}
    turns: {kind: integer, low: 1, high: 3}
    atmosphere: {kind: categorical, levels: [air, argon]}
  mixtures:
    powder: {unit: percent, components: {lithium: {}, nickel: {}}}
metrics: {voltage: {kind: measured, unit: V}, capacity: {kind: measured, unit: mAh/g}}
"""


def test_units_and_the_order_of_metrics_are_read_from_a_files_text() -> None:
    assert parameter_units(SOURCE) == {
        "temperature": "degC",
        "turns": "1",
        "atmosphere": "",
        "lithium": "percent",
        "nickel": "percent",
    }
    assert metric_order(SOURCE) == ("voltage", "capacity")


def test_an_amendment_that_waits_holds_from_the_next_trial_on() -> None:
    assert first_trial([], 9) == 0
    assert first_trial([written(1, WEIGH, 3)], 9) == 3
    assert first_trial([written(1, WEIGH, 3), written(2, NARROW)], 9) == 9
    assert first_trial([written(1, WEIGH, 3), written(2, NARROW, refused="no")], 9) == 3
