import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from loop.validation.preflight import check_models
from tests.loop.conftest import ROOT, quick


def pooled(**changes: Any) -> dict[str, Any]:
    data = quick(**changes)
    data["space"]["pool"] = {"kind": "generator", "function": "surrogates.pools.prototypes:cathodes"}
    return data


def test_models_that_are_not_there_are_told_all_at_once_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    features = [{"kind": "chgnet"}, {"kind": "matgl", "model": "MEGNet-MP-2018.6.1-Eform"}]
    data = pooled(surrogate={"features": [*features, {"kind": "matgl", "model": "empty"}]})
    name = next(n for n, m in data["metrics"].items() if m["kind"] == "measured")
    data["metrics"][name]["prior"] = {"model": "trained"}
    Path("c.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(CampaignError) as raised:
        check_models(Campaign(**data), Path("c.yaml"))
    text = str(raised.value)
    assert "surrogate.features[0]" not in text
    lines = Path("c.yaml").read_text().splitlines()
    assert f"c.yaml:{lines.index('  - kind: matgl') + 1}: surrogate.features[1]" in text
    assert "MEGNet-MP-2018.6.1-Eform" in text
    assert "surrogate.features[2]" in text
    assert f"metrics.{name}.prior.model" in text


@pytest.mark.slow
def test_validating_a_campaign_whose_model_is_missing_fails_before_anything_heavy_is_loaded(tmp_path: Path) -> None:
    data = pooled(surrogate={"features": [{"kind": "matgl", "model": "M3GNet-MP-2021.2.8-PES"}]})
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    code = (
        "import sys\nfrom loop.cli.app import app\n"
        "try: app(['validate', 'c.yaml'], standalone_mode=False)\n"
        "except SystemExit: pass\nexcept Exception as e: print(type(e).__name__, getattr(e, 'exit_code', ''))\n"
        "print(sorted(set(sys.modules) & {'torch', 'matgl', 'ray', 'huggingface_hub'}))\n"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip().endswith("[]")
    assert "M3GNet-MP-2021.2.8-PES" in done.stdout + done.stderr


def test_a_campaign_without_a_pool_needs_no_model() -> None:
    check_models(Campaign(**quick()), Path("c.yaml"))


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        (
            {"kind": "table", "file": "pool.csv"},
            "pool.csv has no column: got 'cif'; its columns: 'id', 'text'",
        ),
        ({"kind": "table", "file": "pool.csv", "structure": "text", "properties": ["gap"]}, "got 'gap'"),
        ({"kind": "folder", "folder": "crystals"}, "crystals holds no structures"),
    ],
)
def test_a_pool_that_a_glance_tells_to_be_wrong_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pool: dict[str, Any], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crystals").mkdir()
    (tmp_path / "crystals" / "notes.txt").write_text("none yet")
    (tmp_path / "pool.csv").write_text("id,text\n1,data_x\n")
    data = pooled()
    data["space"]["pool"] = pool
    Path("c.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    with pytest.raises(CampaignError) as raised:
        check_models(Campaign(**data), Path("c.yaml"))
    assert said in str(raised.value)
