from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.load import parse_campaign
from campaigns.relative_paths import PARENT
from campaigns.spaces.space import SpaceConfig
from campaigns.warm_start import TableSourceConfig, Wanted, read_source_table, with_enough_measurements
from tests.stores import CAMPAIGN

SPACE = SpaceConfig.model_validate(
    {
        "parameters": {
            "temperature": {"kind": "float", "unit": "degC", "low": 500, "high": 900},
            "gas": {"kind": "categorical", "levels": ["air", "argon"]},
        }
    }
)
WANTED = Wanted(SPACE, {"gap": "eV"})
TABLE = "temperature [K],gas,gap [meV],gap sd [meV],note\n873.15,air,500,20,a\n973.15,argon,700,,b\n1073.15,air,,,c\n"


def config(folder: Path, text: str | None, **changes: Any) -> TableSourceConfig:
    if text is not None:
        (folder / "old.csv").write_text(text)
    data = {"kind": "table", "name": "old", "file": "old.csv"} | changes
    return TableSourceConfig.model_validate(data, context={PARENT: folder})


def test_a_table_is_converted_to_the_units_of_the_campaign(tmp_path: Path) -> None:
    source = read_source_table(config(tmp_path, TABLE), WANTED, "warm_start[0]")
    first, second = source.records
    assert first.candidate.parameters == {"temperature": pytest.approx(600.0), "gas": "air"}
    assert first.metrics["gap"].value == pytest.approx(0.5)
    assert (first.metrics["gap"].sd, first.metrics["gap"].unit) == (pytest.approx(0.02), "eV")
    assert second.metrics["gap"].sd == 0.0


def test_rows_that_were_not_completed_and_levels_that_do_not_exist_are_left_out(tmp_path: Path) -> None:
    text = "temperature,gas,gap,state\n600,air,1,completed\n600,helium,1,completed\n700,air,1,quarantined\n"
    assert len(read_source_table(config(tmp_path, text), WANTED, "here").records) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "cannot be read: No such file"),
        ("", "old.csv: is empty"),
        ("temperatur,gas,gap\n600,air,1\n", "has no column temperature, did you mean 'temperatur'"),
        ("temperature [h],gas,gap\n600,air,1\n", "which is a time; allowed: a temperature"),
        ("temperature,gas,gap\n600,air\n", "got 0 of gap, within the space; needed: 3"),
        (TABLE, "got 2 of gap, within the space; needed: 3 measurements of each metric; name under metrics"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_what_to_do(tmp_path: Path, text: str | None, message: str) -> None:
    source = config(tmp_path, text)
    with pytest.raises(CampaignError) as caught:
        with_enough_measurements(source, "warm_start[0]", read_source_table(source, WANTED, "warm_start[0]"))
    assert message in str(caught.value)
    assert caught.value.problems[0].where == "warm_start[0].file"


def test_a_material_is_needed_where_there_is_a_pool(tmp_path: Path) -> None:
    pool = SpaceConfig.model_validate({"pool": {"kind": "generator", "function": "a.b:c"}})
    with pytest.raises(CampaignError, match="has no column material"):
        read_source_table(config(tmp_path, "gap\n1\n"), Wanted(pool, {"gap": "eV"}), "here")
    table = config(tmp_path, "material,gap\nMgO,7.8\n,1\n")
    assert [r.candidate.material for r in read_source_table(table, Wanted(pool, {"gap": "eV"}), "here").records] == [
        "MgO"
    ]


def test_the_hash_tells_of_every_change(tmp_path: Path) -> None:
    digests = {
        read_source_table(config(tmp_path, TABLE.replace(*change)), WANTED, "here").digest
        for change in (("", ""), ("500", "501"), ("air", "argon"), ("20", "21"), ("873", "874"))
    }
    assert len(digests) == 5
    assert read_source_table(config(tmp_path, TABLE.replace("note", "memo")), WANTED, "here").digest in digests


def test_names_are_checked_against_the_campaign() -> None:
    text = CAMPAIGN + (
        "warm_start:\n"
        "  - {kind: table, name: old, file: old.csv, metrics: [capacty]}\n"
        "  - {kind: store, name: old, file: old.db}\n"
    )
    with pytest.raises(CampaignError) as caught:
        parse_campaign(text, "small.yaml")
    found = {p.where: p.message for p in caught.value.problems}
    assert "did you mean 'capacity'" in found["warm_start[0].metrics[0]"]
    assert "got 'old' twice" in found["warm_start[1].name"]


def test_a_campaign_keeps_its_sources() -> None:
    campaign = parse_campaign(CAMPAIGN + "warm_start:\n  - {kind: store, name: old, file: old.db}\n", "small.yaml")
    assert Campaign.model_validate(campaign.model_dump()) == campaign


def test_a_column_under_another_name_is_to_be_renamed_and_metrics_named_where_they_are_a_key(
    tmp_path: Path,
) -> None:
    source = config(tmp_path, "temperatur,gas,gap\n600,air,1\n")
    for where, told in (("warm_start[0]", True), ("history[0]", True), ("TABLE", False)):
        with pytest.raises(CampaignError, match="rename the column that is meant") as caught:
            read_source_table(source, WANTED, where)
        assert ("leave it out of metrics" in str(caught.value)) is told
