"""Holds jobs that would begin, or end where somebody has to be there, outside the hours of their station."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from campaigns.lab.lab_rules import LabFileConfig
from campaigns.lab.opening_hours import CalendarConfig
from instruments.clock import Clock
from loop.execution.jobs.holds import Held, PossibleJob

_FIRST_DAY = datetime(2024, 1, 1)  # noqa: DTZ001 - it is of no zone
"""When a virtual lab's time begins: a Monday at midnight, so that the same campaign always meets the same hours."""


class CalendarHold:
    """Asks the calendars of stations.

    Args:
        calendars: of the stations that have one.
        clock: the lab's clock.
    """

    def __init__(self, calendars: Mapping[str, CalendarConfig], clock: Clock) -> None:
        self._calendars, self._clock = calendars, clock
        self._virtual = clock.wall_time(1.0) != 1.0

    def __call__(self, job: PossibleJob) -> Held | None:
        """Return until when a job has to wait; None if it may begin, or has begun already."""
        calendar = self._calendars.get(job.station)
        if calendar is None or job.attaches:
            return None
        now, lab = self._date(), self._clock.now()
        stays = stay_of(job)
        opens = calendar.opens(now, stays)
        if opens is None:
            hours = f"takes {stays} and fits into none of its hours ({', '.join(calendar.hours)})"
            return Held(f"{job.step.name} of trial {job.trial.number} {hours}", asks=True)
        if opens <= now:
            return None
        return Held(f"closed until {self._shown(opens)}", lab + self._until(opens, now))

    def _date(self) -> datetime:
        """Return the local time now, by which calendars go."""
        return _FIRST_DAY + timedelta(seconds=self._clock.now()) if self._virtual else datetime.now()  # noqa: DTZ005

    def _until(self, opens: datetime, now: datetime) -> float:
        """Return how long it takes to a time [s]: by the clock on the wall, also where clocks are changed meanwhile."""
        return (opens - now).total_seconds() if self._virtual else opens.timestamp() - now.timestamp()

    def _shown(self, when: datetime) -> str:
        if self._virtual:
            return f"{when:%a %H:%M} of lab week {(when - _FIRST_DAY).days // 7 + 1}"
        return f"{when:%a %Y-%m-%d %H:%M}"


def calendars_of(rules: LabFileConfig | None) -> dict[str, CalendarConfig]:
    """Return station to its calendar, of those that have one."""
    stations = {} if rules is None else rules.stations
    return {name: one.calendar for name, one in stations.items() if one.calendar is not None}


def stay_of(job: PossibleJob) -> timedelta:
    """Return how long a job takes: as its step states, else its time limit."""
    stated = job.step.duration_of(job.trial.candidate.parameters)
    return timedelta(seconds=stated or job.step.timeout)
