"""When a station may be used: hours of the week, days on which it is closed, and whether somebody has to be there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated

from pydantic import AfterValidator, Field

from campaigns.config import Config

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_HOURS = re.compile(r"(?:(\w{3})(?:-(\w{3}))?\s+)?(\d{1,2}):(\d\d)-(\d{1,2}):(\d\d)")
_ALLOWED = "such as 'Mon-Fri 07:00-19:00', 'Sat 08:00-24:00' or, every day, '22:00-06:00'"
_HORIZON = 400
"""Days for which it is looked when a station opens: more than a year, as no list of days on which it is closed goes
on for longer."""


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours that come back each week.

    Attributes:
        days: on which they begin; 0 is Monday.
        begin: how long after midnight.
        end: the same; beyond 24 h where they end on the next day.
    """

    days: frozenset[int]
    begin: timedelta
    end: timedelta


def parse_hours(text: str) -> Hours:
    """Read text such as ``Mon-Fri 07:00-19:00``.

    Raises:
        ValueError: it says no hours.
    """
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"got {text!r}; allowed: days and hours, {_ALLOWED}")
    first, last, *numbers = match.groups()
    begin, end = (_since_midnight(text, int(hour), int(minute)) for hour, minute in (numbers[:2], numbers[2:]))
    if begin == end:
        raise ValueError(f"got {text!r}, which lasts no time; allowed: {_ALLOWED}, and 00:00-24:00 for a whole day")
    return Hours(_days(text, first, last), begin, end if end > begin else end + timedelta(days=1))


def _since_midnight(text: str, hour: int, minute: int) -> timedelta:
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise ValueError(f"got {text!r}; allowed: times from 00:00 to 24:00")
    return timedelta(hours=hour, minutes=minute)


def _days(text: str, first: str | None, last: str | None) -> frozenset[int]:
    if first is None:
        return frozenset(range(7))
    for name in (first, last or first):
        if name not in _DAYS:
            raise ValueError(f"got {text!r}, and {name!r} is no day; allowed: {', '.join(_DAYS)}")
    begin, end = _DAYS.index(first), _DAYS.index(last or first)
    return frozenset((begin + i) % 7 for i in range((end - begin) % 7 + 1))


def _checked(text: str) -> str:
    parse_hours(text)
    return text


class CalendarConfig(Config):
    """When jobs may begin at a station."""

    hours: Annotated[tuple[Annotated[str, AfterValidator(_checked)], ...], Field(min_length=1)]
    """Days and hours of the week, such as 'Mon-Fri 07:00-19:00'; without days, every day. By the clock of this
    machine; in a virtual lab, the first trial begins on Monday at midnight."""
    closed: tuple[date, ...] = ()
    """Days on which it is closed, such as 2026-12-24."""
    attended: bool = False
    """Whether somebody has to be there until a job has ended: it begins only where it also ends within the hours,
    by the duration that its step states, else by its time limit."""

    def opens(self, now: datetime, stays: timedelta) -> datetime | None:
        """Return the earliest time, from now on, at which a job may begin; None if there is none within a year.

        Args:
            now: local time.
            stays: how long the job takes.
        """
        needed = stays if self.attended else timedelta.resolution
        for begin, end in self._open(now.date()):
            if max(begin, now) + needed <= end:
                return max(begin, now)
        return None

    def longest(self, now: datetime) -> timedelta:
        """Return the longest time for which it is open without a break, from a day on; at most the horizon."""
        return max((end - begin for begin, end in self._open(now.date())), default=timedelta())

    def _open(self, first: date) -> Iterator[tuple[datetime, datetime]]:
        """Yield the times from which and until which it is open, in order, from the day before one on."""
        found: tuple[datetime, datetime] | None = None
        for begin, end in self._single(first):
            if found is not None and begin > found[1]:
                yield found
                found = None
            found = (begin, end) if found is None else (found[0], max(found[1], end))
        if found is not None:
            yield found

    def _single(self, first: date) -> Iterator[tuple[datetime, datetime]]:
        hours = [parse_hours(text) for text in self.hours]
        for number in range(-1, _HORIZON):
            day = first + timedelta(days=number)
            midnight = datetime.combine(day, time())
            for one in sorted(hours, key=lambda each: each.begin) if day not in self.closed else ():
                if day.weekday() in one.days:
                    yield midnight + one.begin, midnight + one.end
