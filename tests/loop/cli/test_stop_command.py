"""``athanor stop`` in an emergency, and clearing it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from campaigns.errors import CampaignError, LabError, StoreError
from instruments.emergency_stop import MadeStop, StopFile
from loop.cli.stop_command import StopRequest, clear_stop, stop_everything
from loop.storage.lab_files.stop_files import STOP_FILE, stop_files
from loop.storage.store import Store
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


@pytest.mark.parametrize("name", ["ruld.yaml", "ruld.stop", "notes.yaml", "hot.py", "sub", "lba.yaml"])
def test_a_file_that_stands_for_no_laboratory_is_refused_with_those_that_do(folder: Path, name: str) -> None:
    write_ruled(folder)
    (folder / "notes.yaml").write_text("a: 1\n", encoding="utf-8")
    (folder / "sub").mkdir()
    with pytest.raises(CampaignError) as caught:
        list(stop_everything(StopRequest(Path(name), "anna", "smoke")))
    assert "campaigns and labs there: lab.yaml, ruled.yaml" in str(caught.value)
    assert "NOTHING was stopped; to stop all laboratories of this folder: athanor stop --emergency" in str(caught.value)
    assert not list(folder.glob("*.stop"))
    if name == "ruld.yaml":
        assert "did you mean 'ruled.yaml'" in str(caught.value)


def test_the_stop_that_a_run_watches_is_made_though_the_file_is_another_now_or_gone(folder: Path) -> None:
    file = write_ruled(folder)
    Store(f"sqlite:///{folder / 'ruled.db'}").keep(STOP_FILE, "path", {"path": str(folder / "old_lab.stop")})
    list(stop_everything(StopRequest(file)))
    assert sorted(one.name for one in folder.glob("*.stop")) == ["lab.stop", "old_lab.stop"]
    list(clear_stop(StopRequest(None, "ben", "aired")))
    assert not list(folder.glob("*.stop"))
    Store(f"sqlite:///{folder / 'elsewhere.db'}").keep(STOP_FILE, "path", {"path": str(folder / "elsewhere.stop")})
    with closing(sqlite3.connect(folder / "elsewhere.db")) as other, other:
        other.execute("INSERT INTO campaign VALUES (1, 'ruled', '', 1, '', 0.0)")
    assert {one.path.name for one in stop_files(file, folder)} == {"lab.stop", "old_lab.stop", "elsewhere.stop"}
    assert {one.path.name for one in stop_files(folder / "lab.yaml", folder)} == {"lab.stop"}
    for one in folder.glob("*.yaml"):
        one.unlink()
    list(stop_everything(StopRequest(None)))
    assert sorted(one.name for one in folder.glob("*.stop")) == ["elsewhere.stop", "old_lab.stop"]


def test_a_stop_that_cannot_be_made_is_said_before_those_that_were(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_ruled(folder)
    original = StopFile.make

    def make(one: StopFile, author: str, reason: str) -> MadeStop:
        if one.path.name == "lab.stop":
            return MadeStop(None, (f"{one.path} cannot be written: Read-only file system",))
        return original(one, author, reason)

    monkeypatch.setattr(StopFile, "make", make)
    with pytest.raises(LabError) as caught:
        stop_everything(StopRequest(file, "anna", "smoke"))
    first, second = str(caught.value).splitlines()
    assert first.startswith("NOTHING was stopped: ")
    assert "Use the emergency stop of the instruments themselves NOW" in second
    assert f"'touch {folder / 'lab.stop'}' or 'touch /dev/shm/athanor-" in second
    (folder / "own.yaml").write_text("name: own\nlab: {kind: virtual}\nworkflow: []\n", encoding="utf-8")
    with pytest.raises(LabError, match=r"1 of 2 were NOT stopped: (?s:.*)\nemergency stop by anna since"):
        stop_everything(StopRequest(None, "anna", "smoke"))
    assert (folder / "own.stop").exists()


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
    assert not loaded & {"torch", "ophyd", "pint", "sqlmodel", "numpy", "campaigns.campaign"}
    assert athanor("stop", "ruld.yaml", "--emergency").returncode == 2
    assert athanor("stop", "--clear").returncode == 2
    assert athanor("stop").returncode == 2
    assert athanor("stop", "--clear", "--by", "ben", "--reason", "aired").returncode == 0
