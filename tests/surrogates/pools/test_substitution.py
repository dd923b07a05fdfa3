import dataclasses

import numpy as np
import pytest

from surrogates.pools import frameworks as known
from surrogates.pools.pool import PoolEntry
from surrogates.pools.substitution import Family, Mix, Recipe, substituted_entry

WRONG_SPINEL = dataclasses.replace(
    known.SPINEL,
    name="spinel of the wrong origin",
    group="Fd-3m",
    sites=(("Li", (0.5, 0.5, 0.5)), ("M", (0.125, 0.125, 0.125)), ("O", (0.2632, 0.2632, 0.2632))),
)


def layered(*metals: str) -> Recipe:
    mix = Mix("ABC"[: len(metals)], metals, ((len(metals), 0, 0), (0, 1, 0), (0, 0, 1)))
    return Recipe(Family(known.LAYERED, (mix,)), mix, metals)


def test_exchangeable_letters_are_given_one_order_only() -> None:
    metals = ("Co", "Mn", "Ni")
    assert [len(list(Mix(order, metals).choices())) for order in ("A", "AB", "AAB", "ABC")] == [3, 3, 6, 1]
    assert list(Mix("LLAA", ("Ni",)).choices()) == [{"L": "Li", "A": "Ni"}]


def test_an_entry_says_where_it_comes_from() -> None:
    entry = substituted_entry(layered("Mn", "Ni"))
    assert isinstance(entry, PoolEntry)
    assert entry.id == "Li2MnNiO4-layered"
    assert entry.provenance["lithiated"] == "Mn4+ Ni2+"
    assert entry.provenance["delithiated"] == "Mn4+ Ni4+"
    assert "Akimoto" in entry.provenance["source"]


@pytest.mark.parametrize(
    ("metals", "reason"),
    [
        (("Al",), "no allowed oxidation states balance"),
        (("Fe",), "no allowed oxidation states balance"),
        (("Al", "Al", "Co"), "only 33% of the lithium can be removed; at least 50% is required"),
    ],
)
def test_what_cannot_deliver_lithium_is_no_entry(metals: tuple[str, ...], reason: str) -> None:
    made = substituted_entry(layered(*metals))
    assert isinstance(made, list)
    assert reason in made[0]


def test_a_framework_in_the_wrong_origin_makes_no_entry() -> None:
    family = Family(WRONG_SPINEL, ())
    made = substituted_entry(Recipe(family, Mix("AAAA", ("Mn",)), ("Mn",) * 4))
    assert isinstance(made, list)
    assert any("anions" in reason for reason in made)


def test_oxyanions_stay_rigid_while_the_cell_grows() -> None:
    mix = Mix("AAAA", ("Mn", "Ni"))
    lengths, volumes = [], []
    for metal in mix.metals:
        entry = substituted_entry(Recipe(Family(known.OLIVINE, (mix,), "P"), mix, (metal,) * 4))
        assert isinstance(entry, PoolEntry)
        first, second, _, distance = entry.structure.get_neighbor_list(1.8)
        lengths.append(np.sort(distance))
        volumes.append(entry.structure.volume)
        assert {entry.structure[int(i)].specie.symbol for i in (*first, *second)} == {"P", "O"}
    assert volumes[0] > 1.05 * volumes[1]
    assert lengths[0] == pytest.approx(lengths[1], abs=1e-9)
