import math

import pytest

from campaigns.errors import UnitError
from campaigns.metrics import MeasuredConfig
from campaigns.values import Measurement, MetricValue
from instruments.quality_gate import GateResult, check_quality

UNITS = {"capacity": "mAh/g"}


def measurement(value: float = 150.0, sd: float = 1.0, unit: str = "mAh/g", flags: tuple[str, ...] = ()) -> Measurement:
    return Measurement({"capacity": MetricValue(value, sd, unit)}, flags)


@pytest.mark.parametrize("unit", ["mAh/g", "Ah/kg", "C/g"])
def test_a_good_measurement_passes_in_any_unit_of_its_kind(unit: str) -> None:
    assert check_quality(measurement(unit=unit), UNITS) == GateResult()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_what_is_no_number_cannot_be_had(value: float | None) -> None:
    found = check_quality(measurement(value), UNITS)
    assert (found.flags, found.held) == ((), {})
    assert list(found.missing) == ["capacity"]


def test_an_absent_metric_cannot_be_had_and_the_others_can() -> None:
    found = check_quality(measurement(), {**UNITS, "purity": "1"})
    assert found == GateResult(missing={"purity": "nothing"})


@pytest.mark.parametrize("sd", [math.nan, -1.0])
def test_an_impossible_uncertainty_holds_back_its_metric_alone(sd: float) -> None:
    found = check_quality(measurement(sd=sd), UNITS)
    assert (found.flags, found.missing) == ((), {})
    assert "allowed: a standard uncertainty that is a number" in found.held["capacity"]


def test_a_unit_of_another_kind_speaks_against_the_whole_measurement() -> None:
    found = check_quality(measurement(unit="V"), {**UNITS, "purity": "1"})
    (wrong,) = found.wrong
    assert wrong.startswith("capacity: unit is V, expected one like mAh/g: correct what the analysis gives")
    assert "'units' of its station, or the unit of the metric" in wrong


def test_beside_a_flag_nothing_counts_as_impossible_to_have() -> None:
    assert check_quality(measurement(math.nan, flags=("dead detector",)), UNITS) == GateResult(("dead detector",))


def test_an_unknown_unit_is_an_error() -> None:
    with pytest.raises(UnitError):
        check_quality(measurement(unit="parsnips"), UNITS)


def test_what_is_implausible_speaks_against_the_whole_measurement_in_whatever_unit() -> None:
    capacity = MeasuredConfig.model_validate({"kind": "measured", "unit": "mAh/g", "plausible": "0 to 400 mAh/g"})
    ranges = {"capacity": capacity.implausible}
    assert check_quality(measurement(0.2, unit="Ah/g"), UNITS, ranges) == GateResult()
    found = check_quality(measurement(200.0, unit="Ah/g"), UNITS, ranges)
    assert found.flags == ("capacity: 200000 mAh/g is implausible; the campaign file says 0 to 400 mAh/g",)
