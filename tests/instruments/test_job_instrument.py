from collections.abc import Callable

import pytest

from campaigns.errors import LabError, LimitError
from instruments.job_instrument import readings
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, job


def test_every_setting_is_written_so_that_none_is_left_over(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    crew = crew_of()
    crew.run(job("oven", recipe={"temperature": 500.0, "time": 1.0, "ramp_rate": 20.0, "atmosphere": "argon"}))
    crew.run(job("oven", trial=4, recipe={"temperature": 600.0, "time": 2.0}))
    oven = crew.lab.instrument("oven")
    assert (oven.ramp_rate.get(), oven.atmosphere.get(), oven.sample.get()) == (5.0, "air", "4")


def test_a_recipe_without_what_is_needed_is_refused(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    with pytest.raises(LimitError, match="no value for temperature, time; add it to the step's recipe"):
        crew_of().lab.instrument("oven").with_defaults({})


def test_a_busy_instrument_is_not_told_anything_new(crew_of: Callable[..., Crew[VirtualLab]]) -> None:
    instrument = crew_of().lab.instrument("xrd")
    instrument.state.put("busy")
    with pytest.raises(LabError, match="xrd is at job ''; wait until it has ended"):
        instrument.check_ready()


def test_readings_are_named_by_their_signal() -> None:
    assert readings("xrd", {"xrd_two_theta": 1, "xrd_counts": 2}) == {"two_theta": 1, "counts": 2}
