import csv
import gzip
import lzma
from pathlib import Path

import numpy as np
import openpyxl
import pytest

from campaigns.errors import CampaignError
from campaigns.pool_source import TablePoolConfig
from surrogates.pools.pool import load_pool
from tests.surrogates.pools.crystal_files import (
    cif,
    crowded,
    disordered,
    formulas,
    perovskite,
    poscar,
    reasons,
    salt,
    table,
    table_text,
)

ROWS = [
    {"name": "salt", "cif": cif(salt()), "gap": "8.5"},
    {"name": "perovskite", "cif": poscar(perovskite()), "gap": ""},
    {"name": "potash", "cif": cif(salt("K", a=6.29)), "gap": "nan"},
]


def test_rows_are_entries_with_the_ids_and_the_numbers_of_their_columns(tmp_path: Path) -> None:
    pool = load_pool(table(tmp_path, ROWS, id="name", properties=("gap",)))
    assert formulas(pool) == {"salt": "NaCl", "perovskite": "SrTiO3", "potash": "KCl"}
    assert np.array_equal(pool.properties["gap"], [8.5, np.nan, np.nan], equal_nan=True)
    assert pool["potash"].structure.composition.reduced_formula == "KCl"
    assert pool["potash"].provenance == {"file": "crystals.csv", "row": "3"}
    assert (pool.name, len(pool), pool.report.read) == ("crystals", 3, 3)


def test_every_bad_row_is_told_with_its_reason_and_the_rest_is_used(tmp_path: Path) -> None:
    rows = [
        *ROWS,
        {"name": "none", "cif": "", "gap": "1"},
        {"name": "disordered", "cif": cif(disordered()), "gap": "1"},
        {"name": "crowded", "cif": cif(crowded()), "gap": "1"},
        {"name": "", "cif": cif(salt("Rb")), "gap": "1"},
        {"name": "text", "cif": cif(salt("Rb")), "gap": "wide"},
        {"name": "endless", "cif": cif(salt("Rb")), "gap": "inf"},
        {"name": "bell\a", "cif": cif(salt("Rb")), "gap": "1"},
    ]
    config = table(tmp_path, rows, id="name", properties=("gap",))
    with config.path.open("a") as file:
        file.write("one,field too many,3,4\n\nshort\n")
    pool = load_pool(config)
    assert pool.ids == ("salt", "perovskite", "potash")
    assert pool.report.read == 12
    expected = {
        4: "its cif is empty",
        5: "is partly occupied",
        6: "0.20 Å apart",
        7: "got '' as name, which names the entry",
        8: "got 'wide' as gap; allowed: a number, or nothing",
        9: "got 'inf' as gap; allowed: a finite number",
        10: "got 'bell\\x07' as name",
        11: "has 4 fields; the header has 3",
        12: "has 1 fields; the header has 3",
    }
    found = reasons(config)
    assert list(found) == [f"crystals.csv row {row}" for row in expected]
    for row, reason in expected.items():
        assert reason in found[f"crystals.csv row {row}"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\r\n", "\n").encode(),
        lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode().replace(b"# generated", b"# g\xe9n\xe9r\xe9"),
    ],
    ids=["unix", "windows", "byte order mark", "latin-1 in a comment"],
)
def test_line_endings_and_byte_order_marks_make_no_difference(change: object, tmp_path: Path) -> None:
    file = tmp_path / "crystals.csv"
    file.write_bytes(change(table_text(ROWS)))  # type: ignore[operator]
    pool = load_pool(TablePoolConfig(kind="table", file=str(file), id="name"))
    assert formulas(pool) == {"salt": "NaCl", "perovskite": "SrTiO3", "potash": "KCl"}


