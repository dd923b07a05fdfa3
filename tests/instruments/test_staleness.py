"""What is no news, and what only looks like it."""

import dataclasses
from typing import Any

import numpy as np
import pytest

from instruments.staleness import SampleReading, stale

RNG = np.random.default_rng(3)
ANGLES = np.linspace(10.0, 80.0, 141)
FREQUENCIES = np.geomspace(0.1, 1e5, 61)
DARK = RNG.poisson(5.0, 141)


def counts() -> list[float]:
    return [float(x) for x in RNG.poisson(100.0, 141)]


def sample(number: int, candidate: object = None, *, late: bool = True, **values: Any) -> SampleReading:
    """Return a reading of a job that was dispatched at 100 times its number, updated a second later or before."""
    times = dict.fromkeys(values, 100.0 * number + (1.0 if late else -50.0))
    return SampleReading(values, times, 100.0 * number, candidate or number)


def judged(*samples: SampleReading) -> tuple[str, ...]:
    return stale(samples[-1], samples[-2], samples[:-1][:4])


def test_an_array_that_a_frozen_detector_gives_once_more_is_stale() -> None:
    seen = [sample(i, counts=counts(), mass=1.0) for i in range(3)]
    again = sample(3, counts=list(seen[-1].values["counts"]), mass=2.0)
    assert judged(*seen, again) == ("stale data: counts is the same as for the sample before",)
    assert judged(seen[0], sample(1, counts=seen[0].values["counts"], mass=2.0))


def test_axes_constants_and_dark_frames_are_the_same_for_every_sample() -> None:
    def whole(number: int) -> SampleReading:
        fixed: dict[str, Any] = {"angles": ANGLES, "frequencies": FREQUENCIES, "dark": DARK, "gain": np.full(40, 2.0)}
        return sample(number, counts=counts(), **fixed)

    seen = [whole(i) for i in range(5)]
    assert all(judged(*seen[:end]) == () for end in range(2, 6))


def test_numbers_may_agree_by_chance() -> None:
    assert judged(*(sample(i, mass=0.0, pressure=1.0) for i in range(3))) == ()


def test_a_candidate_that_is_measured_twice_may_give_the_same() -> None:
    curve = list(np.sin(np.linspace(0, 3, 50)))
    assert judged(sample(0, "a", curve=curve), sample(1, "a", curve=curve)) == ()
    assert judged(sample(0, "a", curve=curve), sample(1, "b", curve=curve))


def test_what_a_job_has_not_updated_is_stale_even_for_the_same_candidate() -> None:
    seen = [sample(i, "a", mass=float(i)) for i in range(2)]
    old = SampleReading(dict(seen[1].values), dict(seen[1].times), 200.0, "a")
    assert judged(*seen, old) == ("stale data: mass is not updated since before the job began",)


def test_a_number_that_is_not_updated_beside_others_that_are_may_just_not_have_changed() -> None:
    seen = [sample(i, door=0.0, mass=float(i)) for i in range(2)]
    now = SampleReading({"door": 0.0, "mass": 7.0}, {"door": 101.0, "mass": 201.0}, 200.0, 2)
    assert judged(*seen, now) == ()


@pytest.mark.parametrize("values", [(1.0, 1.0, 1.0), (1.0, 2.0, 2.0)])
def test_drivers_and_servers_whose_times_tell_nothing_are_not_held_to_them(values: tuple[float, ...]) -> None:
    assert judged(*(sample(i, late=False, mass=value) for i, value in enumerate(values))) == ()


def test_an_array_that_is_not_updated_is_stale_beside_others_that_are() -> None:
    seen = [sample(i, "a", counts=counts(), mass=1.0) for i in range(2)]
    values = {"counts": seen[1].values["counts"], "mass": 2.0}
    now = SampleReading(values, {"counts": 101.0, "mass": 201.0}, 200.0, "a")
    assert judged(*seen, now) == ("stale data: counts is the same as for the sample before",)


def test_gaps_in_arrays_are_compared_too() -> None:
    curve = [float("nan") if i % 7 == 0 else float(x) for i, x in enumerate(counts())]
    assert judged(sample(0, curve=curve), sample(1, curve=list(curve)))


def test_nothing_is_held_against_data_whose_dispatch_lies_behind_a_clock_that_was_set_back() -> None:
    seen = [sample(i, counts=counts(), mass=1.0) for i in range(3)]
    earlier = sample(3, counts=counts(), mass=2.0, late=False)
    assert judged(*seen, earlier)
    assert judged(*seen, dataclasses.replace(earlier, since=None)) == ()


def test_a_server_whose_clock_is_behind_is_held_to_when_it_was_told_the_token() -> None:
    def behind(number: int, *, updated: bool = True) -> SampleReading:
        told = 100.0 * number - 5000.0
        times = {"token": told, "counts": told + (1.0 if updated else -50.0)}
        return SampleReading({"token": f"t{number}", "counts": counts()}, times, 100.0 * number, number)

    assert not judged(*map(behind, range(3)))
    assert judged(sample(0, counts=counts()), behind(1), behind(2)) == ()
    assert judged(behind(0), behind(1), behind(2, updated=False)) == (
        "stale data: counts is not updated since before the job began",
    )


def test_times_of_two_samples_with_one_recipe_are_the_same_and_a_frozen_curve_beside_them_is_not() -> None:
    def logged(number: int, hours: float, curve: list[float]) -> SampleReading:
        return sample(number, times=[*np.geomspace(1.0, 5.0, 40), *np.linspace(6.0, hours, 40)], temperatures=curve)

    seen = [logged(0, 9.0, counts()), logged(1, 8.0, counts()), logged(2, 8.0, counts())]
    assert judged(*seen) == ()
    again = logged(3, 8.0, list(seen[-1].values["temperatures"]))
    assert judged(*seen, again) != ()
