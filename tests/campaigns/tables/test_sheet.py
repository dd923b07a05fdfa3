import gzip
import sys
from pathlib import Path

import openpyxl
import pytest
from openpyxl.styles import Font

from campaigns.errors import TableError
from campaigns.tables.sheet import Sheet, read_sheet

NUMBERS, TEXTS = ["temperature", "gap", "gap sd"], ["gas"]


def sheet(folder: Path, text: str | bytes, name: str = "lab.csv") -> Sheet:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_sheet(folder / name, NUMBERS, TEXTS)


def sheet_file(folder: Path, text: str) -> Path:
    (folder / "lab.csv").write_text(text, encoding="utf-8")
    return folder / "lab.csv"


def values(found: Sheet, name: str = "temperature", unit: str = "degC") -> list[float | None]:
    numbers = [found.number(row, name, unit) for row in found.rows]
    return [None if number is None else number.value for number in numbers]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators_are_recognised(tmp_path: Path, encoding: str, separator: str) -> None:
    text = "temperature [°C],gas,gap [µm]\r\n800,Luft für Öfen,1\r\n810,air,2\r\n".replace(",", separator)
    found = sheet(tmp_path, text.encode(encoding))
    assert values(found) == [800.0, 810.0]
    assert found.columns["gap"].unit == "µm"
    assert found.text(found.rows[0], "gas") == "Luft für Öfen"


def test_excel_says_what_separates_and_compressed_tables_are_read(tmp_path: Path) -> None:
    assert values(sheet(tmp_path, "sep=;\r\ntemperature;gap\r\n800,5;1\r\n")) == [800.5]
    assert values(sheet(tmp_path, gzip.compress(b"temperature\tgap\n800.5\t1\n"), "lab.tsv.gz")) == [800.5]


@pytest.mark.parametrize(
    "head",
    [
        "temperature [K]",
        "temperature (K)",
        "temperature / K",
        "temperature/K",
        "temperature, K",
        "temperature {K}",
        "temperature <K>",
        "temperature in K",
        "temperature_K",
        "Temperature [K]",
        "temperature\n(K)",
    ],
)
def test_the_unit_of_a_head_is_converted_however_it_is_written(tmp_path: Path, head: str) -> None:
    assert values(sheet(tmp_path, f'"{head}";gap\n1073.15;1\n')) == [800.0]


def test_a_row_of_units_is_applied(tmp_path: Path) -> None:
    found = sheet(tmp_path, "temperature,gas,gap\nK,,[meV]\n1073.15,air,500\n")
    assert (values(found), values(found, "gap", "eV")) == ([800.0], [0.5])
    assert [row.number for row in found.rows] == [3]
    with pytest.raises(TableError, match=r"column A .* is in 'degC' by its head and in 'K' by row 2"):
        sheet(tmp_path, "temperature [degC],gap\nK,eV\n1073,1\n")
    for units in ("kelvn,,eV", "Celcius,,"):
        with pytest.raises(TableError, match=r"unknown unit '(kelvn|Celcius)'"):
            sheet(tmp_path, f"temperature,gas,gap\n{units}\n1073,air,1\n")
    assert sheet(tmp_path, "temperature,gas,gap\n1/h,,1\n1073,air,1\n").columns["temperature"].unit == "1/h"
    assert [
        remark.row for remark in sheet(tmp_path, "temperature,gas,gap\nfailed,air,n/a\n1073,air,1\n").left_out
    ] == []


@pytest.mark.parametrize("row", ["800 °C,500 meV", "800 ± 1,1 meV", "91%,1", "(800 ± 1) K,1", "n/a,RT", "=A1,=B1"])
def test_a_first_row_with_units_in_its_cells_is_no_row_of_units(tmp_path: Path, row: str) -> None:
    found = read_sheet(sheet_file(tmp_path, f"temperature,gap\n{row}\n800,1\n"), NUMBERS)
    assert [each.number for each in found.rows] == [2, 3]


