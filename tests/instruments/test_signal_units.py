from typing import Any

import numpy as np
import pytest
from ophyd import Component, Device, Signal

from campaigns.errors import LimitError, UnitError
from campaigns.values import Measurement, MetricValue
from instruments.analyses.context import AnalysisContext
from instruments.analyses.galvanostatic import discharge
from instruments.job_instrument import Quantity
from instruments.signal_units import agreed, in_expected_units, passed_on, reads, stated_unit


@reads(heat="degC", charge="mAh/g")
def analysis(data: Any, context: AnalysisContext) -> Measurement:
    return Measurement({"charge": MetricValue(data["charge"], 0.1, "mAh/g")})


def test_readings_are_converted_to_the_units_in_which_an_analysis_reads_them() -> None:
    data = {"heat": np.array([873.15, 973.15]), "charge": 0.12, "note": "x"}
    found, units = in_expected_units(analysis, data, {"heat": "K", "charge": "Ah/g", "time": "s"})
    assert found["heat"] == pytest.approx([600.0, 700.0])
    assert (found["charge"], found["note"]) == (pytest.approx(120.0), "x")
    assert units == {"heat": "degC", "charge": "mAh/g", "time": "s"}
    same, _ = in_expected_units(analysis, {"charge": 120.0}, {})
    assert same == {"charge": 120.0}
    with pytest.raises(UnitError, match="charge is in 'V' by the instrument, and the analysis reads mAh/g"):
        in_expected_units(analysis, {"charge": 1.0}, {"charge": "V"})


def test_the_analyses_that_are_shipped_say_what_they_read() -> None:
    capacity, voltage = np.linspace(0.0, 0.16, 200), np.linspace(4200.0, 3000.0, 200)
    data, _ = in_expected_units(
        discharge, {"capacity": capacity, "voltage": voltage}, {"capacity": "Ah/g", "voltage": "mV"}
    )
    found = discharge(data, AnalysisContext()).metrics
    assert found["capacity"].value == pytest.approx(160.0)
    assert found["mean_voltage"].value == pytest.approx(3.6)


def test_a_reading_that_is_passed_on_under_another_unit_is_told() -> None:
    found = Measurement({"capacity": MetricValue(0.12, 0.01, "mAh/g"), "time": MetricValue(1.0, 0.1, "mAh/g")})
    (flag,) = passed_on(found, {"out": 0.12, "hours": 1.0}, {"out": "Ah/g", "hours": "h"})
    assert flag.startswith("capacity: is the reading of out, in Ah/g by the instrument and in mAh/g by the analysis")
    assert passed_on(found, {"out": 0.12, "other": 0.12}, {"out": "Ah/g", "other": "mAh g-1"}) == ()
    assert passed_on(found, {"out": 0.12}, {"out": "1"}) == ()


def test_a_server_and_its_driver_must_agree() -> None:
    assert [agreed("degC", each, "t") for each in ("", "degC", "°C", "deg C", "C")] == ["degC"] * 5
    assert agreed("", "mV", "v") == "mV"
    for declared, stated in (("degC", "K"), ("V", "mV"), ("h", "C"), ("V", "furlong")):
        with pytest.raises(LimitError, match=f"t is in '{stated}' by its server, and its driver is .* {declared}"):
            agreed(declared, stated, "t")


def test_signals_state_their_units_in_their_own_ways() -> None:
    class Described(Signal):
        def describe(self) -> dict[str, Any]:
            found: dict[str, Any] = super().describe()
            found[self.name]["units"] = "bar"
            return found

    class Box(Device):
        own = Component(Quantity, value=0.0, unit="K")
        plain = Component(Signal, value=0.0, metadata={"units": "mV"})
        described = Component(Described, value=0.0)
        silent = Component(Signal, value=0.0)

    box = Box(name="box")
    units = [stated_unit(each) for each in (box.own, box.plain, box.described, box.silent)]
    assert units == ["K", "mV", "bar", ""]
