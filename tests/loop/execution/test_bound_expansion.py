from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.values import Candidate
from loop.core.records import TrialRecord
from loop.execution.bound_expansion import expand_bounds
from tests.trials import campaign, completed

WIDE = {"kind": "float", "unit": "degC", "low": 500, "high": 900, "lowest": 450, "highest": 1200}


def growing(**changes: Any) -> Campaign:
    temperature = {key: value for key, value in (WIDE | changes).items() if value is not None}
    parameters = {
        "temperature": temperature,
        "time": {"kind": "float", "unit": "h", "low": 1, "high": 100, "scale": "log", "highest": 5000},
        "atmosphere": {"kind": "categorical", "levels": ["air", "<argon>"]},
    }
    return campaign(space={"parameters": parameters}, planner={"initial": 4})


def trials(*temperatures: float, time: float = 10.0) -> list[TrialRecord]:
    """Return completed trials of as many candidates, the first one best."""
    return [
        completed(i, 200.0 - i, candidate=Candidate({"temperature": t, "time": time - 0.01 * i, "atmosphere": "air"}))
        for i, t in enumerate(temperatures)
    ]


def test_a_bound_grows_by_half_of_the_range_where_most_of_the_best_press_against_it() -> None:
    change, reason = expand_bounds(growing(), trials(895, 700, 890, 600, 870)) or pytest.fail("nothing grows")
    assert (change.parameter, change.low, change.high, change.grown) == ("temperature", 500, 1100, True)
    assert reason == "3 of the 5 best candidates lie next to temperature's high bound of 900 degC"


def test_a_bound_grows_no_further_than_the_campaign_allows() -> None:
    change, _ = expand_bounds(growing(), trials(505, 500, 510, 600)) or pytest.fail("nothing grows")
    assert (change.low, change.high) == (450, 900)
    assert expand_bounds(growing(lowest=None), trials(505, 500, 510, 600)) is None
    assert expand_bounds(growing(lowest=500), trials(505, 500, 510, 600)) is None


def test_where_a_front_is_looked_for_all_that_stand_on_it_are_looked_at() -> None:
    terms = [
        {"goal": "maximise", "metric": "capacity", "scale": "10 mAh/g"},
        {"goal": "minimise", "metric": "mean_voltage", "scale": "100 mV"},
    ]
    objective = {"terms": terms, "find": {"kind": "pareto"}}
    front = campaign(space=growing().space.model_dump(exclude_none=True), planner={"initial": 4}, objective=objective)
    hot = [one.candidate for one in trials(*[895.0] * 7)]
    behind = [completed(i, 10.0, 3.9, candidate=hot[i]) for i in (4, 5, 6)]
    on_it = [
        completed(i, 100.0 + 10 * i, 3.0 + 0.1 * i, candidate=one.candidate)
        for i, one in enumerate(trials(600, 650, 700, 895))
    ]
    assert expand_bounds(front, [*on_it, *behind]) is None
    more = [completed(i, 100.0 + 10 * i, 3.0 + 0.1 * i, candidate=hot[i]) for i in (2, 3, 4)]
    pressing = [*on_it[:2], *more]
    change, _ = expand_bounds(front, [*pressing, *behind[1:]]) or pytest.fail("nothing grows")
    assert change.high == 1100


def test_a_log_scale_grows_by_a_factor() -> None:
    change, _ = expand_bounds(growing(), trials(700, 710, 720, 600, time=99.0)) or pytest.fail("nothing grows")
    assert (change.parameter, change.low, change.high) == ("time", 1, 1000)


def test_a_whole_number_grows_by_whole_numbers() -> None:
    whole = growing(kind="integer", low=500, high=502, highest=600)
    change, _ = expand_bounds(whole, trials(502, 502, 501, 502)) or pytest.fail("nothing grows")
    assert (change.low, change.high) == (500, 503)


@pytest.mark.parametrize("temperatures", [(895, 700, 650, 890), (895, 890, 899), (700, 650, 750, 895)])
def test_nothing_grows_before_the_start_is_done_or_for_a_lone_trial(temperatures: tuple[float, ...]) -> None:
    assert expand_bounds(growing(), trials(*temperatures)) is None
