import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogates.pools.chemistry import (
    COUPLES,
    INERT,
    REDOX,
    assign,
    balance,
    radius,
    states_of,
    states_text,
    total_charge,
)


@pytest.mark.parametrize(
    ("metals", "framework", "lithium", "lithiated", "delithiated", "removed"),
    [
        ({"Co": 1}, -4, 1, "Co3+", "Co4+", 1),
        ({"Mn": 2}, -8, 1, "1Mn3+ 1Mn4+", "Mn4+", 1),
        ({"Fe": 1}, -3, 1, "Fe2+", "Fe3+", 1),
        ({"Mn": 1, "Ni": 1}, -8, 2, "Mn4+ Ni2+", "Mn4+ Ni4+", 2),
        ({"Co": 1, "Mn": 1, "Ni": 1}, -12, 3, "Co3+ Mn4+ Ni2+", "Co4+ Mn4+ Ni4+", 3),
        ({"Mn": 3, "Ni": 1}, -16, 2, "Mn4+ Ni2+", "Mn4+ Ni4+", 2),
        ({"Fe": 1}, -4, 2, "Fe2+", "Fe3+", 1),
        ({"V": 1}, -6, 2, "V4+", "V5+", 1),
        ({"Al": 1, "Co": 1}, -8, 2, "Al3+ Co3+", "Al3+ Co4+", 1),
    ],
    ids=["LCO", "LMO", "LFP", "LiNi0.5Mn0.5O2", "NMC111", "LNMO", "Li2FeSiO4", "Li2VO3", "half aluminium"],
)
def test_known_cathodes_balance_as_measured(
    metals: dict[str, int], framework: int, lithium: int, lithiated: str, delithiated: str, removed: int
) -> None:
    states = balance(metals, framework, lithium)
    assert states is not None
    assert states_text(states.lithiated) == lithiated
    assert states_text(states.delithiated) == delithiated
    assert (states.removed, states.fraction) == (removed, removed / lithium)


@pytest.mark.parametrize("metal", [*INERT, "Fe"])
def test_what_cannot_be_oxidised_beyond_three_makes_no_layered_cathode(metal: str) -> None:
    assert balance({metal: 1}, -4, 1) is None


def test_manganese_iv_gives_no_electron() -> None:
    assert balance({"Mn": 1}, -6, 2) is None


@given(
    metals=st.dictionaries(st.sampled_from([*REDOX, *INERT]), st.integers(1, 3), min_size=1, max_size=3),
    charge=st.integers(2, 30),
)
def test_an_assignment_is_exact_complete_and_allowed(metals: dict[str, int], charge: int) -> None:
    states = assign(metals, charge)
    lowest = sum(states_of(element)[0] * count for element, count in metals.items())
    highest = sum(states_of(element)[-1] * count for element, count in metals.items())
    assert (states is not None) == (lowest <= charge <= highest)
    if states is not None:
        assert total_charge(states) == charge
        assert all(state in states_of(element) for element, state in states)
        found = {element: sum(n for (e, _), n in states.items() if e == element) for element in metals}
        assert found == metals


@given(
    metals=st.dictionaries(st.sampled_from([*REDOX, *INERT]), st.integers(1, 2), min_size=1, max_size=3),
    charge=st.integers(4, 24),
)
def test_removing_lithium_reduces_no_metal(metals: dict[str, int], charge: int) -> None:
    before, after = assign(metals, charge), assign(metals, charge + 1)
    if before is not None and after is not None:
        for element in metals:
            old = sum(state * count for (e, state), count in before.items() if e == element)
            assert sum(state * count for (e, state), count in after.items() if e == element) >= old


def test_every_couple_has_its_place() -> None:
    needed = {(element, state) for element, states in REDOX.items() for state in states[:-1]}
    assert set(COUPLES) == needed
    assert len(COUPLES) == len(needed)


@pytest.mark.parametrize(
    ("ion", "coordination", "expected"),
    [(("Fe", 2), 6, 0.78), (("Co", 3), 6, 0.545), (("Mn", 3), 6, 0.645), (("Li", 1), 4, 0.59), (("P", 5), 4, 0.17)],
)
def test_radii_are_shannons_in_the_usual_spin_state(ion: tuple[str, int], coordination: int, expected: float) -> None:
    assert radius(*ion, coordination) == pytest.approx(expected)


def test_five_coordination_lies_halfway() -> None:
    assert radius("Li", 1, 5) == pytest.approx((0.59 + 0.76) / 2)


def test_missing_radius_says_so() -> None:
    with pytest.raises(ValueError, match=r"no 6-fold Fe7\+; use an ion that it has"):
        radius("Fe", 7, 6)
