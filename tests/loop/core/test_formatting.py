"""Values in words, as they are printed and logged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from campaigns.amendments import (
    AddLevel,
    AddTrial,
    Change,
    FixParameter,
    ReleaseParameter,
    RemoveLevel,
    SetBounds,
    SetWeights,
)
from campaigns.decisions import ReanalyseTrial, ReleaseTrial, WithdrawTrial
from campaigns.values import Candidate, Cause, MetricValue, TrialState
from loop.core.formatting import (
    best_text,
    candidate_text,
    change_text,
    counted,
    duration,
    format_uncertain,
    metrics_text,
    number_text,
    numbers_text,
    one_line,
    outcome_text,
    posterior_text,
    regret_text,
    since_text,
    state_text,
    trials_text,
)
from loop.core.journal import Amendment
from loop.core.records import PosteriorBest, RegretEstimate
from tests.trials import campaign, completed, trial


@pytest.mark.parametrize(
    ("value", "sd", "text"),
    [
        (182.3123, 4.123, "182.3 ± 4.1"),
        (182.3123, 0.04123, "182.312 ± 0.041"),
        (182.3123, 41.23, "182 ± 41"),
        (1.0, 1e-9, "1 ± 1e-09"),
        (7.401e-17, 4e-17, "(7.4 ± 4.0)e-17"),
        (182.3123, 0.0, "182.3"),
        (182.3123, None, "182.3"),
        (float("nan"), 1.0, "nan"),
        (-0.0, None, "0"),
        (-0.001, 1.0, "0.0 ± 1.0"),
        (None, 1.0, "–"),
    ],
)
def test_a_number_has_as_many_digits_as_its_uncertainty_has_significant_ones(
    value: float | None, sd: float | None, text: str
) -> None:
    assert format_uncertain(value, sd) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (1340.4, 3, "1340"),
        (123456.7, 4, "123457"),
        (9999.96, 4, "10000"),
        (12.345, 3, "12.3"),
        (-0.0, 3, "0"),
        (1.2e-6, 3, "1.2e-06"),
        (6.02e23, 3, "6.02e+23"),
        (float("inf"), 3, "inf"),
    ],
)
def test_numbers_are_as_people_write_them(value: float, digits: int, text: str) -> None:
    assert number_text(value, digits) == text


def test_text_from_elsewhere_stays_in_its_line_and_moves_no_cursor() -> None:
    assert one_line("a\nb\t\x1b[2Jc  d") == "a b [2Jc d"


def test_a_candidate_has_its_material_first_and_the_units_of_its_parameters() -> None:
    candidate = Candidate({"temperature": 612.34567, "turns": 3, "atmosphere": "air"}, "LiF")
    assert candidate_text(candidate, {"temperature": "degC", "turns": "1"}) == (
        "LiF, temperature 612.3 degC, turns 3, atmosphere air"
    )


def test_only_metrics_that_are_there_are_listed() -> None:
    metrics = {"voltage": MetricValue(3.51, 0.02, "V"), "loss": MetricValue(0.5, 0.0, "1")}
    assert metrics_text(metrics, ["loss", "capacity", "voltage"]) == "loss 0.5, voltage 3.510 ± 0.020 V"


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (SetWeights(weights={0: 2.5}), "weight of capacity is 2.5"),
        (SetBounds(parameter="temperature", low=550.0, high=800.0), "temperature is 550 to 800 degC"),
        (SetBounds(parameter="temperature", low=500.0, high=950.0, grown=True), "temperature grows to 500 to 950 degC"),
        (FixParameter(parameter="time", value=12.0), "time is fixed at 12 h"),
        (ReleaseParameter(parameter="time"), "time is released"),
        (AddLevel(parameter="atmosphere", level="oxygen"), "atmosphere may be oxygen"),
        (RemoveLevel(parameter="atmosphere", level="oxygen"), "atmosphere may no longer be oxygen"),
        (AddTrial(parameters={"temperature": 600.0}), "trial of temperature 600 degC"),
        (ReleaseTrial(trial=3), "trial 3 is released"),
        (WithdrawTrial(trial=3), "trial 3 is withdrawn"),
        (ReanalyseTrial(trial=3), "trial 3 is analysed anew"),
    ],
)
def test_every_change_is_told_in_the_units_of_the_campaign(change: Change, text: str) -> None:
    assert change_text(campaign(), change) == text


@pytest.mark.parametrize(
    ("change", "state", "text"),
    [
        (SetWeights(weights={0: 2.0}), {}, "waits for a run"),
        (SetWeights(weights={0: 2.0}), {"refused": "no"}, "refused: no"),
        (SetWeights(weights={0: 2.0}), {"first": 4}, "from trial 4 on"),
        (AddTrial(parameters={}), {"first": 4}, "trial 4"),
        (WithdrawTrial(trial=4), {"first": 4}, "done"),
    ],
)
def test_it_is_told_since_when_an_amendment_holds(change: Change, state: dict[str, Any], text: str) -> None:
    assert since_text(replace(Amendment(1, 0.0, "kim", "why", change), **state)) == text


def test_trials_are_counted_and_listed_in_words() -> None:
    assert [trials_text(numbers) for numbers in ([5], [3, 5], [1, 3, 5])] == [
        "trial 5",
        "trials 3 and 5",
        "trials 1, 3 and 5",
    ]
    assert [numbers_text(4, count) for count in (1, 3)] == ["trial 4", "trials 4 to 6"]
    assert [counted(count, "row") for count in (0, 1, 2)] == ["0 rows", "1 row", "2 rows"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (600, "10 min"), (123.9, "2 min 3 s"), (3723, "1 h 2 min"), (360000, "100 h")],
)
def test_a_duration_says_its_units_and_has_seconds_below_an_hour_only(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_how_a_trial_stands_says_what_a_failure_speaks_of() -> None:
    failed = trial(0, TrialState.FAILED, reason="make: no", cause=Cause.LAB)
    assert (state_text(failed), outcome_text(failed)) == ("failed (lab)", "failed (lab): make: no")
    assert state_text(completed(0, 100.0, score=None)) == "completed in part"
    assert outcome_text(completed(0, 100.0)).startswith("completed: score 7.50 ± ")
    assert outcome_text(completed(0, 40.0), "x >= 1").endswith(", breaks x >= 1")


def test_the_best_by_the_posterior_is_told_with_its_interval_and_with_its_feasibility_where_that_is_in_doubt() -> None:
    sure = PosteriorBest(4, 16.1234, (15.4321, 16.9876), 0.999, 12)
    assert posterior_text(sure) == "trial 4, score 16.1, 95 % interval 15.4 to 17.0"
    assert posterior_text(replace(sure, feasibility=0.8)).endswith(", feasible with probability 0.8")
    assert best_text(None) == "none is feasible"


def test_every_figure_of_an_expected_regret_is_told() -> None:
    regret = RegretEstimate(4, (16.12, 0.42), ((20.0, 3, 0.25),), ((1.5, 0.125),), 0.375)
    assert regret_text(regret) == (
        "the best is expected to be trial 4 with score 16.12 ± 0.42; trial 3 reaches 20 with probability 0.25; "
        "one better by more than 1.5 exists with probability 0.12; expected gain 0.38"
    )
