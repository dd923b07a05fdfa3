from pathlib import Path
from typing import Any

import pytest

from campaigns.beside import PARENT
from campaigns.errors import CampaignError
from campaigns.space import SpaceConfig

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
        ("x,1400,3,argon,1,0.3,0.7", "row 2: temperature is '1400'; allowed: numbers from 900 to 1300 K"),
        ("x,1000,3.5,argon,1,0.3,0.7", "row 2: turns is '3.5'; allowed: whole numbers from 0 to 9"),
        ("x,1000,3,neon,1,0.3,0.7", "row 2: gas is 'neon'; allowed: air, argon"),
        ("x,1000,3,argon,2,0.3,0.7", "row 2: flow is '2'; allowed: 1.0, 2.5"),
        ("x,1000,3,argon,,0.3,0.7", "row 2: flow is 'empty'; allowed: 1.0, 2.5"),
        ("x,1000,3,air,1,0.3,0.7", "row 2: flow is '1'; it does not apply here"),
        ("x,1000,3,argon,1,0.3,0.6", "row 2: the components of binder"),
        ("x,1300,9,argon,1,0.3,0.7", "row 2: breaks 'temperature + 10"),
        ("x,1000,3", "row 2: 3 cells for 7 columns"),
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
    with pytest.raises(CampaignError, match="has no column gas; needed: rows with temperature, turns, gas"):
        _ = space(tmp_path, "1\n", HEAD.replace("gas", "gass")).table
    (tmp_path / "rows.csv").unlink()
    data: dict[str, Any] = SPACE
    with pytest.raises(CampaignError, match="cannot be read"):
        _ = SpaceConfig.model_validate(data, context={PARENT: tmp_path}).table
