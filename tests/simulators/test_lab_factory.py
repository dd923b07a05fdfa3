from pathlib import Path

import pytest
import yaml

from campaigns.campaign import Campaign
from campaigns.errors import CampaignError
from campaigns.user_code.module_files import open_folder
from loop.storage.paths import ready_campaigns
from simulators.lab_factory import build_simulated_lab


def with_experiment(path: str) -> Campaign:
    """Return the flow synthesis with another experiment."""
    data = yaml.safe_load(ready_campaigns()["flow"].read_text(encoding="utf-8"))
    return Campaign(**data | {"stations": {"reactor": {"kind": "simulated", "experiment": path}}})


def test_a_lab_of_experiments_needs_no_cathode_materials(tmp_path: Path) -> None:
    lab = build_simulated_lab(with_experiment("simulators.flow_synthesis:reactor"), (), tmp_path, 0.0)
    try:
        assert lab.instrument("reactor").unit_of("temperature") == "degC"
        assert lab.instrument("reactor").limits.ranges["equivalents"] == (0.5, 10.0)
    finally:
        lab.close()


def test_a_function_that_gives_no_experiment_is_told_at_its_key(tmp_path: Path) -> None:
    (tmp_path / "wrong_bath.py").write_text("def bath():\n    return open\n")
    open_folder(tmp_path)
    with pytest.raises(CampaignError, match=r"stations\.reactor\.experiment: wrong_bath:bath returned a "):
        build_simulated_lab(with_experiment("wrong_bath:bath"), (), tmp_path, 0.0)
