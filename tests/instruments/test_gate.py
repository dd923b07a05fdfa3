import math

import pytest

from campaigns.errors import UnitError
from campaigns.values import Measurement, MetricValue
from instruments.gate import judge

UNITS = {"capacity": "mAh/g"}


def measurement(value: float = 150.0, sd: float = 1.0, unit: str = "mAh/g", flags: tuple[str, ...] = ()) -> Measurement:
    return Measurement({"capacity": MetricValue(value, sd, unit)}, flags)


@pytest.mark.parametrize("unit", ["mAh/g", "Ah/kg", "C/g"])
def test_a_good_measurement_passes_in_any_unit_of_its_kind(unit):
    assert judge(measurement(unit=unit), UNITS) == ()


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_is_held_back(value):
    assert "not finite" in judge(measurement(value), UNITS)[0]


@pytest.mark.parametrize("sd", [math.nan, -1.0])
def test_an_impossible_uncertainty_is_held_back(sd):
    assert "not finite" in judge(measurement(sd=sd), UNITS)[0]


def test_a_unit_of_another_kind_is_held_back():
    assert judge(measurement(unit="V"), UNITS) == ("capacity: unit is V, expected one like mAh/g",)


def test_a_missing_metric_is_held_back():
    assert judge(Measurement({}), UNITS) == ("capacity: missing from the measurement",)


def test_the_analysis_flags_come_first():
    assert judge(measurement(math.nan, flags=("dead detector",)), UNITS)[0] == "dead detector"


def test_an_unknown_unit_is_an_error():
    with pytest.raises(UnitError):
        judge(measurement(unit="parsnips"), UNITS)
