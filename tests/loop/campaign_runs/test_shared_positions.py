"""A position that one campaign's sample occupies is not free for another campaign on the same lab file."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from campaigns.errors import LabError, StoreError
from campaigns.values import TrialState
from loop.cli.sample_orders import move_sample
from loop.core.records import TrialRecord
from loop.storage.artefacts import WAITS
from loop.storage.lab_files.shared_positions import SharedPositions
from loop.storage.reader import Reader
from tests.shared_labs import CAMPAIGN, LAB, OVEN, conducted, until

POSITIONS = "positions:\n  tray: {capacity: 1}\n  shelf: {}\n"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "oven_with_tray.py").write_text(OVEN, encoding="utf-8")
    (tmp_path / "lab.yaml").write_text(LAB.replace('"oven:', '"oven_with_tray:') + POSITIONS, encoding="utf-8")
    return tmp_path


def run(folder: Path, name: str) -> tuple[TrialRecord, ...]:
    """Run a campaign of one trial, whose sample lies in the tray from then on."""
    text = CAMPAIGN.replace("NAME", name).replace("timeout: 1 min", "timeout: 1 min\n    sample: {at: tray}")
    file = folder / f"{name}.yaml"
    file.write_text(text.replace("trials: 3", "trials: 1"), encoding="utf-8")
    return conducted(file)


def waits(folder: Path, name: str) -> str:
    """Return why the oven has to be waited for, by the store of a campaign."""
    try:
        found = Reader(f"sqlite:///{folder / name}.db").artefacts(WAITS).get("oven", {})
    except StoreError:  # there is none yet
        return ""
    return str(found.get("reason", ""))


@pytest.mark.slow
def test_a_job_waits_for_a_position_until_another_campaigns_sample_was_taken_away(
    lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(lab, "red")
    found: list[TrialRecord] = []
    waiting = threading.Thread(target=lambda: found.extend(run(lab, "blue")))
    waiting.start()
    until(lambda: waits(lab, "blue") == "tray is full: sample 0 of campaign red")
    monkeypatch.chdir(lab)
    assert list(move_sample(["0", "shelf", "red.yaml"], None, "it is cold"))
    waiting.join(60)
    assert [trial.state for trial in found] == [TrialState.COMPLETED]


def test_a_campaign_sees_where_the_samples_of_others_lie_and_which_have_moved(tmp_path: Path) -> None:
    red, blue = (SharedPositions(tmp_path / "lab.yaml", name, name) for name in ("red", "blue"))
    assert red.others() == {}
    before = red.state
    blue.publish({"tray": ["1", "2"], "shelf": []})
    assert red.others() == {"tray": ["1 of campaign blue", "2 of campaign blue"]}
    assert blue.others() == {}
    assert red.state != before
    blue.publish({"shelf": ["1"]})
    assert red.others() == {"shelf": ["1 of campaign blue"]}


def test_nothing_is_taken_for_free_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    red = SharedPositions(tmp_path / "lab.yaml", "red", "red")
    folder = tmp_path / "lab.lab" / "positions"
    folder.mkdir(parents=True)
    (folder / "blue.json").write_text("{")
    with pytest.raises(LabError, match="which says where samples lie, cannot be read"):
        red.others()