@pytest.mark.parametrize("text", ["temperature [-],gap\n0.5,1\n", "temperature,gap\n(-),eV\n0.5,1\n"])
def test_a_dash_in_place_of_a_unit_is_a_number_without_dimension(tmp_path: Path, text: str) -> None:
    assert values(sheet(tmp_path, text), unit="percent") == [50.0]


def test_a_head_that_stands_twice_is_refused_with_both_columns(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"columns B \('gap \[eV\]'\) and D \('gap \[meV\]'\) are both 'gap'"):
        sheet(tmp_path, "temperature,gap [eV],gas,gap [meV]\n800,1,air,1\n")
    assert sheet(tmp_path, "temperature,note,gap,note\n800,x,1,y\n").unread == ("note", "note")


@pytest.mark.parametrize("head", ["gap sd [meV]", "gap [meV] sd", "gap_std (meV)", "gap sigma / meV", "sd(gap) [meV]"])
def test_uncertainties_are_found_by_the_words_for_them(tmp_path: Path, head: str) -> None:
    found = sheet(tmp_path, f"temperature,gap [eV],{head}\n800,1,20\n")
    assert found.difference(found.rows[0], "gap sd", "eV", "gap") == pytest.approx(0.02)


def test_an_uncertainty_of_a_temperature_is_a_difference(tmp_path: Path) -> None:
    found = sheet(tmp_path, "temperature,gap [degC],gap sd [K]\n800,20,5\n")
    assert found.difference(found.rows[0], "gap sd", "degC", "gap") == pytest.approx(5.0)


def test_lines_that_are_no_rows_cost_only_themselves_and_keep_the_numbers_of_a_spreadsheet(tmp_path: Path) -> None:
    text = (
        "Results of May,,,\n# made by hand\n\ntemperature,gas,gap,,\n800,air,1,,\n# a comment\n810,air\n820,air,1,,7\n"
        "#830,air,9\n,,,,\ntemperature,gas,gap,,\n840,air,2,,\n,,\n\n"
    )
    found = sheet(tmp_path, text)
    assert [row.number for row in found.rows] == [5, 12]
    assert {remark.row: remark.reason.partition(";")[0] for remark in found.left_out} == {
        7: "2 cells for 3 columns",
        8: "5 cells for 3 columns",
        9: "begins with '#', so that it is taken for a comment",
        11: "repeats the names of the columns",
    }


def test_names_of_samples_may_begin_with_the_mark_of_a_comment(tmp_path: Path) -> None:
    text = "sample,temperature,gap\n#1,800,1\n#2,810,2\n# made on Monday\n#3,820,3\nmean,810,2\n"
    assert values(sheet(tmp_path, text)) == [800.0, 810.0, 820.0, 810.0]


def test_heads_behind_the_mark_of_a_comment_are_heads(tmp_path: Path) -> None:
    assert values(sheet(tmp_path, "# temperature,gap\n8.0e2,1.0\n")) == [800.0]


