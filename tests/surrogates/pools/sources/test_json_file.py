import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.errors import CampaignError
from campaigns.pool_source import JsonPoolConfig
from surrogates.pools.pool import load_pool
from surrogates.pools.sources.json_file import json_source
from tests.surrogates.pools.crystal_files import cif, formulas, perovskite, reasons, salt

SALT, PEROVSKITE = salt().as_dict(), perovskite().as_dict()


def written(folder: Path, data: Any, **options: Any) -> JsonPoolConfig:
    file = folder / "crystals.json"
    file.write_text(data if isinstance(data, str) else json.dumps(data, indent=1), encoding="utf-8")
    return JsonPoolConfig(kind="json", file=str(file), **options)


@pytest.mark.parametrize(
    ("data", "options", "ids"),
    [
        ({"mp-1": SALT, "mp-2": PEROVSKITE}, {}, ("mp-1", "mp-2")),
        ({"mp-1": {"structure": SALT, "gap": 8}, "mp-2": cif(perovskite())}, {}, ("mp-1", "mp-2")),
        ([{"structure": SALT, "n": 0}, {"structure": PEROVSKITE, "n": 7}], {"id": "n"}, ("0", "7")),
        ([SALT, PEROVSKITE], {}, None),
        ([{"structure": SALT, "n": 0}, {"structure": PEROVSKITE}], {}, None),
    ],
    ids=["mapping", "mapping of other forms", "list with ids", "list", "list of mappings"],
)
def test_lists_and_mappings_are_read(data: Any, options: dict[str, Any], ids: Any, tmp_path: Path) -> None:
    pool = load_pool(written(tmp_path, data, **options))
    assert pool.formulas == ("NaCl", "SrTiO3")
    assert ids is None or pool.ids == ids


def test_compressed_files_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    file = tmp_path / "crystals.json.gz"
    file.write_bytes(gzip.compress(b"\xef\xbb\xbf" + json.dumps({"a": SALT}).encode()))
    config = JsonPoolConfig(kind="json", file=str(file))
    assert formulas(load_pool(config)) == {"a": "NaCl"}
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CampaignError, match="cannot be read"):
        load_pool(config)


def test_bad_entries_are_told_by_their_number(tmp_path: Path) -> None:
    broken = json.loads(json.dumps(SALT))
    broken["lattice"]["matrix"][0][0] = float("nan")
    config = written(tmp_path, {"good": SALT, "number": 3, "nan": broken, "none": None, "": PEROVSKITE, "x": {"a": 1}})
    found = {place.rpartition(" ")[2]: reason for place, reason in reasons(config).items()}
    assert list(found) == ["2", "3", "4", "5", "6"]
    assert found["3"] == "its cell is not finite"
    assert "got '' as key" in found["5"]
    assert found["2"] == "is 3; allowed: a structure of pymatgen's, or CIF or POSCAR as text"
    assert found["4"].startswith("is null; allowed")
    assert "no structure of pymatgen's" in found["6"]


def test_a_missing_id_is_a_bad_entry(tmp_path: Path) -> None:
    config = written(tmp_path, [{"structure": SALT, "n": "a"}, {"structure": PEROVSKITE}], id="n")
    assert reasons(config) == {
        "crystals.json row 2": "got '' as n, which names the entry; allowed: text that can be printed"
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a list or a mapping"),
        ("3", "expected a list or a mapping"),
        ('{"a": 1', "expected , or }"),
        ('{"a" 1}', "expected 'key': value"),
        ("[1 2]", "expected , or ]"),
        ("[1] 2", "text after the end"),
        ("[[}", "Expecting value"),
        (json.dumps(SALT), "is one structure; a pool is a list"),
        ('{"1": {}, "ids": [1], "nextid": 2}', "is a database of ASE; name it with kind: ase"),
        ("[]", "the pool is empty"),
    ],
)
def test_json_that_is_no_pool_is_refused(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(CampaignError) as caught:
        load_pool(written(tmp_path, text))
    assert message in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


ENTRIES = st.dictionaries(st.text(), VALUES, max_size=3) | st.text()


@pytest.mark.slow
@given(data=st.lists(ENTRIES, max_size=5), indent=st.sampled_from([None, 0, 3]), ascii_only=st.booleans())
def test_the_entries_of_any_list_are_found_where_they_stand(
    data: list[Any], indent: int | None, ascii_only: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = json.dumps(data, indent=indent, ensure_ascii=ascii_only)
    source = json_source(written(tmp_path_factory.mktemp("json"), text))
    contents = [item.content for item in source.items]  # type: ignore[union-attr]
    assert source.total == len(data)
    assert [json.loads(content) for content in contents] == data
