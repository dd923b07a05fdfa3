"""Whether every step can be begun at some time, by the calendars of its stations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from campaigns.campaign import Campaign
from campaigns.errors import Problem
from campaigns.fidelity import all_steps
from campaigns.laboratory import StepConfig
from campaigns.opening_hours import CalendarConfig
from campaigns.values import lab_time
from loop.validation.limit_checks import extremes


def calendar_problems(campaign: Campaign) -> Iterator[Problem]:
    """Yield the steps that no station of theirs can ever begin, or not with every recipe of the space."""
    if campaign.rules is None:
        return
    calendars = {name: station.calendar for name, station in campaign.rules.stations.items()}
    now = datetime.now()  # noqa: DTZ005 - calendars go by the local time
    for where, step in all_steps(campaign.workflow, campaign.fidelities):
        there = [calendars.get(name) for name in step.stations]
        stays = timedelta(seconds=_longest(campaign, step))
        reasons = [why for one in there if one is not None and (why := _never(one, now, stays))]
        if len(reasons) == len(there):
            why = "; ".join(dict.fromkeys(reasons))
            yield Problem(f"{where}.stations", f"{why}; change the calendar of {' or '.join(step.stations)}")


def _never(calendar: CalendarConfig, now: datetime, stays: timedelta) -> str:
    """Return why a step can never be begun by a calendar; empty if it can."""
    longest = calendar.longest(now)
    if not longest:
        return "it is closed on all days of the next year"
    if calendar.attended and stays > longest:
        takes, most = lab_time(stays.total_seconds()), lab_time(longest.total_seconds())
        return (
            f"the step takes up to {takes}, and has to end while somebody is there, which is for {most} at most "
            f"({', '.join(calendar.hours)}); state duration, where that is shorter than its time limit"
        )
    return ""


def _longest(campaign: Campaign, step: StepConfig) -> float:
    """Return how long a step takes at most [s]: as it states, with the values that are longest, else its limit."""
    if step.duration is None or "duration" not in step.sums:
        return step.duration_of({}) or step.timeout
    parameters, total = campaign.space.all_parameters, step.sums["duration"]
    ends = {name: [float(one) for one in extremes(parameters[name])] for name in total.coefficients}
    chosen = {name: (max if factor > 0 else min)(ends[name]) for name, factor in total.coefficients.items()}
    return step.duration_of(chosen) or step.timeout
