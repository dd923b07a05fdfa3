from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from campaigns.campaign import Campaign
from campaigns.errors import UnitError
from campaigns.metrics import MetricConfig
from campaigns.objective import Objective, ObjectiveConfig, build_objective
from tests.strategies import campaigns, numbers

METRICS: TypeAdapter[dict[str, MetricConfig]] = TypeAdapter(dict[str, MetricConfig])


def objective(
    metrics: dict[str, Any], *terms: dict[str, Any], constraints: list[dict[str, Any]] | None = None
) -> Objective:
    config = ObjectiveConfig.model_validate({"terms": list(terms), "constraints": constraints or []})
    return build_objective(config, METRICS.validate_python(metrics))


CATHODE = objective(
    {
        "capacity": {"kind": "measured", "unit": "mAh/g"},
        "voltage": {"kind": "measured", "unit": "V"},
        "energy": {"kind": "derived", "unit": "kWh/kg", "formula": "capacity * voltage"},
    },
    {"goal": "maximise", "metric": "energy", "weight": 3, "scale": "100 Wh/kg"},
    {"goal": "target", "metric": "voltage", "weight": 1, "low": "3600 mV", "high": 4.0, "scale": "100 mV"},
    constraints=[{"metric": "voltage", "at_most": "4200 mV"}],
)


def test_the_score_is_the_weighted_mean_of_points_worked_out_by_hand() -> None:
    # 200 mAh/g at 3.5 V are 0.7 kWh/kg: seven points of weight 3; 0.1 V below the window: minus one of weight 1.
    assert CATHODE.score({"capacity": 200.0, "voltage": 3.5}) == pytest.approx((3 * 7 - 1) / 4)
    assert CATHODE.complete({"capacity": 200.0, "voltage": 3.5})["energy"] == pytest.approx(0.7)


def test_feasible_is_keeping_every_bound() -> None:
    assert CATHODE.feasible({"capacity": 1.0, "voltage": 4.2})
    assert not CATHODE.feasible({"capacity": 1.0, "voltage": 4.21})


@settings(max_examples=50)
@given(campaigns(), st.lists(st.lists(numbers(-100, 100), min_size=3, max_size=3), min_size=1, max_size=4))
def test_floats_numpy_and_torch_agree(data: dict[str, Any], rows: list[list[float]]) -> None:
    built = Campaign.model_validate(data).build_objective()
    columns = {
        f"m_{i}": np.array(column) for i, column in enumerate(zip(*rows, strict=True)) if f"m_{i}" in built.units
    }
    by_numpy = built.score(columns)
    by_torch = built.score({n: torch.tensor(c) for n, c in columns.items()})
    by_float = [built.score({n: float(c[i]) for n, c in columns.items()}) for i in range(len(rows))]
    np.testing.assert_allclose(by_numpy, by_float)
    np.testing.assert_allclose(by_torch.numpy(), by_float)
    for i, values in enumerate(zip(*(s for s in built.slacks(columns)), strict=True)):
        assert built.feasible({n: float(c[i]) for n, c in columns.items()}) == all(v >= 0 for v in values)


def test_the_score_s_uncertainty_is_that_of_the_textbook() -> None:
    # score = 3/4 * capacity * voltage / 100 (Wh/kg); inside the window the second term is flat.
    sd = CATHODE.score_sd({"capacity": 200.0, "voltage": 3.8}, {"capacity": 2.0, "voltage": 0.01})
    assert sd == pytest.approx(0.0075 * np.hypot(3.8 * 2.0, 200.0 * 0.01), rel=1e-9)


def test_the_uncertainty_agrees_with_sampling() -> None:
    rng = np.random.default_rng(1)
    samples = {"capacity": rng.normal(180.0, 3.0, 100_000), "voltage": rng.normal(3.4, 0.02, 100_000)}
    sd = CATHODE.score_sd({"capacity": 180.0, "voltage": 3.4}, {"capacity": 3.0, "voltage": 0.02})
    assert sd == pytest.approx(CATHODE.score(samples).std(), rel=0.02)


def test_just_outside_a_window_the_uncertainty_is_that_of_the_side_that_changes_the_score() -> None:
    window = objective(
        {"voltage": {"kind": "measured", "unit": "V"}},
        {"goal": "target", "metric": "voltage", "low": 3.6, "high": 4.0, "scale": "100 mV"},
    )
    assert window.score_sd({"voltage": 3.99}, {"voltage": 0.05}) == pytest.approx(0.4)
    assert window.score_sd({"voltage": 3.59}, {"voltage": 0.05}) == pytest.approx(0.5)
    assert window.score_sd({"voltage": 4.01}, {"voltage": 0.05}) == pytest.approx(0.5)


def test_derived_values_in_a_trial_s_metrics_change_nothing() -> None:
    metrics = {"capacity": 200.0, "voltage": 3.8}
    sds = {"capacity": 2.0, "voltage": 0.01}
    assert CATHODE.score_sd(CATHODE.complete(metrics), sds) == pytest.approx(CATHODE.score_sd(metrics, sds))


def test_a_scale_in_kelvin_is_a_difference_for_a_metric_in_celsius() -> None:
    onset = {"onset": {"kind": "measured", "unit": "degC"}}
    built = objective(onset, {"goal": "target", "metric": "onset", "low": "573.15 K", "high": 310, "scale": "10 K"})
    assert built.score({"onset": 280.0}) == pytest.approx(-2.0)


@pytest.mark.parametrize(
    ("formula", "unit", "value"),
    [("2 * capacity", "mAh/g", 200.0), ("0.5 * capacity", "Ah/kg", 50.0), ("capacity / 4 * 1e3", "Ah/g", 25.0)],
)
def test_a_number_in_a_formula_counts_once(formula: str, unit: str, value: float) -> None:
    metrics = {
        "capacity": {"kind": "measured", "unit": "mAh/g"},
        "derived": {"kind": "derived", "unit": unit, "formula": formula},
    }
    built = objective(metrics, {"goal": "maximise", "metric": "derived", "scale": 1})
    assert built.complete({"capacity": 100.0})["derived"] == pytest.approx(value)


def test_a_formula_of_a_temperature_in_celsius_is_refused() -> None:
    metrics = {
        "onset": {"kind": "measured", "unit": "degC"},
        "twice": {"kind": "derived", "unit": "K", "formula": "2 * onset"},
    }
    with pytest.raises(UnitError, match="zero is arbitrary"):
        objective(metrics, {"goal": "maximise", "metric": "twice", "scale": 1})
