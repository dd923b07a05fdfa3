from pathlib import Path

import openpyxl
import pytest

from campaigns.errors import TableError
from campaigns.tables.number_formats import Shown, displayed
from campaigns.tables.sheet import Sheet, read_sheet


def book(folder: Path, value: float, number_format: str, head: str = "y") -> Sheet:
    workbook = openpyxl.Workbook()
    workbook.active.append([head, "note"])
    workbook.active.append([value, "x"])
    workbook.active["A2"].number_format = number_format
    workbook.save(folder / "lab.xlsx")
    return read_sheet(folder / "lab.xlsx", ["y"])


@pytest.mark.parametrize(
    ("value", "number_format", "unit", "expected"),
    [
        (1073.15, '0.00" K"', "degC", 800.0),
        (1073.15, r"0.00\ \K", "degC", 800.0),
        (0.168, '0.000" Ah/g"', "mAh/g", 168.0),
        (168000, '0.0" µAh/g"', "mAh/g", 168.0),
        (168000, '#,##0.0," mAh/g"', "mAh/g", 168.0),
        (0.5, '0.0" d"', "h", 12.0),
        (91.2, '0.0"%"', "1", 0.912),
        (91.2, r"0.0\%", "1", 0.912),
        (91.2, 'General"%"', "1", 0.912),
        (91.2, "[<1]0.0%;0.0", "percent", 91.2),
        (0.912, "[<1]0.0%;0.0", "percent", 91.2),
        (0.912, "0.00%;-0.00%", "percent", 91.2),
        (-0.912, "0.00%;[Red]-0.00%", "percent", -91.2),
        (0.912, '0.0%" w/w"', "wt_percent", 91.2),
        (91.2, "0.00E+00", "percent", 91.2),
        (12.5, "#,##0.00 [$€-407]", "EUR", 12.5),
        (12.5, '"$"#,##0.00_);("$"#,##0.00)', "USD", 12.5),
        (12.5, "[$CHF-807] #,##0", "CHF", 12.5),
        (1234.5, "#'##0.0", "1", 1234.5),
        (1234.5, r"#\ ##0.0", "1", 1234.5),
        (12500, "#,##0", "1", 12500.0),
        (0.25, "# ?/?", "1", 0.25),
    ],
)
def test_what_a_cell_of_a_workbook_shows_behind_its_number_is_its_unit(
    tmp_path: Path, value: float, number_format: str, unit: str, expected: float
) -> None:
    found = book(tmp_path, value, number_format)
    number = found.number(found.rows[0], "y", unit)
    assert number is not None
    assert number.value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("number_format", "message"),
    [
        ('0.0" pieces"', "is shown with 'pieces', which is no unit"),
        ('"<"0.0', "is a bound"),
        ('"ca. ≈"0.0', "is an approximate value"),
        ('0.0" K"', "168 K"),
    ],
)
def test_what_is_shown_and_cannot_be_read_is_refused(tmp_path: Path, number_format: str, message: str) -> None:
    found = book(tmp_path, 168, number_format)
    with pytest.raises(TableError, match=message):
        found.number(found.rows[0], "y", "mAh/g")


def test_quotes_hide_what_would_end_a_section_or_scale() -> None:
    assert displayed(1.0, '0.0"; %"') == Shown(after="; %")
    assert displayed(0.0, '0.0" K";-0.0" K";"none"') == Shown(before="none")
    assert displayed(5.0, "_-* 0.00_-") == Shown()


def test_the_digits_of_a_number_in_a_workbook_tell_how_it_is_rounded(tmp_path: Path) -> None:
    for value, number_format, step in ((33.3, "General", 0.1), (0.333, "0.0%", 0.1), (33, "0", 1.0)):
        found = book(tmp_path, value, number_format)
        number = found.number(found.rows[0], "y", "percent")
        assert number is not None
        assert number.step == pytest.approx(step)
