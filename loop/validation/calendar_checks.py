"""Whether every step can be begun at some time, by the calendars of its stations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from campaigns.campaign import Campaign
from campaigns.errors import Problem
from campaigns.fidelity import all_steps
from campaigns.lab.opening_hours import CalendarConfig
from campaigns.values import lab_time
from loop.validation.time_limits import expected_duration


def calendar_problems(campaign: Campaign) -> Iterator[Problem]:
    """Yield the steps that no station of theirs can ever begin, or not with every recipe of the space."""
    if campaign.rules is None:
        return
    calendars = {name: station.calendar for name, station in campaign.rules.stations.items()}
    now = datetime.now()  # noqa: DTZ005 - calendars go by the local time
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        there, takes = [calendars.get(name) for name in step.stations], partial(expected_duration, campaign, step)
        reasons = [why for one in there if one is not None and (why := _never(one, now, takes))]
        if len(reasons) == len(there):
            why = "; ".join(dict.fromkeys(reasons))
            yield Problem(f"{where}.stations", f"{why}; change the calendar of {' or '.join(step.stations)}")


def _never(calendar: CalendarConfig, now: datetime, takes: Callable[[float], tuple[float, float]]) -> str:
    """Return why a step can never be begun by a calendar; empty if it can."""
    longest = calendar.longest(now)
    if not longest:
        return "it is closed on all days of the next year"
    most = longest.total_seconds()
    if calendar.attended and (stays := takes(most)[0]) > most:
        ends = f"has to end while somebody is there, which is for {lab_time(most)} at most"
        advice = "state duration, where that is shorter than its time limit"
        return f"the step takes up to {lab_time(stays)}, and {ends} ({', '.join(calendar.hours)}); {advice}"
    return ""
