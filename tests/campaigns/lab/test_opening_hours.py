"""Hours of the week in which a station may be used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from pydantic import ValidationError

from campaigns.lab.opening_hours import CalendarConfig

MONDAY = datetime(2026, 11, 30)  # noqa: DTZ001 - local time
HOUR = timedelta(hours=1)


def opens(config: Mapping[str, object], begin: int, stays: float = 1.0) -> float | None:
    """Return how many hours after Monday's midnight a job may begin that is wanted some hours after it."""
    when = CalendarConfig.model_validate(config).opens(MONDAY + begin * HOUR, stays * HOUR)
    return None if when is None else (when - MONDAY) / HOUR


WEEK = {"hours": ["Mon-Fri 07:00-19:00", "Sat 08:00-12:00"]}


def test_a_job_may_begin_within_the_hours_and_has_to_wait_for_them_else() -> None:
    assert opens(WEEK, 12) == 12.0
    assert opens(WEEK, 0) == 7.0
    assert opens(WEEK, 19) == 31.0, "it closes at its end"
    assert opens(WEEK, 134) == 7 * 24 + 7
    assert opens(WEEK, 18, stays=100) == 18.0, "it may go on without anybody"


def test_where_somebody_has_to_be_there_a_job_also_ends_within_the_hours() -> None:
    attended = {**WEEK, "attended": True}
    assert opens(attended, 18, stays=1) == 18.0
    assert opens(attended, 18, stays=2) == 31.0
    assert opens(attended, 108, stays=8) == 7 * 24 + 7, "Saturday is too short"
    assert opens(attended, 0, stays=12.1) is None


def test_nights_go_on_after_midnight_and_hours_that_touch_are_one_time() -> None:
    night = {"hours": ["Fri 22:00-06:00"], "attended": True}
    assert opens(night, 119, stays=7) == 119
    assert opens(night, 122, stays=3) == 122
    assert opens({"hours": ["Mon-Wed 00:00-24:00"], "attended": True}, 0, stays=72) == 0.0
    assert opens({"hours": ["Sat-Mon 10:00-11:00"]}, 36) == 5 * 24 + 10, "a week has no end"


def test_a_closed_day_opens_nothing_but_the_night_before_goes_on() -> None:
    assert opens({**WEEK, "closed": ["2026-12-01", "2026-12-02"]}, 36) == 3 * 24 + 7
    assert opens({"hours": ["20:00-04:00"], "closed": ["2026-12-01"]}, 26) == 26


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Mo-Fri 07:00-19:00", "'Mo-Fri 07:00-19:00'; allowed: days and hours"),
        ("Mon-Fry 07:00-19:00", "'Fry' is no day; allowed: Mon, Tue"),
        ("25:00-26:00", "allowed: times from 00:00 to 24:00"),
        ("07:00-07:00", "lasts no time"),
        ("always", "allowed: days and hours"),
    ],
)
def test_what_says_no_hours_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        CalendarConfig.model_validate({"hours": [text]})
