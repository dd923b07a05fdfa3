"""The stations benchmark compares the same jobs on both clocks."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.stations import FURNACES, Shift, campaign, compare, work

pytestmark = pytest.mark.slow


def holds(shift: Shift) -> list[float]:
    return sorted(round(end - begin, 6) for jobs in shift.jobs.values() for begin, end in jobs)


def test_the_same_jobs_take_wall_time_or_none_and_the_bound_is_the_shorter_one() -> None:
    found = compare(campaign(3))
    assert holds(found.wall) == holds(found.bound)
    assert found.wall.span >= found.bound.span
    assert found.overhead > 0.0
    assert 0.0 < found.wall.utilisation <= found.bound.utilisation <= 1.0


def test_eight_samples_are_one_load_where_the_furnace_takes_eight(tmp_path: Path) -> None:
    plan = campaign(8, FURNACES[:1], places=8)
    (jobs,) = work(plan, tmp_path, wall=False).jobs.values()
    assert len(jobs) == 1
