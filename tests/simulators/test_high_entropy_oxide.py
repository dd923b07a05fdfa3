import math

import pytest

from campaigns.errors import SampleError
from simulators.high_entropy_oxide import GAS_CONSTANT, OXIDES, hot_stage, transition_temperature

EQUAL = dict.fromkeys(OXIDES, 0.2)


def test_the_equimolar_oxide_is_one_phase_where_rost_et_al_found_it() -> None:
    assert transition_temperature(EQUAL) - 273.15 == pytest.approx(875, abs=5)


def test_each_share_that_leaves_five_equal_parts_costs_temperature() -> None:
    for metal in OXIDES:
        others = {name: 0.2 if name in ("copper", "zinc") else 0.2 - 0.1 / 4 for name in OXIDES}
        assert transition_temperature(others | {metal: 0.5}) > transition_temperature(EQUAL) - 200
    only = dict.fromkeys(OXIDES, 0.0) | {"nickel": 0.5, "zinc": 0.5}
    assert transition_temperature(only) > transition_temperature(EQUAL) + 200


def test_two_oxides_of_one_size_need_only_the_change_of_structure() -> None:
    shares = dict.fromkeys(OXIDES, 0.0) | {"copper": 1.0}
    assert transition_temperature(shares) == math.inf
    half = dict.fromkeys(OXIDES, 0.0) | {"magnesium": 0.5, "copper": 0.5}
    least = 0.5 * OXIDES["copper"].enthalpy / (GAS_CONSTANT * math.log(2))
    assert transition_temperature(half) > least


def test_the_cell_is_the_mean_of_the_oxides() -> None:
    read = hot_stage().respond(EQUAL, None)
    assert read["lattice_parameter"] == pytest.approx(sum(one.edge for one in OXIDES.values()) / 5)


def test_what_stays_mixed_beyond_the_hot_stage_cannot_be_measured() -> None:
    shares = dict.fromkeys(OXIDES, 0.0) | {"nickel": 0.1, "zinc": 0.9}
    with pytest.raises(SampleError, match="still several phases at 1400 degC"):
        hot_stage().respond(shares, None)
