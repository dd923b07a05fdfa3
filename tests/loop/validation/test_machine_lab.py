"""The lab file that a machine names cannot be left out by a campaign."""

from __future__ import annotations

from pathlib import Path

import pytest

import campaigns
from campaigns.errors import CampaignError
from campaigns.load import load_campaign
from loop.validation.lab_checks import check_lab
from loop.validation.machine_lab import VARIABLE
from tests.shared_labs import write_shared_lab


def check(file: Path) -> None:
    check_lab(load_campaign(file), file)


def test_a_campaign_with_real_stations_names_the_lab_file_of_its_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_shared_lab(tmp_path, "glass")
    check(tmp_path / "glass.yaml")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "lab.yaml"))
    check(tmp_path / "glass.yaml")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "other.yaml"))
    with pytest.raises(CampaignError, match=r"lab: got .*lab.yaml; allowed on this machine: .*path: .*other.yaml"):
        check(tmp_path / "glass.yaml")


def test_so_does_one_that_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path(campaigns.__file__).parent / "alignment.yaml"
    monkeypatch.setenv(VARIABLE, str(tmp_path / "lab.yaml"))
    with pytest.raises(CampaignError, match=r"lab: got no lab file; allowed on this machine"):
        check(file)
    check(file.with_name("calcination.yaml"))  # its instruments are simulated
