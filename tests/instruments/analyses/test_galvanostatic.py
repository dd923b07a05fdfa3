import math
from typing import Any

import numpy as np
import pytest

from campaigns.errors import StepError
from campaigns.values import Measurement
from instruments.analyses.context import AnalysisContext
from instruments.analyses.galvanostatic import discharge


def curve(seed: int = 0) -> dict[str, np.ndarray]:
    """Return a straight line from 4.2 to 3.0 V over 180 mAh/g: mean 3.6 V."""
    capacity = np.linspace(0, 180, 300)
    return {"capacity": capacity, "voltage": 4.2 - capacity / 150 + np.random.default_rng(seed).normal(0, 0.002, 300)}


def analyse(**changes: np.ndarray) -> Measurement:
    return discharge(curve() | changes, AnalysisContext())


def test_a_straight_line_has_the_mean_and_the_energy_of_a_trapezium() -> None:
    found = analyse()
    capacity, voltage = found.metrics["capacity"], found.metrics["mean_voltage"]

    assert found.flags == ()
    assert (capacity.unit, voltage.unit) == ("mAh/g", "V")
    assert capacity.value == pytest.approx(180)
    assert voltage.value == pytest.approx(3.6, abs=3 * voltage.sd)
    assert capacity.value * voltage.value == pytest.approx(648, rel=1e-3)


def test_uncertainties_are_those_of_the_balance_and_of_the_voltmeter() -> None:
    found = analyse().metrics

    assert found["capacity"].sd == pytest.approx(1.9, abs=0.2)
    assert found["mean_voltage"].sd == pytest.approx(0.003, abs=0.0005)


def test_noise_widens_the_voltages_uncertainty_and_slope_does_not() -> None:
    noisy = curve()["voltage"] + np.random.default_rng(1).normal(0, 0.05, 300)

    assert analyse(voltage=noisy).metrics["mean_voltage"].sd > 0.0038
    assert analyse(voltage=4.4 - curve()["capacity"] / 100).metrics["mean_voltage"].sd == pytest.approx(0.003)


@pytest.mark.parametrize(
    ("changes", "flag"),
    [
        ({"voltage": np.where(np.arange(300) % 5 == 2, np.nan, 3.7)}, "not finite"),
        ({"voltage": np.zeros(300)}, "dead channel"),
        ({"capacity": np.zeros(300)}, "dead channel"),
        ({"capacity": np.linspace(180, 0, 300)}, "runs backwards"),
        ({"voltage": np.linspace(9, 3, 300)}, "outside"),
        ({"capacity": np.linspace(0, 9000, 300)}, "above 1500"),
        ({"voltage": np.where(np.arange(300) == 150, 5.4, curve()["voltage"])}, "spikes"),
        ({"voltage": np.linspace(4, 3, 20), "capacity": np.linspace(0, 180, 20)}, "too few points"),
        ({"voltage": np.linspace(4, 3, 200)}, "too few points"),
    ],
)
def test_bad_curves_are_flagged_and_give_no_numbers(changes: dict[str, Any], flag: str) -> None:
    found = analyse(**changes)

    assert flag in found.flags[0]
    assert all(math.isnan(metric.value) for metric in found.metrics.values())


@pytest.mark.parametrize("key", ["capacity", "voltage"])
def test_a_missing_signal_is_an_error(key: str) -> None:
    data = curve()
    del data[key]

    with pytest.raises(StepError, match=f"no '{key}'"):
        discharge(data, AnalysisContext())


def test_a_signal_of_another_kind_is_an_error() -> None:
    with pytest.raises(StepError, match="holds no numbers"):
        discharge({"capacity": "many", "voltage": [1.0]}, AnalysisContext())
