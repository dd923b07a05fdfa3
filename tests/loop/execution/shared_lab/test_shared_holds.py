"""A station of a lab file that somebody holds is held for all campaigns on it, until somebody resumes it from any."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from campaigns.decisions import StationMode
from campaigns.errors import CampaignError, LabError
from loop.cli.app import app
from loop.cli.lab_orders import lab_rows
from loop.cli.station_orders import set_stations
from loop.core.events import Event, Warned
from loop.core.station_modes import StationOrder
from loop.storage.lab_files.station_ledger import StationLedger, stations_file
from loop.storage.reader import Reader
from loop.terminal.requests_view import request_lines, stored_requests
from tests.shared_labs import conducted, served, until, write_shared_lab


def order(folder: Path, words: list[str], mode: StationMode) -> list[str]:
    return list(set_stations([*words, str(folder / "lab.yaml")], None, "the door", mode))


def test_a_lab_file_is_held_by_its_name_and_says_so(tmp_path: Path) -> None:
    write_shared_lab(tmp_path)
    lab = tmp_path / "lab.yaml"
    said = order(tmp_path, ["oven"], StationMode.PAUSED)
    assert said == [f"oven is paused: it begins no new job, in all campaigns on {lab}"]
    (again,) = order(tmp_path, ["oven"], StationMode.PAUSED)
    assert again.startswith("oven is paused by ")
    assert again.endswith(": the door already; nothing was changed")
    with pytest.raises(CampaignError, match="is no station"):
        order(tmp_path, ["ovn"], StationMode.PAUSED)
    assert [one.mode for one in StationLedger(stations_file(lab)).orders] == [StationMode.PAUSED]


def test_a_torn_line_never_counted_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    ledger = StationLedger(tmp_path / "lab.lab" / "stations.jsonl")
    assert (ledger.orders, ledger.is_behind) == ((), False)
    first, second = (StationOrder("oven", mode, "Ada", 1.0, "dust") for mode in (StationMode.OUT, StationMode.IN))
    ledger.add(first)
    with ledger.path.open("a") as file:
        file.write('{"station": "oven", "mo')
    assert StationLedger(ledger.path).orders == (first,)
    ledger.add(second)
    assert StationLedger(ledger.path).orders == (first, second)
    with ledger.path.open("a") as file:
        file.write("{}\n")
    with pytest.raises(LabError, match="who holds stations"):
        StationLedger(ledger.path).orders  # noqa: B018


@pytest.mark.slow
def test_what_one_campaign_pauses_all_wait_for_until_it_is_resumed_from_any(tmp_path: Path) -> None:
    write_shared_lab(tmp_path, "one", "two")
    lab, texts = tmp_path / "lab.yaml", list[str]()
    conducted(tmp_path / "one.yaml")
    said = list(set_stations(["oven"], f"sqlite:///{tmp_path}/one.db", "the door", StationMode.PAUSED))
    assert "so it is in all campaigns on lab.yaml" in said

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            texts.append(event.text)

    with served(tmp_path):
        run = threading.Thread(target=conducted, args=(tmp_path / "two.yaml", listen))
        run.start()
        until(lambda: any("waits for people" in text for text in texts))
        url = f"sqlite:///{tmp_path}/two.db"
        assert not any(step.open for trial in Reader(url).trials() for step in trial.steps)
        (row,) = [text for name, text in lab_rows(lab) if name == "station oven"]
        assert row.startswith("paused by ")
        assert ": the door; " in row
        status = CliRunner().invoke(app, ["status", "--store", url]).output
        assert "paused by " in status
        asked = "\n".join(request_lines(Reader(url), None, url))
        assert "oven is paused by " in asked
        assert "station resume oven" in asked
        list(set_stations(["oven"], url, "shut", StationMode.IN, of=StationMode.PAUSED))
        run.join(60)
    assert stored_requests(Reader(f"sqlite:///{tmp_path}/one.db")) == []
    assert len(Reader(url).trials()) == 3
    assert "oven is paused by" in " ".join(texts)


@pytest.mark.slow
def test_a_pause_reaches_a_run_that_goes_on_without_a_lab_process_and_ends_for_it(tmp_path: Path) -> None:
    write_shared_lab(tmp_path, "one")
    texts: list[str] = []
    paused = threading.Event()

    def listen(event: Event) -> None:
        if isinstance(event, Warned):
            texts.append(event.text)
            if "waits for people" in event.text:
                paused.set()

    order(tmp_path, ["oven"], StationMode.PAUSED)
    run = threading.Thread(target=conducted, args=(tmp_path / "one.yaml", listen))
    run.start()
    assert paused.wait(60)
    order(tmp_path, ["oven"], StationMode.IN)
    run.join(60)
    assert "oven is in use again, as it is in all campaigns on its lab file" in texts
