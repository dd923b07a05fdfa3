import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from campaigns.errors import TableError
from campaigns.tables.cells import Marks, Number, read_number
from campaigns.tables.files import Typed


def read(cell: str, *others: str) -> Number | None:
    return read_number(cell, Marks.of([cell, *others]))


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("800", 800.0),
        ("800,5", 800.5),
        ("800.5", 800.5),
        ("0,123", 0.123),
        ("1.234", 1.234),
        ("1.234,5", 1234.5),
        ("1,234.5", 1234.5),
        ("1.234.567", 1234567.0),
        ("1 234,5", 1234.5),
        ("1\u202f234.5", 1234.5),
        ("1'234.5", 1234.5),
        ("−5", -5.0),
        (",5", 0.5),
        ("1E+03", 1000.0),
        ("1,2E-3", 0.0012),
        ("1.2×10⁻³", 0.0012),
        ("1.2 x 10^3", 1200.0),
    ],
)
def test_numbers_are_read_as_labs_write_them(cell: str, value: float) -> None:
    found = read(cell)
    assert found is not None
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.sd is None


@pytest.mark.parametrize(
    ("cell", "others", "value"),
    [
        ("1,234", ("0,5",), 1.234),
        ("1,234", ("1,222.5",), 1234.0),
        ("1,234", ("1,222,333",), 1234.0),
        ("1.234", ("1.222,5",), 1234.0),
        ("1.234", ("0.5",), 1.234),
    ],
)
def test_the_other_cells_tell_which_mark_stands_before_decimals(
    cell: str, others: tuple[str, ...], value: float
) -> None:
    found = read(cell, *others)
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize(
    ("cell", "others"), [("1,234", ()), ("1,234", ("0.5",)), ("1.234", ("0,5",)), ("1,234", ("0.5", "0,5"))]
)
def test_what_may_be_two_numbers_is_never_guessed(cell: str, others: tuple[str, ...]) -> None:
    with pytest.raises(TableError, match=r"may be 1\.234 or 1234; write 1\.2340 or 1234"):
        read(cell, *others)


@pytest.mark.parametrize(
    ("cell", "value", "sd"),
    [
        ("120 ± 2", 120.0, 2.0),
        ("120,5 +/- 2,5", 120.5, 2.5),
        ("120.5(5)", 120.5, 0.5),
        ("1.234(12)", 1.234, 0.012),
        ("120.5(1.2)", 120.5, 1.2),
        ("1.23(4)e-3", 0.00123, 4e-5),
        ("(1.23 ± 0.04)e-3", 0.00123, 4e-5),
    ],
)
def test_an_uncertainty_beside_the_value_is_read(cell: str, value: float, sd: float) -> None:
    found = read(cell)
    assert found is not None
    assert (found.value, found.sd) == (pytest.approx(value), pytest.approx(sd))


@pytest.mark.parametrize(("cell", "unit"), [("12%", "%"), ("12 %", "%"), ("800°C", "°C"), ("(120 ± 2) mAh/g", "mAh/g")])
def test_a_unit_in_the_cell_is_read(cell: str, unit: str) -> None:
    found = read(cell)
    assert found is not None
    assert found.unit == unit


@pytest.mark.parametrize(
    ("cell", "others", "value"),
    [
        ("168 172", ("1 168 172",), 168172.0),
        ("168 172", ("12 500",), 168172.0),
        ("168\u202f172", (), 168172.0),
        ("168\u00a0172,5", (), 168172.5),
        ("12 500", (), 12500.0),
        ("0.5(6)", (), 0.5),
        ("(1.2 ± 0.1)", (), 1.2),
    ],
)
def test_groups_of_digits_are_told_from_two_readings(cell: str, others: tuple[str, ...], value: float) -> None:
    found = read(cell, *others)
    assert found is not None
    assert found.value == value


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("168 172", "may be two numbers"),
        ("168 172.5", "may be two numbers"),
        ("168 (172)", "may be two numbers"),
        ("184.9 (186.1)", "may be two numbers"),
        ("168(172)", "may be two numbers"),
        ("168 (2)", "may be two numbers"),
        ("(168)", "may mean that it is negative"),
        ("(168) mAh/g", "may mean that it is negative"),
        ("0.9%%", "is no number"),
    ],
)
def test_what_may_mean_two_things_is_named(cell: str, reason: str) -> None:
    with pytest.raises(TableError, match=reason):
        read(cell, "170", "171.5")


@pytest.mark.parametrize("cell", ["", "-", "–", "n/a", "NA", "NaN", "N.D."])
def test_gaps_are_no_numbers(cell: str) -> None:
    assert read(cell) is None


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("<0.5", "is a bound, not a value"),
        ("~5", "is an approximate value"),
        ("#N/A", "is an error of the spreadsheet"),
        ("#DIV/0!", "is an error of the spreadsheet"),
        ("03-May", "is a date or a time"),
        ("2024-01-05", "is a date or a time"),
        ("05.03.2024", "is a date or a time"),
        ("3. Mai", "is a date or a time"),
        ("inf", "is not finite"),
        ("1e400", "is too large"),
        ("1_000", "is no number"),
        ("1.5.2", "points and commas stand where they mean nothing"),
        ("1,23,456", "points and commas stand where they mean nothing"),
        ("800-850", "is no number"),
        ("12 (approx)", "is no number"),
        ("12 ± 1 %", "may mean percent of the value or of the whole"),
        ("5 ± -2", "has an uncertainty that is negative"),
    ],
)
def test_what_is_no_number_is_refused_with_the_reason(cell: str, reason: str) -> None:
    with pytest.raises(TableError, match=reason.replace("(", r"\(")):
        read(cell)


def test_a_number_of_a_workbook_needs_no_other_cells_and_no_zero_is_negative() -> None:
    assert read_number(Typed("1.234"), Marks(comma=True)) == Number(1.234, step=0.001)
    assert read_number(Typed("12.5%"), Marks()) == Number(12.5, step=0.1, unit="percent")
    assert str(getattr(read("-0.0"), "value", None)) == "0.0"


STYLES = {  # mark of groups, mark of decimals
    "English": (",", "."),
    "German": (".", ","),
    "French": ("\u202f", ","),
    "Swiss": ("'", "."),
    "plain": ("", "."),
    "plain comma": ("", ","),
}


@pytest.mark.slow
@settings(max_examples=300)
@given(
    st.lists(st.integers(-(10**6), 10**7), min_size=1, max_size=6), st.integers(0, 4), st.sampled_from(sorted(STYLES))
)
def test_a_column_in_any_style_is_read_right_or_refused_and_never_wrong(
    digits: list[int], decimals: int, style: str
) -> None:
    group, mark = STYLES[style]
    assume(group != "." or decimals)  # a column of 1.234 alone has three decimals
    values = [number / 10**decimals for number in digits]
    cells = [f"{v:,.{decimals}f}".translate({ord(","): group, ord("."): mark}) for v in values]
    marks = Marks.of(cells)
    for cell, value in zip(cells, values, strict=True):
        try:
            found = read_number(cell, marks)
        except TableError:
            continue
        assert found is not None
        assert found.value == pytest.approx(value, rel=1e-12)
