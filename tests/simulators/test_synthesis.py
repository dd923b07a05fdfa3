import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymatgen.core import Composition

from campaigns.errors import LabError
from campaigns.values import Scalar
from instruments.analyses.reference_phases import CELLS
from simulators.materials import Material, chemistry, nickel_rich
from simulators.synthesis import GASES, TARGET, Sample, synthesise
from tests.crystals import lithium_cobalt_oxide, lithium_iron_phosphate

TEMPERATURES = np.linspace(500, 1050, 23)
TIMES = np.geomspace(1, 48, 9)
MATERIALS: dict[str, Callable[[], Material]] = {
    "LFP": lithium_iron_phosphate,
    "LCO": lithium_cobalt_oxide,
    "NMC": nickel_rich,
}


def made(material: Material, temperature: float, time: float, atmosphere: str, **more: float) -> Sample:
    recipe: dict[str, Scalar] = {"temperature": temperature, "time": time, "atmosphere": atmosphere, **more}
    return synthesise(material, recipe, np.random.default_rng(0))


def target(material: Material, temperature: float, time: float, atmosphere: str, **more: float) -> float:
    return made(material, temperature, time, atmosphere, **more).fractions[TARGET]


def landscape(material: Material, atmosphere: str) -> np.ndarray:
    return np.array([[target(material, t, h, atmosphere) for h in TIMES] for t in TEMPERATURES])


recipes = st.fixed_dictionaries(
    {
        "temperature": st.floats(25, 1400),
        "time": st.floats(0, 200),
        "atmosphere": st.sampled_from(sorted(GASES)),
    },
    optional={"ramp_rate": st.floats(0.5, 20), "lithium_excess": st.floats(0, 30)},
)


@pytest.mark.slow
@given(name=st.sampled_from(sorted(MATERIALS)), recipe=recipes, seed=st.integers(0, 2**32 - 1))
def test_whatever_the_recipe_the_powder_is_whole(name: str, recipe: dict[str, Scalar], seed: int) -> None:
    sample = synthesise(MATERIALS[name](), recipe, np.random.default_rng(seed))

    assert math.isclose(sum(sample.fractions.values()), 1.0)
    assert all(0 <= fraction <= 1 for fraction in sample.fractions.values())
    assert set(sample.fractions) - {TARGET} <= set(CELLS)
    assert sample.crystallite > 0
    assert 0 <= sample.disorder <= 1


def test_iron_phosphate_wants_argon() -> None:
    recipe: dict[str, Any] = {"temperature": 700, "time": 12}

    assert target(lithium_iron_phosphate(), **recipe, atmosphere="argon") > 0.9
    assert target(lithium_iron_phosphate(), **recipe, atmosphere="air") < 0.4


def test_iron_phosphate_fired_in_air_holds_ferric_oxide_and_lithium_phosphate() -> None:
    fractions = made(lithium_iron_phosphate(), 700, 12, "air").fractions

    assert fractions["Fe2O3"] > 0.2
    assert fractions["Li3PO4"] > 0.2


def test_nickel_rich_oxide_wants_oxygen_and_turns_to_rock_salt_when_too_hot() -> None:
    assert target(nickel_rich(), 850, 12, "oxygen") > target(nickel_rich(), 850, 12, "air") + 0.03
    assert target(nickel_rich(), 850, 12, "argon") < 0.4
    assert made(nickel_rich(), 1000, 12, "oxygen").fractions["NiO"] > 0.1


def test_nickel_rich_oxide_has_its_optimum_inside_the_furnaces_range() -> None:
    ridge = landscape(nickel_rich(), "oxygen").max(axis=1)

    assert 650 < TEMPERATURES[ridge.argmax()] < 950
    assert ridge[0] < 0.6
    assert ridge[-1] < ridge.max() - 0.2


def test_cobalt_oxide_is_made_in_air_hotter_than_iron_phosphate_in_argon() -> None:
    def coolest(material: Material, atmosphere: str) -> float:
        good = landscape(material, atmosphere)[:, 5] > 0.9
        return TEMPERATURES[good.argmax()]

    assert coolest(lithium_cobalt_oxide(), "air") > coolest(lithium_iron_phosphate(), "argon") + 50


@pytest.mark.parametrize("name", MATERIALS)
def test_the_best_recipes_are_a_small_part_of_the_space(name: str) -> None:
    everywhere = np.stack([landscape(MATERIALS[name](), gas) for gas in GASES])

    assert everywhere.max() > 0.95
    assert everywhere.min() < 0.2
    assert 0.05 < (everywhere > 0.9).mean() < 0.25


@pytest.mark.parametrize("name", MATERIALS)
def test_below_evaporation_longer_is_better(name: str) -> None:
    gas = {"LFP": "argon", "LCO": "air", "NMC": "oxygen"}[name]
    fractions = [target(MATERIALS[name](), 650, hours, gas) for hours in TIMES]

    assert fractions == sorted(fractions)


def test_slow_ramps_react_as_they_go() -> None:
    args = (lithium_cobalt_oxide(), 800, 1, "air")

    assert target(*args, ramp_rate=1) > target(*args, ramp_rate=10)


def test_surplus_lithium_makes_up_for_evaporation_when_hot_and_stays_as_carbonate_when_not() -> None:
    args = (lithium_cobalt_oxide(), 1000, 12, "air")

    assert target(*args, lithium_excess=10) > target(*args, lithium_excess=0) + 0.05
    cold = [made(lithium_cobalt_oxide(), 750, 12, "air", lithium_excess=x).fractions["Li2CO3"] for x in (0, 10)]
    assert cold[1] > cold[0]


def test_crystals_grow_with_temperature_and_time() -> None:
    sizes = [made(nickel_rich(), t, h, "oxygen").crystallite for t, h in ((600, 4), (800, 4), (800, 40), (1000, 40))]

    assert sizes == sorted(sizes)
    assert 15 < sizes[0] < 60
    assert sizes[-1] > 500


@pytest.mark.parametrize("formula", ["LiAlO2", "Li2S", "LiRuO2", "Li3N", "MgO", "LiCoMoNbO7", "FePO4"])
def test_a_material_never_thought_of_makes_some_powder(formula: str) -> None:
    plain = lithium_cobalt_oxide()
    stranger = Material(formula, plain.structure, 100.0, 3.0, two_phase=False)
    stranger.__dict__["chemistry"] = chemistry(Composition(formula))

    fractions = made(stranger, 800, 12, "air").fractions

    assert math.isclose(sum(fractions.values()), 1.0)
    assert set(fractions) - {TARGET} <= set(CELLS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": None}, "temperature is None"),
        ({"time": "long"}, "time is 'long'"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"time": -1}, "positive"),
        ({"atmosphere": "steam"}, "atmosphere is 'steam'; allowed: oxygen, air, argon"),
        ({"ramp_rate": 0}, "positive"),
    ],
)
def test_a_recipe_that_cannot_be_read_says_why(change: dict[str, Any], message: str) -> None:
    recipe: dict[str, Any] = {"temperature": 800, "time": 12, "atmosphere": "air"} | change

    with pytest.raises(LabError, match=message):
        synthesise(lithium_cobalt_oxide(), recipe, np.random.default_rng(0))
