from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.errors import LimitError, StepError
from instruments.devices.furnace import Furnace
from simulators.virtual_lab import VirtualLab
from tests.labs import Crew, job

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture
def oven(crew_of: Callable[..., Crew[VirtualLab]]) -> Furnace:
    """A furnace that has done a job well."""
    crew = crew_of()
    crew.run(job("oven"))
    return crew.lab.instrument("oven")


@pytest.mark.parametrize(
    ("signal", "value", "complaint"),
    [
        ("peak_temperature", 700.0, "peak got 700.0 degC; allowed: 850 ± 10 degC"),
        ("peak_temperature", float("nan"), "peak got nan degC"),
        ("soak_mean_temperature", 840.0, "mean of the soak got 840.0 degC; allowed: 850 ± 5 degC"),
        ("soak_sd", 9.0, "spread of the soak got 9.0 degC; allowed: 0 ± 5 degC"),
        ("profile_temperature", np.array([25.0, 850.0, 400.0]), "ended at 400 degC; allowed: at most 60 degC"),
        ("profile_temperature", np.zeros(0), "left no log"),
    ],
)
def test_a_furnace_is_believed_by_its_log_only(oven: Furnace, signal: str, value: object, complaint: str) -> None:
    oven.verify(job("oven"))
    getattr(oven, signal).put(value)
    with pytest.raises(StepError, match=complaint):
        oven.verify(job("oven"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(temperature=NUMBERS, time=NUMBERS, ramp_rate=NUMBERS)
def test_no_recipe_passes_that_leaves_the_limits(
    oven: Furnace, temperature: float, time: float, ramp_rate: float
) -> None:
    recipe = {"temperature": temperature, "time": time, "ramp_rate": ramp_rate}
    ranges = oven.limits.ranges
    if all(ranges[key][0] <= value <= ranges[key][1] for key, value in recipe.items()):
        assert oven.with_defaults(recipe) == {**oven.defaults, **recipe}
    else:
        with pytest.raises(LimitError):
            oven.with_defaults(recipe)


def test_stopping_leaves_the_furnace_as_it_is(oven: Furnace) -> None:
    before = oven.read()
    oven.stop(success=True)
    oven.stop(success=False)
    after = oven.read()
    assert {key: str(value["value"]) for key, value in before.items()} == {
        key: str(value["value"]) for key, value in after.items()
    }
    assert oven.state.get() == "done"