@pytest.mark.parametrize(("ending", "pack"), [("gz", gzip.compress), ("xz", lzma.compress)])
def test_compressed_tables_are_read_and_cut_ones_refused(ending: str, pack: object, tmp_path: Path) -> None:
    file = tmp_path / f"crystals.csv.{ending}"
    packed: bytes = pack(table_text(ROWS).encode())  # type: ignore[operator]
    file.write_bytes(packed)
    config = TablePoolConfig(kind="table", file=str(file), id="name")
    assert load_pool(config).ids == ("salt", "perovskite", "potash")
    file.write_bytes(packed[: len(packed) // 2])
    with pytest.raises(CampaignError, match=r"cannot be read.*copy or download it again"):
        load_pool(config)
    file.write_bytes(b"this is not compressed")
    with pytest.raises(CampaignError, match="cannot be read"):
        load_pool(config)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"structure": "CIF"}, "crystals.csv has no column.*got 'CIF'; its columns: 'name', 'cif', 'gap'"),
        ({"id": "nam"}, "has no column, did you mean 'name'.*got 'nam'"),
        ({"properties": ("heat",)}, "has no column.*got 'heat'"),
    ],
)
def test_columns_that_are_not_there_are_told_with_those_that_are(
    options: dict[str, object], message: str, tmp_path: Path
) -> None:
    with pytest.raises(CampaignError, match=message):
        load_pool(table(tmp_path, ROWS, **options))


def test_a_column_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "twice.csv"
    file.write_text("cif,cif\n1,2\n")
    with pytest.raises(CampaignError, match="several columns: got 'cif'"):
        load_pool(TablePoolConfig(kind="table", file=str(file)))


@pytest.mark.parametrize("text", ["", "cif\n", "\n\n"])
def test_an_empty_table_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "empty.csv"
    file.write_text(text)
    with pytest.raises(CampaignError, match=r"no column|is empty"):
        load_pool(TablePoolConfig(kind="table", file=str(file)))


def test_a_cell_longer_than_the_csv_module_likes_is_read(tmp_path: Path) -> None:
    large = cif(salt()) + "# " + "x" * 200_000 + "\n"
    assert load_pool(table(tmp_path, [{"name": "a", "cif": large}], id="name")).ids == ("a",)


def test_a_quote_that_is_never_closed_spoils_its_own_row_and_those_it_swallows(tmp_path: Path) -> None:
    config = table(tmp_path, ROWS, id="name")
    config.path.write_text(config.path.read_text() + 'open,"data_x\n' + "a,b,c\n")
    pool = load_pool(config)
    assert len(pool) == 3
    assert len(pool.report.bad) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"crystals\.csv is empty; a table has a line with the names of its columns"),
    ],
)
def test_a_file_that_is_no_such_table_says_what_to_do(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "crystals.csv").write_bytes(content)
    with pytest.raises(CampaignError, match=message):
        load_pool(TablePoolConfig(kind="table", file=str(tmp_path / "crystals.csv")))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "utf-8-sig"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_in_other_encodings_and_with_other_separators_are_read(
    encoding: str, separator: str, tmp_path: Path
) -> None:
    file = tmp_path / "crystals.csv"
    with file.open("w", encoding=encoding, newline="") as out:
        writer = csv.writer(out, delimiter=separator)
        writer.writerows([["name", "cif", "gap"], ["Mühle", cif(salt("Rb")), "1,5"], ["b", poscar(salt()), "2,25"]])
    pool = load_pool(TablePoolConfig(kind="table", file=str(file), id="name", properties=("gap",)))
    assert formulas(pool) == {"Mühle": "RbCl", "b": "NaCl"}
    assert pool.properties["gap"].tolist() == [1.5, 2.25]


def test_a_workbook_is_read_and_numbers_that_may_be_two_are_not_guessed(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["name", "cif", "gap"],
        ["a", cif(salt()), 1.234],
        ["b", cif(salt("K")), "1,234"],
        ["c", cif(salt("Rb")), "2 eV"],
    ):
        book.active.append(row)
    book.save(tmp_path / "crystals.xlsx")
    config = TablePoolConfig(kind="table", file=str(tmp_path / "crystals.xlsx"), id="name", properties=("gap",))
    pool = load_pool(config)
    assert pool.properties["gap"].tolist() == [1.234]
    assert "may be 1.234 or 1234" in reasons(config)["crystals.xlsx row 2"]
    assert "allowed: a number without a unit" in reasons(config)["crystals.xlsx row 3"]
