import pytest
from pymatgen.core import Lattice, Structure

from surrogates.pools.chemistry import Balance
from surrogates.pools.generated_cell_checks import Neighbourhood, charge_faults, faults
from tests.space_groups import crystal_of

EXPECTED = {"Li": Neighbourhood(("Li", 1), 4), "Mn": Neighbourhood(("Mn", 4), 6), "O": None}


def spinel(setting: str, a: float = 8.2476, u: float = 0.2632) -> Structure:
    sites = [[0.125] * 3, [0.5] * 3, [u] * 3]
    return crystal_of(setting, Lattice.cubic(a), ["Li", "Mn", "O"], sites)


def found(structure: Structure) -> list[str]:
    return faults(structure, [EXPECTED[site.specie.symbol] for site in structure])


def test_the_published_spinel_passes() -> None:
    assert found(spinel("Fd-3m:2")) == []


def test_a_spinel_in_the_wrong_origin_is_rejected_for_its_distances_and_coordination() -> None:
    text = "; ".join(found(spinel("Fd-3m")))
    assert "two anions are 0.31 Å apart" in text
    assert "Mn has 0 anions" in text
    assert "Li has 8 anions" in text


@pytest.mark.parametrize(
    ("a", "u", "message"),
    [
        (9.6, 0.2632, "Mn has a mean bond of 2.28 Å; 1.91 Å ± 10 % is expected"),
        (7.0, 0.2632, r"two anions are 2\.2\d Å apart"),
        (8.2476, 0.235, "Li has a mean bond of 1.57 Å"),
    ],
    ids=["too large", "too small", "oxygen misplaced"],
)
def test_a_bent_cell_is_rejected(a: float, u: float, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        assert not found(spinel("Fd-3m:2", a, u)), "; ".join(found(spinel("Fd-3m:2", a, u)))


def test_overlapping_cations_are_rejected() -> None:
    crowded = spinel("Fd-3m:2")
    crowded.append("Li", [0.225, 0.125, 0.125])
    assert any("two cations are 0.82 Å apart" in fault for fault in found(crowded))


def test_charges_must_vanish_on_both_sides() -> None:
    right = Balance({("Co", 3): 2}, {("Co", 4): 2}, lithium=2, removed=2)
    wrong = Balance({("Co", 3): 2}, {("Co", 3): 2}, lithium=2, removed=2)
    assert charge_faults(right, -8) == []
    assert charge_faults(wrong, -8) == ["the delithiated cell has a charge of -2; it must be 0"]
    assert len(charge_faults(right, -9)) == 2
