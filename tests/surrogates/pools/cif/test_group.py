import gemmi
import pytest
import spglib

from surrogates.pools.cif.group import hall_group, listed_group, named_groups, numbered_groups
from surrogates.pools.structure_parsing import parse_structure
from tests.surrogates.pools.cif.texts import named, text

SETTINGS = list(gemmi.spacegroup_table())


@pytest.mark.slow
def test_every_setting_is_the_same_by_its_operations_its_hall_symbol_and_its_name() -> None:
    for setting in SETTINGS:
        listed, note = listed_group(tuple(op.triplet() for op in setting.operations()))
        assert note == ""
        assert listed.number == setting.number
        assert listed.same_as(hall_group(setting.hall))
        assert any(listed.same_as(group) for group in named_groups(setting.xhm()))


@pytest.mark.filterwarnings("ignore:Set OLD_ERROR_HANDLING:DeprecationWarning")  # spglib's, whatever it is asked
def test_every_symbol_of_the_tables_names_its_group_alone() -> None:
    for kind in map(spglib.get_spacegroup_type, range(1, 531)):
        assert kind is not None
        for symbol in (kind.international_short, kind.international_full, kind.international_full.replace(" ", "")):
            assert {group.number for group in named_groups(symbol)} == {kind.number}, symbol


def test_a_number_has_a_setting_for_each_origin_or_axes() -> None:
    assert [group.name for group in numbered_groups(227)] == ["F d -3 m:1", "F d -3 m:2"]
    assert [group.name for group in numbered_groups(166)] == ["R -3 m:H", "R -3 m:R"]
    assert [group.name for group in numbered_groups(14)] == ["P 1 21/c 1"]


@pytest.mark.parametrize(
    ("symbol", "cell", "exact", "rounded"),
    [
        ("P 63/m m c", "4 4 7 90 90 120", "1/3 2/3 1/4", "0.333 0.667 0.250"),
        ("P 63/m m c", "6 6 7 90 90 120", "1/6 1/3 1/4", "0.167 0.333 0.250"),
        ("P 63/m m c", "6 6 7 90 90 120", "5/6 2/3 1/4", "0.833 0.667 0.25"),
        ("P 62 2 2", "5 5 6 90 90 120", "1/2 0 1/3", "0.500 0 0.333"),
        ("P 6/m m m", "6 6 4 90 90 120", "1/3 1/6 1/2", "0.333 0.166 0.5"),
        ("R -3 m :H", "6 6 20 90 90 120", "1/2 0 2/3", "0.5 0 0.667"),
        ("R -3 c :H", "5 5 13 90 90 120", "1/3 2/3 1/6", "0.333 0.667 0.167"),
        ("F d -3 m :2", "8 8 8 90 90 90", "1/8 1/8 1/8", "0.13 0.13 0.13"),
        ("I a -3 d", "12 12 12 90 90 90", "1/8 0 1/4", "0.125 0.000 0.25"),
        ("I 41/a m d :2", "4 4 10 90 90 90", "0 3/4 1/8", "0 0.75 0.13"),
        ("P 31 2 1", "5 5 6 90 90 120", "1/4 0 1/3", "0.250 0 0.333"),
    ],
)
def test_rounded_special_positions_have_as_many_images_as_exact_ones(
    symbol: str, cell: str, exact: str, rounded: str
) -> None:
    first, second = (
        parse_structure(text(f"Na1 Na {at}", cell=cell, symmetry=named(symbol))) for at in (exact, rounded)
    )
    assert len(first) == len(second) < 192
    assert first.distance_matrix == pytest.approx(second.distance_matrix, abs=0.05)
