from pathlib import Path
from typing import Any

import openpyxl
import pytest

from campaigns.errors import CampaignError
from campaigns.relative_paths import PARENT
from campaigns.spaces.space import SpaceConfig

SPACE = {
    "parameters": {
        "temperature": {"kind": "float", "unit": "K", "low": 900, "high": 1300},
        "turns": {"kind": "integer", "low": 0, "high": 9},
        "gas": {"kind": "categorical", "levels": ["air", "argon"]},
        "flow": {"kind": "ordinal", "unit": "ml/min", "levels": [1, 2.5], "when": {"gas": ["argon"]}},
    },
    "mixtures": {"binder": {"components": {"pvdf": {}, "cmc": {}}}},
    "constraints": ["temperature + 10 * turns <= 1350"],
    "rows": {"file": "rows.csv"},
}
HEAD = "note,temperature,turns,gas,flow,pvdf,cmc\n"


def space(folder: Path, rows: str, head: str = HEAD) -> SpaceConfig:
    (folder / "rows.csv").write_text(head + rows, encoding="utf-8-sig")
    return SpaceConfig.model_validate(SPACE, context={PARENT: folder})


def test_rows_are_read_once_each_whatever_stands_beside(tmp_path: Path) -> None:
    found = space(tmp_path, "x, 1000,3,argon,2.5,0.3,0.7\ny,1000.0,3,argon,2.5,0.3,0.7\nz,900,0,air,,1,0\n")
    assert list(found.table or ()) == [
        {"temperature": 1000.0, "turns": 3, "gas": "argon", "flow": 2.5, "pvdf": 0.3, "cmc": 0.7},
        {"temperature": 900.0, "turns": 0, "gas": "air", "pvdf": 1.0, "cmc": 0.0},
    ]
    assert found.allows({"temperature": 900, "turns": 0, "gas": "air", "pvdf": 1.0, "cmc": 0.0})
    assert not found.allows({"temperature": 901, "turns": 0, "gas": "air", "pvdf": 1.0, "cmc": 0.0})


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "x,1400,3,argon,1,0.3,0.7",
            "row 3: temperature lies outside of the space; allowed: numbers from 900 to 1300 K",
        ),
        (
            "x,1000,3.5,argon,1,0.3,0.7",
            "row 3: turns is no whole number (got '3.5')",
        ),
        ("x,1000,3,neon,1,0.3,0.7", "row 3: gas is no level; allowed: air, argon (got 'neon')"),
        ("x,1000,3,argon,2,0.3,0.7", "row 3: flow lies outside of the space; allowed: 1.0, 2.5 ml/min (got '2')"),
        ("x,1000,3,argon,,0.3,0.7", "row 3: flow is empty; allowed: 1.0, 2.5 ml/min"),
        ("x,1000,3,air,1,0.3,0.7", "row 3: flow does not apply here; allowed: an empty cell (got '1')"),
        ("x,1000,3,argon,1,0.3,0.6", "row 3: the components of binder add up to 0.9, 0.1 less than the total of 1"),
        ("x,1300,9,argon,1,0.3,0.7", "row 3: breaks 'temperature + 10"),
        ("x,1000,3", "row 3: 3 cells for 7 columns"),
    ],
)
def test_a_row_outside_the_space_is_told_with_its_place(tmp_path: Path, row: str, message: str) -> None:
    with pytest.raises(CampaignError) as caught:
        _ = space(tmp_path, f"x,1000,3,argon,1,0.3,0.7\n{row}\n").table
    (problem,) = caught.value.problems
    assert problem.where == "space.rows.file"
    assert message in problem.message


def test_many_bad_rows_are_counted_and_a_missing_column_or_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match="15 more rows are wrong"):
        _ = space(tmp_path, "x,1,3,argon,1,0.3,0.7\n" * 25).table
    with pytest.raises(CampaignError, match="has no column gas, did you mean 'gass'; needed: rows with"):
        _ = space(tmp_path, "1\n", HEAD.replace("gas", "gass")).table
    (tmp_path / "rows.csv").unlink()
    data: dict[str, Any] = SPACE
    with pytest.raises(CampaignError, match="cannot be read"):
        _ = SpaceConfig.model_validate(data, context={PARENT: tmp_path}).table


def test_thirds_are_what_they_mean_and_what_is_no_rounding_is_refused_with_how_much_it_misses(tmp_path: Path) -> None:
    data = {
        "mixtures": {"m": {"unit": "percent", "total": 100, "components": {"x": {}, "y": {}, "z": {}}}},
        "rows": {"file": "rows.csv"},
    }

    def table(text: str) -> list[dict[str, Any]]:
        (tmp_path / "rows.csv").write_text(text)
        return [dict(r) for r in SpaceConfig.model_validate(data, context={PARENT: tmp_path}).table or ()]

    thirds, exact, _ = table("x,y,z\n33.3,33.3,33.3\n10,0,90\n50,0,50\n")
    assert thirds == pytest.approx(dict.fromkeys("xyz", 100 / 3))
    assert exact == {"x": 10.0, "y": 0.0, "z": 90.0}
    (again,) = table("x [1],y [1],z [1]\n0.333,0.333,0.333\n")
    assert again == pytest.approx(dict.fromkeys("xyz", 100 / 3))
    with pytest.raises(CampaignError, match="row 2: the components of m add up to 95 percent, 5 percent less than the"):
        table("x,y,z\n45,0,50\n")


def test_units_of_the_heads_hold_for_rows_too(tmp_path: Path) -> None:
    head = HEAD.replace("temperature", "temperature [degC]")
    (row,) = space(tmp_path, "x;726,85;3;argon;2,5;0,3;0,7\n", head.replace(",", ";")).table or [None]
    assert row == {"temperature": 1000.0, "turns": 3, "gas": "argon", "flow": 2.5, "pvdf": 0.3, "cmc": 0.7}
    with pytest.raises(CampaignError, match=r"column B \('temperature \[h\]'\): got '1 h', which is a time"):
        _ = space(tmp_path, "x,1000,3,argon,1,0.3,0.7\n", HEAD.replace("temperature", "temperature [h]")).table


def test_rounded_shares_of_a_workbook_are_scaled_like_those_of_a_text_file(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (["x", "y", "z"], [33.3, 33.3, 33.3], [0.167, 0.167, 0.667]):
        book.active.append(row)
    for cell in book.active[3]:
        cell.number_format = "0.0%"
    book.save(tmp_path / "rows.xlsx")
    mix = {"unit": "percent", "total": 100, "components": {"x": {}, "y": {}, "z": {}}}
    data = {"mixtures": {"mix": mix}, "rows": {"file": "rows.xlsx"}}
    table = SpaceConfig.model_validate(data, context={PARENT: tmp_path}).table
    assert table is not None
    assert table.values.sum(axis=1) == pytest.approx([100.0, 100.0], rel=1e-9)