def test_workbooks_are_read_as_they_show(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    page = book.active
    for row in (["temperature [K]", "gas", "gap"], [1073.15, "air", 0.125], [1083.15, 7, "1,5"], ["#N/A", True, None]):
        page.append(row)
    page["C2"].number_format = "0.0%"
    page["B3"].number_format = "000"
    book.save(tmp_path / "lab.xlsx")
    found = read_sheet(tmp_path / "lab.xlsx", NUMBERS, TEXTS)
    assert [found.text(row, "gas") for row in found.rows] == ["air", "007", "TRUE"]
    assert [n and n.value for n in (found.number(row, "gap", "percent") for row in found.rows)] == [12.5, 1.5, None]
    with pytest.raises(TableError, match="is an error of the spreadsheet"):
        found.number(found.rows[2], "temperature", "K")
    assert found.number(found.rows[0], "temperature", "degC").value == 800.0
    page.parent.create_sheet("more").append(["temperature [K]", "gap"])
    book.save(tmp_path / "lab.xlsx")
    with pytest.raises(TableError, match="several sheets that may be meant: 'Sheet', 'more'"):
        read_sheet(tmp_path / "lab.xlsx", NUMBERS, TEXTS)


@pytest.mark.parametrize("name", ["lab.xlsx", "lab.csv.gz"])
def test_a_file_that_is_something_else_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        sheet(tmp_path, "temperature\n1\n", name)


def test_a_workbook_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(TableError, match=r"pip install 'athanor-sdl\[xlsx\]', or save the table as CSV"):
        sheet(tmp_path, "temperature\n1\n", "lab.xlsx")


ROWS = "800,air,1\n"


@pytest.mark.parametrize(
    "text",
    [
        "K,,meV\ntemperature,gas,gap\n1073.15,air,1000\n",
        "temperature,gas,gap\nset,flow,1st run\nK,,meV\n1073.15,air,1000\n",
        "temperature,gas,gap\n\n# made by hand\nK,,meV\n1073.15,air,1000\n",
        "temperature,gas,gap\n800,air,1\ntemperature,gas,gap\nK,,meV\n1073.15,air,1000\n",
        "temperature,gas,gap\n800,air,1\n\ntemperature [K],gas,gap [meV]\n1073.15,air,1000\n",
        "temperature,gas,gap\n800,air,1\ngap [meV],temperature [K],gas\n1000,1073.15,air\n",
        "temperature [K],gas,gap [meV]\nK,,meV\n1073.15,air,1000\nK,,meV\n1073.15,air,1000\n",
    ],
)
def test_units_are_applied_above_below_and_in_each_part_of_a_table(tmp_path: Path, text: str) -> None:
    found = sheet(tmp_path, text)
    assert set(values(found)) == {800.0}
    assert set(values(found, "gap", "eV")) == {1.0}
    assert {found.text(row, "gas") for row in found.rows} == {"air"}


@pytest.mark.parametrize("row", ["<K>,,<meV>", "{K},,{meV}", "in K,,in meV", "/K,,/meV", "[K],-,[meV]", "(K),,(meV)"])
def test_units_in_a_row_may_be_in_brackets(tmp_path: Path, row: str) -> None:
    found = sheet(tmp_path, f"temperature,gas,gap\n{row}\n1073.15,air,1000\n")
    assert (values(found), values(found, "gap", "eV")) == ([800.0], [1.0])
    assert sheet(tmp_path, "temperature\nin Hg\n1\n").columns["temperature"].unit == "in Hg"


def test_units_among_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="row 3 states units in the middle of the table"):
        sheet(tmp_path, f"temperature,gas,gap\n{ROWS}K,,meV\n1073.15,air,1000\n")
    kept = sheet(tmp_path, f"temperature,gas,gap\n{ROWS}failed,air,A\n,,1\n")
    assert [row.number for row in kept.rows] == [2, 3, 4]


@pytest.mark.parametrize(
    "heads",
    [
        "temperature,temperature unit,gap,gap units",
        "temperature,unit,gap,unit",
        "temperature,Einheit,gap,Einheit",
        "temperature,temperature_unit,gap,unit (gap)",
        "temperature,unit of temperature,gap,Unit of gap",
    ],
)
def test_a_column_of_units_holds_row_by_row(tmp_path: Path, heads: str) -> None:
    found = sheet(tmp_path, f"{heads}\n1073.15,K,1000,meV\n800,°C,1,eV\n800,,1,kelvn\n")
    assert found.unread == ()
    assert [n and n.value for n in (found.number(row, "gap", "eV") for row in found.rows[:2])] == [1.0, 1.0]
    assert [n and n.value for n in (found.number(row, "temperature", "degC") for row in found.rows[:2])] == [800, 800]
    with pytest.raises(TableError, match="has no unit beside it"):
        found.number(found.rows[2], "temperature", "degC")
    with pytest.raises(TableError, match="is in 'kelvn', which is no unit"):
        found.number(found.rows[2], "gap", "eV")


def test_a_column_of_units_holds_for_the_uncertainty_too(tmp_path: Path) -> None:
    found = sheet(tmp_path, "temperature,gap,gap sd,unit\n800,1000,20,meV\n800,1,0.02,eV\n")
    assert values(found, "gap", "eV") == [1.0, 1.0]
    assert [found.difference(row, "gap sd", "eV", "gap") for row in found.rows] == [0.02, 0.02]
    with pytest.raises(TableError, match="is in 'eV' by its head and in 'meV' by the column of units"):
        values(sheet(tmp_path, "gap [eV],unit\n1000,meV\n"), "gap", "eV")


