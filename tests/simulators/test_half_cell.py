from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from campaigns.errors import LabError
from campaigns.values import Scalar
from instruments.analyses import galvanostatic
from instruments.analyses.context import AnalysisContext
from simulators.half_cell import POINTS, accessible, discharge, equilibrium
from simulators.materials import Material
from simulators.synthesis import Sample
from tests.crystals import lithium_cobalt_oxide, lithium_iron_phosphate

GOOD = Sample("x", {"target": 1.0}, 60.0, 0.01)


def measured(material: Material, sample: Sample = GOOD, rate: float = 0.1, seed: int = 0) -> tuple[float, float]:
    capacity, voltage = discharge(material, sample, {"c_rate": rate}, np.random.default_rng(seed))
    found = galvanostatic.discharge({"capacity": capacity, "voltage": voltage}, AnalysisContext())
    assert found.flags == ()
    return found.metrics["capacity"].value, found.metrics["mean_voltage"].value


def test_a_good_olivine_gives_nearly_its_theoretical_capacity_on_a_plateau() -> None:
    capacity, voltage = measured(lithium_iron_phosphate())

    assert capacity == pytest.approx(165, abs=6)
    assert voltage == pytest.approx(3.45, abs=0.04)


@pytest.mark.parametrize("material", [lithium_iron_phosphate, lithium_cobalt_oxide])
def test_the_isotherm_has_the_materials_voltage_as_its_mean(material: Callable[[], Material]) -> None:
    filling = np.linspace(0, 1, 2001)

    assert np.trapezoid(equilibrium(material(), filling), filling) == pytest.approx(material().voltage, abs=1e-3)


def test_impurities_store_nothing() -> None:
    whole, _ = measured(lithium_cobalt_oxide())
    half, _ = measured(lithium_cobalt_oxide(), replace(GOOD, fractions={"target": 0.5, "Co3O4": 0.5}))

    assert half == pytest.approx(whole / 2, rel=0.03)


def test_slow_discharge_agrees_with_diffusion_into_a_sphere_at_steady_state() -> None:
    # At low rate the surface runs ahead of the mean by a fifteenth of the ratio of diffusion time to discharge time.
    radius, rate = 50e-7, 0.1
    ratio = radius**2 / 3e-15 / (3600 / rate)

    assert accessible(1, Sample("x", {"target": 1.0}, 100.0, 0.0), rate) == pytest.approx(1 - ratio / 15, abs=1e-3)


@pytest.mark.parametrize("dimension", [0, 1, 2, 3])
def test_coarse_powder_and_high_rate_cost_capacity(dimension: int) -> None:
    def share(size: float, rate: float) -> float:
        return accessible(dimension, replace(GOOD, crystallite=size), rate)

    assert share(50, 0.1) > share(500, 0.1) > share(5000, 0.1) > 0
    assert share(500, 0.1) > share(500, 1) > share(500, 10) > 0


def test_blocked_channels_hurt_an_olivine_more_than_a_layered_oxide() -> None:
    lost = [accessible(d, GOOD, 0.1) - accessible(d, replace(GOOD, disorder=0.1), 0.1) for d in (1, 2)]

    assert lost[0] > lost[1] > 0


def test_what_the_electrolyte_cannot_stand_is_not_charged() -> None:
    capacities = [measured(replace(lithium_iron_phosphate(), voltage=v))[0] for v in (4.2, 4.8, 5.4)]

    assert capacities[0] > 150
    assert capacities[0] > capacities[1] > capacities[2]
    assert capacities[2] < 5


def test_the_same_seed_gives_the_same_curve_and_another_does_not() -> None:
    first, again, other = (discharge(lithium_cobalt_oxide(), GOOD, {}, np.random.default_rng(s)) for s in (1, 1, 2))

    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[1], other[1])
    assert len(first[0]) > POINTS


@pytest.mark.parametrize("rate", [0, -1, float("nan"), "fast"])
def test_a_rate_that_cannot_be_driven_is_refused(rate: Scalar) -> None:
    with pytest.raises(LabError, match="c_rate is"):
        discharge(lithium_cobalt_oxide(), GOOD, {"c_rate": rate}, np.random.default_rng(0))
