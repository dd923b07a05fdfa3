import pytest

from campaigns.errors import SampleError
from campaigns.values import Candidate, Scalar
from simulators.electrolyte import (
    COLD,
    ROOM,
    SALTS,
    conductivity,
    free_share,
    unpaired_conductivity,
    walden_estimate,
)

USUAL: dict[str, Scalar] = {
    "salt": "LiPF6",
    "concentration": 1.0,
    "ethylene_carbonate": 30.0,
    "dimethyl_carbonate": 0.0,
    "ethyl_methyl_carbonate": 70.0,
}


def test_the_usual_electrolyte_conducts_as_much_as_it_does() -> None:
    assert conductivity(USUAL, ROOM) == pytest.approx(8, abs=2)  # mS/cm; 8 to 9 are measured at 25 degC
    assert conductivity(USUAL, COLD) == pytest.approx(3, abs=1)


def test_there_is_a_best_concentration() -> None:
    found = [conductivity(USUAL | {"concentration": molar}, ROOM) for molar in (0.1, 0.8, 2.5)]
    assert max(found) == found[1]


def test_few_ions_are_free_in_a_solvent_that_does_not_part_them() -> None:
    assert free_share(USUAL, 3.0, ROOM) < 0.01 < 0.2 < free_share(USUAL, 60.0, ROOM) < 1
    assert free_share(USUAL | {"concentration": 1e-6}, 60.0, ROOM) == pytest.approx(1, abs=1e-4)


def test_the_estimate_knows_no_pairs_and_is_too_high() -> None:
    for salt in SALTS:
        told = walden_estimate(Candidate(USUAL | {"salt": salt}), None)
        assert told.value == unpaired_conductivity(USUAL | {"salt": salt}, COLD)
        assert told.value > conductivity(USUAL | {"salt": salt}, COLD)


def test_much_ethylene_carbonate_freezes_in_the_cold_and_not_on_the_bench() -> None:
    much = USUAL | {"ethylene_carbonate": 60.0, "ethyl_methyl_carbonate": 40.0}
    assert conductivity(much, ROOM) > 5
    with pytest.raises(SampleError, match="freezes out at -10 degC"):
        conductivity(much, COLD)