def test_an_uncertainty_without_a_unit_has_that_of_its_value(tmp_path: Path) -> None:
    found = sheet(tmp_path, "temperature,gap,gap sd\n800,1000 meV,20\n800,1,20 meV\n")
    assert [found.difference(row, "gap sd", "eV", "gap") for row in found.rows] == [0.02, 0.02]


@pytest.mark.parametrize("head", ["gap stderr", "gap sem", "gap error", "σ(gap)", "gap σ", "standard error of gap"])
def test_more_words_for_an_uncertainty(tmp_path: Path, head: str) -> None:
    found = sheet(tmp_path, f"temperature,gap,{head}\n800,1,0.02\n")
    assert found.difference(found.rows[0], "gap sd", "eV", "gap") == 0.02


def test_what_says_more_of_a_name_is_no_second_column_and_no_unit(tmp_path: Path) -> None:
    found = sheet(tmp_path, "temperature,temperature in oven,gap\n800,790,1\n")
    assert (values(found), found.unread) == ([800.0], ("temperature in oven",))
    assert values(sheet(tmp_path, "temperature (set),gap\n800,1\n")) == [800.0]
    with pytest.raises(TableError, match="are both 'temperature'"):
        sheet(tmp_path, "temperature (set),temperature (actual)\n800,790\n")


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="is empty"):
        sheet(tmp_path, "")


def workbook(folder: Path, sheets: dict[str, list[list[object]]], hidden: str = "") -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        page = book.create_sheet(title)
        for row in rows:
            page.append(row)
        page.sheet_state = "hidden" if title == hidden else "visible"
    book.save(folder / "lab.xlsx")
    return book


DATA: list[list[object]] = [["temperature", "gas", "gap"], [800, "air", 1]]
OLD: list[list[object]] = [["temperature", "gas", "gap"], [700, "air", 1]]
NOTES: list[list[object]] = [["Temperature was read by a thermocouple"], ["gap by eye"]]


@pytest.mark.parametrize(
    ("sheets", "hidden"),
    [
        ({"notes": NOTES, "data": DATA}, ""),
        ({"old": OLD, "data": DATA}, "old"),
        ({"notes": [["made by hand"]], "data": DATA}, "data"),
        ({"data": DATA, "lists": [["air"], ["argon"]]}, ""),
    ],
)
def test_the_sheet_with_the_names_is_read_and_hidden_ones_only_where_no_other_has_them(
    tmp_path: Path, sheets: dict[str, list[list[object]]], hidden: str
) -> None:
    workbook(tmp_path, sheets, hidden)
    assert values(read_sheet(tmp_path / "lab.xlsx", NUMBERS, TEXTS)) == [800.0]


def test_two_sheets_of_data_are_refused(tmp_path: Path) -> None:
    workbook(tmp_path, {"May": OLD, "June": [["temperature", "gas", "gap", "gap sd"], [800, "air", 1, 1]]})
    with pytest.raises(TableError, match="several sheets that may be meant: 'May', 'June'"):
        read_sheet(tmp_path / "lab.xlsx", NUMBERS, TEXTS)


def test_formulas_that_nobody_has_calculated_and_what_is_struck_through_are_not_used(tmp_path: Path) -> None:
    book = workbook(tmp_path, {"data": [*DATA, ["=A2+10", "air", 2], [820, "air", 3]]})
    book["data"]["C4"].font = Font(strike=True)
    book["data"].row_dimensions[2].hidden = True
    book.save(tmp_path / "lab.xlsx")
    found = read_sheet(tmp_path / "lab.xlsx", NUMBERS, TEXTS)
    assert [row.number for row in found.rows] == [2, 3, 4]
    with pytest.raises(TableError, match="is a formula that has never been calculated"):
        found.number(found.rows[1], "temperature", "degC")
    with pytest.raises(TableError, match="is struck through"):
        found.number(found.rows[2], "gap", "eV")
