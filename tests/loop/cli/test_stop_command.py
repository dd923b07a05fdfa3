"""``athanor stop`` in an emergency, and clearing it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from campaigns.errors import StoreError
from instruments.emergency_stop import StopFile
from loop.cli.stop_command import StopRequest, clear_stop, stop_everything
from tests.ruled_campaigns import write_ruled


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_campaign_stands_for_its_laboratory_which_others_may_share(folder: Path) -> None:
    file = write_ruled(folder)
    (said,) = stop_everything(StopRequest(file, "anna", "smoke"))
    assert said.startswith("emergency stop by anna since")
    assert (folder / "lab.stop").exists()
    (said,) = clear_stop(StopRequest(folder / "lab.yaml", "ben", "aired"))
    assert said.startswith("lab.stop: cleared by ben: aired; it was the emergency stop by anna since")
    with pytest.raises(StoreError, match="there is no emergency stop to clear"):
        list(clear_stop(StopRequest(file, "ben", "aired")))


def test_without_a_file_all_laboratories_of_the_folder_are_stopped(folder: Path) -> None:
    write_ruled(folder)
    (folder / "own.yaml").write_text("name: own\nlab: {kind: virtual}\nworkflow: []\n", encoding="utf-8")
    (folder / "broken.yaml").write_text("lab: {kind: [\n", encoding="utf-8")
    list(stop_everything(StopRequest(None)))
    assert sorted(one.name for one in folder.glob("*.stop")) == ["lab.stop", "own.stop"]
    assert len(list(clear_stop(StopRequest(None, "ben", "aired")))) == 2


def test_an_emergency_does_not_wait_for_a_valid_file(folder: Path) -> None:
    broken = folder / "broken.yaml"
    broken.write_text("lab: {kind: [\n", encoding="utf-8")
    list(stop_everything(StopRequest(broken)))
    assert StopFile(folder / "broken.stop").read() is not None
    broken.unlink()
    (folder / "broken.stop").unlink()
    with pytest.raises(StoreError, match="no campaign and no lab file here"):
        list(stop_everything(StopRequest(None)))


@pytest.mark.slow
def test_the_command_says_what_is_needed_and_loads_nothing_heavy(folder: Path) -> None:
    write_ruled(folder)

    def athanor(*words: str) -> subprocess.CompletedProcess[str]:
        code = "from loop.cli.app import main; main()"
        return subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code, *words], capture_output=True, text=True, check=False
        )

    began = time.monotonic()
    stopped = athanor("stop", "--emergency", "--reason", "smoke")
    assert (stopped.returncode, time.monotonic() - began < 10) == (0, True)
    loaded = {line.split("|")[-1].strip() for line in stopped.stderr.splitlines()}
    assert not loaded & {"torch", "ophyd", "pint", "sqlmodel"}
    assert athanor("stop", "--clear").returncode == 2
    assert athanor("stop").returncode == 2
    assert athanor("stop", "--clear", "--by", "ben", "--reason", "aired").returncode == 0
