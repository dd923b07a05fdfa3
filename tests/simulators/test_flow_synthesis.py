import math

import pytest

from campaigns.errors import SampleError
from simulators.flow_synthesis import ACTIVATION, GAS_CONSTANT, RATES, REFERENCE, concentrations, outlet

MIDDLE = {"residence_time": 1.0, "equivalents": 2.0, "concentration": 0.3, "temperature": 80.0}


def test_atoms_are_neither_made_nor_lost() -> None:
    left, morpholine, ortho, para, both = concentrations(0.3, 0.6, 353.15, 60.0)
    assert left + ortho + para + both == pytest.approx(0.3)
    assert morpholine + ortho + para + 2 * both == pytest.approx(0.6)


def test_with_equal_amounts_and_one_step_it_is_the_textbooks_second_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulators.flow_synthesis.RATES", (RATES[0], 0.0, 0.0, 0.0))
    left, *_ = concentrations(0.2, 0.2, REFERENCE, 60.0)
    assert left == pytest.approx(0.2 / (1 + RATES[0] * 60.0 * 0.2), rel=1e-5)  # Levenspiel, chapter 3


def test_a_small_conversion_follows_arrhenius() -> None:
    hot, cold = (concentrations(0.1, 0.1, kelvin, 0.01)[2] for kelvin in (373.15, 333.15))
    assert hot / cold == pytest.approx(math.exp(ACTIVATION[0] / GAS_CONSTANT * (1 / 333.15 - 1 / 373.15)), rel=1e-2)


def test_much_of_everything_gives_by_products() -> None:
    impurities = [outlet(MIDDLE | {"equivalents": excess})["impurity"] for excess in (1.0, 2.0, 5.0)]
    assert impurities == sorted(impurities)
    assert outlet(MIDDLE | {"temperature": 40.0})["impurity"] < outlet(MIDDLE)["impurity"]


def test_a_short_stay_in_a_dilute_reactor_shows_no_product() -> None:
    with pytest.raises(SampleError, match="below the detector's"):
        outlet({"residence_time": 0.2, "equivalents": 0.5, "concentration": 0.001, "temperature": 20.0})
