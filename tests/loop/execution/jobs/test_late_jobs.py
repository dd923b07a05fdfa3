"""A late job is collected once, and only when its station is at no question of it any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from instruments.clock import WallClock
from loop.execution.jobs.late_jobs import LateJob, LateJobs

LATE = LateJob((3,), "t3", "place", 1000.0, 1e9)


class Slow:
    """A station that has not answered yet."""

    answer: Callable[[bool | None], None]

    def ask(self, _: Any, done: Callable[[bool | None], None]) -> None:
        self.answer = done


@pytest.fixture
def clock() -> Iterator[WallClock]:
    clock = WallClock()
    yield clock
    clock.close()


@pytest.mark.parametrize("answer", [True, False, None])
def test_what_a_person_says_while_the_station_is_asked_counts_when_it_has_answered(
    clock: WallClock, answer: bool | None
) -> None:
    station, news = Slow(), []
    jobs = LateJobs({"place": station}, clock)  # type: ignore[dict-item]
    jobs.follow(LATE, lambda: news.append("news"), known=False)
    jobs.end(LATE)
    assert jobs.take() == [], "the station is busy with the question"
    assert jobs.holds("place")
    station.answer(answer)
    assert (jobs.take(), news) == ([LATE], ["news"])
    assert not jobs.holds("place")


def test_another_job_of_the_station_is_still_waited_for(clock: WallClock) -> None:
    station, other = Slow(), LateJob((1,), "t1", "place", 1000.0, 1e9)
    jobs = LateJobs({"place": station}, clock)  # type: ignore[dict-item]
    jobs.follow(LATE, lambda: None, known=False)
    jobs.end(other)
    assert jobs.take() == [other]
    assert jobs.holds("place")
    station.answer(True)
    assert jobs.take() == [LATE]
