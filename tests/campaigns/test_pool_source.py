import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.load import load_campaign, parse_campaign
from campaigns.pool_source import FolderPoolConfig, TablePoolConfig

CATHODE = (Path(__file__).parents[2] / "campaigns" / "cathode.yaml").read_text(encoding="utf-8")
TABLE = {"kind": "table", "file": "crystals.csv"}


def written(folder: Path, pool: dict[str, Any]) -> Path:
    data = yaml.safe_load(CATHODE)
    data["space"]["pool"] = pool
    file = folder / "campaign.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return file


def path_of(campaign: Campaign) -> Path:
    assert isinstance(campaign.space.pool, TablePoolConfig | FolderPoolConfig)
    return campaign.space.pool.path


def test_a_relative_name_is_looked_up_beside_the_campaign_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "crystals.csv").touch()
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path / "lab", TABLE | {"file": "../crystals.csv"})
    assert path_of(load_campaign(file)).samefile(tmp_path / "crystals.csv")


def test_a_moved_campaign_is_the_same_campaign(tmp_path: Path) -> None:
    dumps = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "crystals.csv").touch()
        campaign = load_campaign(written(tmp_path / name, TABLE))
        assert path_of(campaign) == tmp_path / name / "crystals.csv"
        dumps.append(campaign.model_dump_json())
    assert dumps[0] == dumps[1]


def test_overriding_and_pickling_keep_the_place(tmp_path: Path) -> None:
    (tmp_path / "crystals.csv").touch()
    campaign = load_campaign(written(tmp_path, TABLE))
    again = Campaign.model_validate({name: getattr(campaign, name) for name in Campaign.model_fields} | {"seed": 9})
    assert path_of(again) == path_of(pickle.loads(pickle.dumps(again))) == tmp_path / "crystals.csv"


@pytest.mark.parametrize(
    ("pool", "where", "message"),
    [
        (TABLE, "space.pool.file", "got 'crystals.csv', but {0}/crystals.csv does not exist"),
        (TABLE | {"file": "sub.csv"}, "space.pool.file", "{0}/sub.csv is no file"),
        (
            TABLE | {"file": "a.ods"},
            "space.pool.file",
            "allowed: a name that ends in .csv, .csv.gz, .csv.xz, .parquet",
        ),
        ({"kind": "folder", "folder": "cifs"}, "space.pool.folder", "{0}/cifs does not exist"),
        ({"kind": "folder", "folder": "campaign.yaml"}, "space.pool.folder", "campaign.yaml is no folder"),
        ({"kind": "ase", "file": "/none/x.db"}, "space.pool.file", "/none/x.db does not exist; check the name"),
        ({"kind": "json", "file": "x.json"}, "space.pool.file", "{0}/x.json does not exist"),
    ],
)
def test_what_is_not_there_is_told_with_its_line(
    pool: dict[str, Any], where: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "sub.csv").mkdir()
    with pytest.raises(CampaignError) as caught:
        load_campaign(written(tmp_path, pool))
    (problem,) = caught.value.problems
    assert problem.where == where
    assert message.format(tmp_path) in problem.message
    assert problem.line is not None


def test_a_text_without_a_place_is_checked_without_its_data() -> None:
    data = yaml.safe_load(CATHODE)
    data["space"]["pool"] = TABLE
    assert path_of(parse_campaign(yaml.safe_dump(data), "text")) == Path("crystals.csv").absolute()
