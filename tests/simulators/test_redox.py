import pytest

from simulators.redox import STEPS, share_charge, window

AIR, OXYGEN = -0.68, 0.0


def test_metals_of_a_layered_oxide_take_the_states_that_spectroscopy_finds() -> None:
    states = share_charge({"Ni": 0.8, "Mn": 0.1, "Co": 0.1}, 3.0)

    assert states["Mn"] == pytest.approx(4.0, abs=0.02)
    assert states["Co"] == pytest.approx(3.0, abs=0.02)
    assert states["Ni"] == pytest.approx(2.875, abs=0.02)


def test_charge_is_shared_out_completely() -> None:
    amounts = {"Fe": 0.3, "Mn": 0.5, "V": 0.2}

    assert sum(amounts[m] * s for m, s in share_charge(amounts, 2.9).items()) == pytest.approx(2.9, abs=1e-6)


def test_charge_beyond_every_state_is_clipped() -> None:
    assert share_charge({"Co": 1.0}, 9.0)["Co"] == pytest.approx(4.0)


@pytest.mark.parametrize(("celsius", "lasts"), [(700, True), (900, False)])
def test_trivalent_nickel_gives_off_oxygen_above_800_degrees(celsius: int, lasts: bool) -> None:
    assert (window("Ni", 3.0, celsius + 273.15, 0.0).low < OXYGEN) is lasts


def test_trivalent_cobalt_lasts_in_air_at_a_thousand_degrees() -> None:
    assert window("Co", 3.0, 1273.15, 0.0).low < AIR


def test_divalent_iron_oxidises_in_air_even_in_a_phosphate() -> None:
    assert window("Fe", 2.0, 973.15, 120.0).high < AIR


@pytest.mark.parametrize("metal", STEPS)
def test_a_higher_state_needs_more_oxygen(metal: str) -> None:
    states = [min(STEPS[metal]) - 1 + i / 4 for i in range(5)]
    lows = [window(metal, s, 1000.0, 0.0).low for s in states]

    assert lows == sorted(lows)


def test_a_metal_without_other_states_lasts_in_any_gas() -> None:
    assert window("Al", 3.0, 1000.0, 0.0).low == -float("inf")
